"""One question to a language model: written by an adapter, asked, and read again.

The blocking way and the one for coroutines stand side by side and differ only in how
the model is asked.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from dspex.core.adapters import Adapter, Asked, chosen_adapter
from dspex.core.errors import AdapterParseError, ConfigurationError
from dspex.core.history import Exchanged, History
from dspex.core.lm import LanguageModel, Reply, Usage
from dspex.core.placeholder import placeholder_outputs
from dspex.core.prediction import Prediction
from dspex.core.signature import Signature
from dspex.core.spawner import the_spawner
from dspex.core.spending import used
from dspex.programs.history import remember, written_by
from dspex.programs.rehearsal import is_rehearsal
from dspex.programs.settings import check_lm, in_force
from dspex.programs.streaming.listening import Ear, aheard, ear_for, heard
from dspex.programs.trace import UsageTracker, record_usage, track_usage

COLD: Final = 0.15
"""The temperature up to which several completions would be much the same."""
WARM: Final = 0.7
"""The temperature at which several completions are asked for instead, as in DSPy."""

_logger = logging.getLogger(__name__)

_UNCOUNTED: Final = nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One call of a predictor, before any adapter has written it."""

    signature: type[Signature]
    """What is asked for."""
    demos: Sequence[Any]
    """Worked examples."""
    row: Mapping[str, Any]
    """The inputs."""
    config: Mapping[str, Any]
    """Settings of the call."""
    model: LanguageModel
    """Who is asked."""
    adapter: Adapter
    """Who writes and reads."""
    asker: Any = None
    """The predictor, for whoever listens to it."""
    spent: Usage | None = None
    """Tokens of a first reply that could not be read."""
    refused: AdapterParseError | None = None
    """Why that reply could not be read."""

    def written(self) -> Asked:
        """Return the call as the adapter writes it."""
        return self.adapter.ask(
            self.signature, self.demos, self.row, self.model, self.config
        )

    def read(self, asked: Asked, reply: Reply) -> Prediction:
        """Return the answer.

        Raises:
            AdapterParseError: It does not fit the signature.
        """
        if is_rehearsal() and not reply.cached:
            return self._with_usage(_placeholders(asked, reply), reply, None)
        try:
            with self._counting() as further:
                answers = self.adapter.read(asked, reply)
        except AdapterParseError as error:
            self._note_first_call(error)
            raise
        return self._with_usage(answers, reply, further)

    async def aread(self, asked: Asked, reply: Reply) -> Prediction:
        """The same for coroutines; see `read`."""
        if is_rehearsal() and not reply.cached:
            return self._with_usage(_placeholders(asked, reply), reply, None)
        try:
            with self._counting() as further:
                answers = await self.adapter.aread(asked, reply)
        except AdapterParseError as error:
            self._note_first_call(error)
            raise
        return self._with_usage(answers, reply, further)

    def _counting(self) -> AbstractContextManager[UsageTracker | None]:
        """Count the calls that are made to read the reply."""
        return track_usage() if self.adapter.asks_to_read else _UNCOUNTED

    def _note_first_call(self, error: AdapterParseError) -> None:
        if self.refused is not None:
            error.add_note(f"This was the second call. In the first: {self.refused}")

    def _with_usage(
        self,
        answers: list[dict[str, Any]],
        reply: Reply,
        further: UsageTracker | None,
    ) -> Prediction:
        prediction = self.answered(answers)
        spent = {self.model.model: self._with_spent(reply.usage)}
        for model, usage in (further.total() if further else {}).items():
            spent[model] = spent.get(model, Usage()) + usage
        prediction.set_lm_usage(spent)
        return prediction

    def _with_spent(self, usage: Usage) -> Usage:
        return usage if self.spent is None else self.spent + usage

    def answered(self, answers: list[dict[str, Any]]) -> Prediction:
        """Return what was read as a prediction."""
        return Prediction.from_completions(answers, signature=self.signature)

    def once_more(self, error: AdapterParseError, reply: Reply) -> Question:
        """Return the question for the adapter's fallback, which the user asked for.

        Raises:
            AdapterParseError: The one given, when there is no fallback.
        """
        fallback = getattr(self.adapter, "fallback", None)
        if fallback is None:
            raise error
        other = chosen_adapter(fallback, None)
        _logger.info(
            "the reply of %s did not fit through the %s adapter; asked once more "
            "through the %s adapter",
            self.model.model,
            self.adapter.name,
            other.name,
        )
        spent = self._with_spent(reply.usage)
        return replace(self, adapter=other, spent=spent, refused=error)


def model_for(*wanted: LanguageModel | None) -> LanguageModel:
    """Return the first model there is: of the call, the predictor, the settings.

    Raises:
        ConfigurationError: There is none, or it is no model.
    """
    for model in (*wanted, in_force("lm")):
        if model is not None:
            check_lm(model)
            found: LanguageModel = model
            return found
    text = (
        "No LM is loaded, so nobody can be asked; a program needs a language "
        'model. Write dspex.configure(lm=dspex.LM("openai/gpt-4o-mini")).'
    )
    if threading.current_thread() is not threading.main_thread():
        text += (
            " A thread of your own does not see the with dspex.context(lm=...) around "
            "it; what dspex.in_context(function) returns takes it along."
        )
    raise ConfigurationError(text)


def ask(question: Question) -> Prediction:
    """Ask, and once more through the adapter's fallback where it has one.

    Raises:
        LMError: The call ended without an answer.
        AdapterParseError: The reply does not fit the signature.
    """
    if _is_whole_call(question.adapter, "__call__"):
        return question.answered(
            question.adapter(
                question.model,
                lm_kwargs=question.config,
                signature=question.signature,
                demos=question.demos,
                inputs=question.row,
            )
        )
    asked = question.written()
    model = question.model
    ear = ear_for(question.asker, question.adapter, asked)
    with written_by(question.adapter.name):
        if ear is None:
            reply = model.complete(asked.messages, asked.settings)
        else:
            reply = heard(ear, model, asked)
    _record(model, asked, reply, question.adapter)
    try:
        prediction = question.read(asked, reply)
    except AdapterParseError as error:
        return ask(question.once_more(error, reply))
    return _told(prediction, ear)


async def aask(question: Question) -> Prediction:
    """The same for coroutines, on the caller's loop.

    A model without `acomplete` is asked in a thread, so the loop goes on meanwhile.
    """
    if _is_whole_call(question.adapter, "acall"):
        return question.answered(
            await question.adapter.acall(
                question.model,
                lm_kwargs=question.config,
                signature=question.signature,
                demos=question.demos,
                inputs=question.row,
            )
        )
    asked = question.written()
    model = question.model
    ear = ear_for(question.asker, question.adapter, asked)
    with written_by(question.adapter.name):
        if ear is None:
            reply = await _acomplete(model, asked)
        else:
            reply = await aheard(ear, model, asked)
    _record(model, asked, reply, question.adapter)
    try:
        prediction = await question.aread(asked, reply)
    except AdapterParseError as error:
        return await aask(question.once_more(error, reply))
    return _told(prediction, ear)


def _placeholders(asked: Asked, reply: Reply) -> list[dict[str, Any]]:
    return [placeholder_outputs(asked.signature) for _ in reply.texts]


def _told(prediction: Prediction, ear: Ear | None) -> Prediction:
    if ear is not None:
        ear.answered(prediction)
    return prediction


def _is_whole_call(adapter: Adapter, method: str) -> bool:
    """Say whether an adapter of the user's makes the call itself, as some of DSPy's."""
    return getattr(type(adapter), method) is not getattr(Adapter, method)


async def _acomplete(model: LanguageModel, asked: Asked) -> Reply:
    acomplete = getattr(model, "acomplete", None)
    if acomplete is not None:
        return cast("Reply", await acomplete(asked.messages, asked.settings))
    return await the_spawner().in_thread(
        lambda: model.complete(asked.messages, asked.settings), label=model.model
    )


def _record(
    model: LanguageModel,
    asked: Asked,
    reply: Reply,
    adapter: Adapter,
) -> None:
    """Count and remember a reply; before it is read, for it was paid in any case."""
    record_usage(model.model, reply)
    used(reply)
    # An LM remembers by itself; a model of the user's own need not know how.
    if not isinstance(getattr(model, "history", None), History):
        remember(
            Exchanged(
                model=model.model,
                messages=tuple(asked.messages),
                settings=asked.settings,
                reply=reply,
                adapter=adapter.name,
            )
        )


def warmed(settings: dict[str, Any], model: LanguageModel) -> dict[str, Any]:
    """Return settings of a call, warm enough for the completions they ask for."""
    own: Mapping[str, Any] = getattr(model, "settings", None) or {}
    count = settings.get("n") or own.get("n") or own.get("num_generations") or 1
    if count == 1:
        return settings
    temperature = settings.get("temperature") or own.get("temperature")
    if temperature is None or temperature <= COLD:
        return {**settings, "temperature": WARM}
    return settings
