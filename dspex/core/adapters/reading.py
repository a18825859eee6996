"""How a reply becomes the values of all outputs, whatever travelled beside its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from dspex.core.adapters.native import completed
from dspex.core.adapters.special import special_fields
from dspex.core.errors import AdapterParseError
from dspex.core.lm import Message, Reply
from dspex.core.signature import Signature

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call as an adapter has written it, and what it takes to read the answer."""

    signature: type[Signature]
    """The program's signature, all of whose outputs the answer is to give."""
    shown: type[Signature]
    """What the texts are about: without the fields that travel beside them, such as
    tools and tool calls where the provider has them natively."""
    messages: tuple[Message, ...]
    """The chat."""
    settings: Mapping[str, Any]
    """The settings of the call: the adapter's, and the user's, which win. The model's
    own settings are left to the model."""


class Reader(Protocol):
    """What reads the text of one completion: an adapter."""

    def parse(self, signature: type[Signature], completion: str) -> dict[str, Any]:
        """Return the values of all outputs of a signature."""


def read_reply(reader: Reader, asked: Asked, reply: Reply) -> list[dict[str, Any]]:
    """Return the values of all outputs, one mapping per completion.

    Raises:
        AdapterParseError: When a completion does not fit.
    """
    return [
        _completion(reader, asked, reply, number) for number in range(len(reply.texts))
    ]


def _completion(
    reader: Reader, asked: Asked, reply: Reply, number: int
) -> dict[str, Any]:
    text = reply.texts[number]
    calls = _nth(reply.tool_calls, number, ())
    try:
        values = _from_text(reader, asked, text, called=bool(calls))
        if asked.shown is not asked.signature:
            thoughts = _nth(reply.reasoning, number, "")
            values = completed(asked.signature, values, calls, thoughts)
    except ValueError as error:
        raise AdapterParseError(
            type(reader).__name__, asked.signature, text, str(error)
        ) from error
    if reply.logprobs:
        values = {**values, "logprobs": reply.logprobs[number]}
    return values


def _from_text(
    reader: Reader, asked: Asked, text: str, *, called: bool
) -> dict[str, Any]:
    if not (called and _expects_calls(asked)):
        if not text.strip():
            raise ValueError("the reply is empty")
        return reader.parse(asked.shown, text)
    try:
        return reader.parse(asked.shown, text)
    except AdapterParseError:
        # The calls are the answer; what is said besides may have any form.
        return {}


def _expects_calls(asked: Asked) -> bool:
    """Say whether the model was given tools natively."""
    tool_calls = special_fields(asked.signature).tool_calls
    return tool_calls is not None and tool_calls not in asked.shown.output_fields


def _nth(items: Sequence[Item], number: int, default: Item) -> Item:
    return items[number] if number < len(items) else default
