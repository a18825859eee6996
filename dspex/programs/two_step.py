"""`TwoStepAdapter`: one model answers in free text, another takes the outputs out."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from dspex.core.adapters import Adapter, Asked, ChatAdapter
from dspex.core.adapters.demos import Row, is_given
from dspex.core.adapters.reading import read_reply
from dspex.core.adapters.render import render_value
from dspex.core.errors import AdapterParseError, ConfigurationError
from dspex.core.fields import InputField
from dspex.core.lm import LanguageModel, Reply
from dspex.core.prediction import Prediction
from dspex.core.signature import Signature, make_signature
from dspex.programs.asking import Question, aask, ask
from dspex.programs.settings import check_lm

FREE_TEXT: Final = (
    "Answer in your own words. Say what each output is, so that a reader can find it."
)
"""What stands in the place of a format."""

_CHAT: Final = ChatAdapter(native_response_types=())
"""Reads the second answer. Reasoning is not native in it: the thoughts asked for are
those of the first model."""


class TwoStepAdapter(Adapter):
    r"""Lets a model answer in free text, and has a second model find the outputs.

    Each completion of the first model costs a call of the second, which is asked
    through `ChatAdapter`. That call is counted, kept in `history` and cached as every
    other; its tokens are part of the prediction's `get_lm_usage()`.

    When to use it: a model that reasons well and keeps to formats badly. When not: a
    model that can be held to a schema; `JSONAdapter` needs no second call.

    Example:
        >>> from dspex.programs import Predict
        >>> from dspex.programs.settings import context
        >>> from dspex.testing import DummyLM
        >>> solver = DummyLM(["Its capital is Lima, if I remember rightly."])
        >>> finder = DummyLM([{"capital": "Lima"}])
        >>> with context(lm=solver, adapter=TwoStepAdapter(finder)):
        ...     Predict("country -> capital")(country="Peru").capital
        'Lima'

    Args:
        extraction_model: Who finds the outputs; a small, cheap model will do.
        options: What every `Adapter` takes.

    Raises:
        ConfigurationError: When `extraction_model` is no language model.
    """

    name = "two-step"
    asks_to_read = True

    def __init__(self, extraction_model: LanguageModel, **options: Any) -> None:
        super().__init__(**options)
        if extraction_model is None:
            raise ConfigurationError(
                "extraction_model is None; a model must find the outputs in an answer."
                ' Write extraction_model=dspex.LM("openai/gpt-4o-mini").'
            )
        check_lm(extraction_model, "extraction_model")
        self.extraction_model = extraction_model
        self._found: Mapping[str, dict[str, Any] | AdapterParseError] = {}

    def format_field_description(self, signature: type[Signature]) -> str:
        """Return name, type and meaning of each field."""
        return _CHAT.format_field_description(signature)

    def format_field_structure(
        self,
        signature: type[Signature],  # noqa: ARG002 - the same for all
    ) -> str:
        """Return that there is no format."""
        return FREE_TEXT

    def format_task_description(self, signature: type[Signature]) -> str:
        """Return the signature's instructions."""
        return _CHAT.format_task_description(signature)

    def format_user_message_content(
        self,
        signature: type[Signature],
        inputs: Row,
        prefix: str = "",
        suffix: str = "",
        main_request: bool = False,  # noqa: ARG002, FBT001, FBT002 - DSPy's order
    ) -> str:
        """Return the inputs, each behind its name."""
        given = [
            _named(name, inputs[name], field.annotation)
            for name, field in signature.input_fields.items()
            if name in inputs
        ]
        return "\n\n".join(filter(None, [prefix, *given, suffix]))

    def format_assistant_message_content(
        self,
        signature: type[Signature],
        outputs: Row,
        missing_field_message: str | None = None,
    ) -> str:
        """Return the outputs, each behind its name; one that is absent is left out."""
        written = []
        for name, field in signature.output_fields.items():
            if is_given(outputs, name, field):
                written.append(_named(name, outputs[name], field.annotation))
            elif missing_field_message is not None:
                written.append(f"{name}: {missing_field_message}")
        return "\n\n".join(written)

    def parse(self, signature: type[Signature], completion: str) -> dict[str, Any]:
        """Ask the second model what the outputs are, and return them.

        Raises:
            AdapterParseError: When the text is empty, or the second model's answer
                does not fit; its error is the cause.
            LMError: When the second call ended without an answer.
        """
        found = self._found.get(completion)
        if isinstance(found, AdapterParseError):
            raise found
        if found is not None or not signature.output_fields:
            return found or {}
        _refuse_empty(signature, completion)
        question = self._question(signature, completion)
        try:
            return _values(signature, ask(question))
        except AdapterParseError as error:
            raise _unfound(signature, completion) from error

    async def aread(self, asked: Asked, reply: Reply) -> list[dict[str, Any]]:
        """Read a reply without blocking the loop; see `Adapter.aread`."""
        knowing = copy.copy(self)
        knowing._found = {  # noqa: SLF001 - a copy of this very adapter
            text: await self._afound(asked.shown, text) for text in reply.texts
        }
        return read_reply(knowing, asked, reply)

    async def _afound(
        self, signature: type[Signature], completion: str
    ) -> dict[str, Any] | AdapterParseError:
        """Return the outputs, or why there are none: calls of tools need none."""
        if not signature.output_fields:
            return {}
        try:
            _refuse_empty(signature, completion)
            answer = await aask(self._question(signature, completion))
            return _values(signature, answer)
        except AdapterParseError as error:
            unfound = _unfound(signature, completion)
            unfound.__cause__ = error
            return unfound

    def _question(self, signature: type[Signature], completion: str) -> Question:
        extractor = extractor_of(signature)
        (text,) = extractor.input_fields
        return Question(
            signature=extractor,
            demos=(),
            row={text: completion},
            config={},
            model=self.extraction_model,
            adapter=_CHAT,
        )


# A program asks the same signature again and again.
@lru_cache(maxsize=256)
def extractor_of(signature: type[Signature]) -> type[Signature]:
    """Return the signature of the second call: a text, and the outputs in it."""
    outputs = signature.output_fields
    text = "text"
    while text in outputs:
        text += "_"
    names = ", ".join(f"`{name}`" for name in outputs)
    return make_signature(
        {
            text: (str, InputField(desc="what somebody answered")),
            **{name: (field.annotation, field) for name, field in outputs.items()},
        },
        f"Find {names} in `{text}`. Copy what stands there, and add nothing.",
    )


def _named(name: str, value: Any, annotation: Any) -> str:
    """Return a value behind its name.

    Its further lines are indented, so that none of them can look like another field.
    """
    lines = render_value(value, annotation).splitlines()
    return f"{name}: " + "\n    ".join(lines)


def _values(signature: type[Signature], answer: Prediction) -> dict[str, Any]:
    return {name: answer[name] for name in signature.output_fields}


def _refuse_empty(signature: type[Signature], completion: str) -> None:
    if not completion.strip():
        raise AdapterParseError(
            TwoStepAdapter.__name__, signature, completion, "the reply is empty"
        )


def _unfound(signature: type[Signature], completion: str) -> AdapterParseError:
    return AdapterParseError(
        TwoStepAdapter.__name__,
        signature,
        completion,
        "what the extraction model found in it does not fit; its error is the cause",
    )
