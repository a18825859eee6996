"""A model answered, and the answer does not fit the signature."""

from __future__ import annotations

import sys
from typing import Any, Final, Self

from dspex.core.errors.base import DspexError
from dspex.core.type_names import type_name

SHOWN: Final = 200
"""How many characters of a reply an error's text shows."""


class AdapterError(DspexError):
    """Something between a signature and a model's text went wrong."""

    code = "adapter"


class AdapterParseError(AdapterError):
    """A model's reply does not fit the signature.

    Its text says what is wrong, what was expected, and what came (the first 200
    characters of it).

    Args:
        adapter_name: The class of the adapter that could not read the reply.
        signature: The signature whose outputs were expected.
        lm_response: The reply.
        message: What is wrong with it.
        parsed_result: The outputs that could be read, by name.

    Attributes:
        adapter_name: The class of the adapter that could not read the reply.
        signature: The signature whose outputs were expected.
        lm_response: The reply, as it came.
        expected: The output fields that were expected.
        parsed_result: The fields that could be read, by name.
    """

    code = "adapter_parse_error"

    def __init__(
        self,
        adapter_name: str,
        signature: Any,
        lm_response: str,
        message: str | None = None,
        parsed_result: dict[str, Any] | None = None,
    ) -> None:
        self.adapter_name = adapter_name
        self.signature = signature
        self.lm_response = lm_response
        self.parsed_result = parsed_result or {}
        self.expected = tuple(getattr(signature, "output_fields", ()))
        super().__init__(
            f"the reply does not fit through {adapter_name}: "
            f"{message or 'an output is missing'}. {_expectation(signature)}; what "
            f"came is {_shortened(lm_response)}. Show the model worked examples "
            "(demos), or raise max_tokens if the reply was cut off."
        )

    def __copy__(self) -> Self:
        again, facts, held = super().__reduce__()
        twin: Self = again(*facts)
        vars(twin).update(held)
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        again, facts, held = super().__reduce__()
        return again, facts, {**held, "signature": _findable(self.signature)}


def _findable(signature: Any) -> Any:
    """Return a signature, or its text where another process would not find it."""
    module = sys.modules.get(getattr(signature, "__module__", ""))
    if getattr(module, getattr(signature, "__qualname__", ""), None) is signature:
        return signature
    return getattr(signature, "signature", None)


def _expectation(signature: Any) -> str:
    fields = getattr(signature, "output_fields", {}).items()
    typed = [f"{name!r} ({type_name(field.annotation)})" for name, field in fields]
    return (
        f"The outputs of {getattr(signature, 'signature', '')!r} are {', '.join(typed)}"
    )


def _shortened(text: str) -> str:
    if len(text) <= SHOWN:
        return repr(text)
    return f"{text[:SHOWN]!r}... ({len(text)} characters)"
