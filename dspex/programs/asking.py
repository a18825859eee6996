"""One question to a language model: written by an adapter, asked, and read again.

The blocking way and the one for coroutines stand side by side and differ only in how
the model is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from dspex.core.adapters import Adapter, Asked, chosen_adapter
from dspex.core.errors import AdapterParseError, ConfigurationError
from dspex.core.history import Exchanged, History
from dspex.core.lm import LanguageModel, Reply, Usage
from dspex.core.placeholder import placeholder_outputs
from dspex.core.prediction import Prediction
from dspex.core.signature import Signature
from dspex.core.spawner import the_spawner
from dspex.programs.history import remember, written_by
from dspex.programs.rehearsal import is_rehearsal
from dspex.programs.settings import check_lm, in_force
from dspex.programs.trace import record_usage

COLD: Final = 0.15
"""The temperature up to which several completions would be much the same."""
WARM: Final = 0.7
"""The temperature at which several completions are asked for instead, as in DSPy."""

_logger = logging.getLogger(__name__)


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
    spent: Usage = field(default_factory=Usage)
    """Tokens of a first reply that could not be read."""

    def written(self) -> tuple[Asked, dict[str, Any]]:
        """Return the call as the adapter writes it, and the settings it is sent with.

        The user's settings win over the adapter's.
        """
        asked = self.adapter.ask(
            self.signature, self.demos, self.row, self.model, self.config
        )
        return asked, _warmed(dict(asked.settings), self.model)

    def read(self, asked: Asked, reply: Reply) -> Prediction:
        """Return the answer.

        Raises:
            AdapterParseError: It does not fit the signature.
        """
        if is_rehearsal() and not reply.cached:
            answers = [placeholder_outputs(asked.signature) for _ in reply.texts]
        else:
            answers = self.adapter.read(asked, reply)
        prediction = Prediction.from_completions(answers, signature=asked.signature)
        prediction.set_lm_usage({self.model.model: self.spent + reply.usage})
        return prediction

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
        return replace(self, adapter=other, spent=self.spent + reply.usage)


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
    raise ConfigurationError(
        "No LM is loaded, so nobody can be asked; a program needs a language "
        'model. Write dspex.configure(lm=dspex.LM("openai/gpt-4o-mini")).'
    )


def ask(question: Question) -> Prediction:
    """Ask, and once more through the adapter's fallback where it has one.

    Raises:
        LMError: The call ended without an answer.
        AdapterParseError: The reply does not fit the signature.
    """
    asked, settings = question.written()
    model = question.model
    with written_by(question.adapter.name):
        reply = model.complete(asked.messages, settings)
    _record(model, asked, settings, reply, question.adapter)
    try:
        return question.read(asked, reply)
    except AdapterParseError as error:
        return ask(question.once_more(error, reply))


async def aask(question: Question) -> Prediction:
    """The same for coroutines, on the caller's loop.

    A model without `acomplete` is asked in a thread, so the loop goes on meanwhile.
    """
    asked, settings = question.written()
    model = question.model
    with written_by(question.adapter.name):
        reply = await _acomplete(model, asked, settings)
    _record(model, asked, settings, reply, question.adapter)
    try:
        return question.read(asked, reply)
    except AdapterParseError as error:
        return await aask(question.once_more(error, reply))


async def _acomplete(
    model: LanguageModel, asked: Asked, settings: Mapping[str, Any]
) -> Reply:
    acomplete = getattr(model, "acomplete", None)
    if acomplete is not None:
        return cast("Reply", await acomplete(asked.messages, settings))
    return await the_spawner().in_thread(
        lambda: model.complete(asked.messages, settings), label=model.model
    )


def _record(
    model: LanguageModel,
    asked: Asked,
    settings: Mapping[str, Any],
    reply: Reply,
    adapter: Adapter,
) -> None:
    """Count and remember a reply; before it is read, for it was paid in any case."""
    record_usage(model.model, reply)
    # An LM remembers by itself; a model of the user's own need not know how.
    if not isinstance(getattr(model, "history", None), History):
        remember(
            Exchanged(
                model=model.model,
                messages=tuple(asked.messages),
                settings=settings,
                reply=reply,
                adapter=adapter.name,
            )
        )


def _warmed(settings: dict[str, Any], model: LanguageModel) -> dict[str, Any]:
    """Return the settings, warm enough for as many completions as they ask for."""
    own: Mapping[str, Any] = getattr(model, "settings", None) or {}
    count = settings.get("n") or own.get("n") or own.get("num_generations") or 1
    if count == 1:
        return settings
    temperature = settings.get("temperature") or own.get("temperature")
    if temperature is None or temperature <= COLD:
        return {**settings, "temperature": WARM}
    return settings
