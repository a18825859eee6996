"""Fields of a signature that are not simply shown: history, tools, tool calls."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from dspex.core.signature import Signature
from dspex.core.types.history import History
from dspex.core.types.reasoning import Reasoning
from dspex.core.types.tool import Tool
from dspex.core.types.tool_calls import ToolCalls


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialFields:
    """The names of a signature's special fields; `None` where it has none."""

    history: str | None
    """The input with earlier turns."""
    tools: str | None
    """The input with tools."""
    tool_calls: str | None
    """The output with the calls a model wants made."""
    reasoning: tuple[str, ...]
    """The outputs with a model's thoughts."""


@lru_cache(maxsize=512)
def special_fields(signature: type[Signature]) -> SpecialFields:
    """Return the special fields of a signature, the first of each kind."""
    inputs = {
        name: plain_type(field.annotation)
        for name, field in signature.input_fields.items()
    }
    outputs = {
        name: plain_type(field.annotation)
        for name, field in signature.output_fields.items()
    }
    return SpecialFields(
        history=_first(inputs, History),
        tools=_first(inputs, list[Tool], Tool),
        tool_calls=_first(outputs, ToolCalls),
        reasoning=tuple(name for name, kind in outputs.items() if kind is Reasoning),
    )


def plain_type(annotation: Any) -> Any:
    """Return a type without `Annotated` and `| None`."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return plain_type(arguments[0])
    if origin in (typing.Union, types.UnionType):
        members = [one for one in arguments if one is not type(None)]
        return plain_type(members[0]) if len(members) == 1 else annotation
    return annotation


def without_fields(signature: type[Signature], *names: str | None) -> type[Signature]:
    """Return a signature without some fields; the same class for the same ones.

    Args:
        signature: Any signature.
        names: Fields; `None` stands for no field.
    """
    dropped = tuple(name for name in names if name is not None)
    if not dropped:
        return signature
    return _without(signature, dropped, signature.instructions)


# The instructions are part of the key, because a signature's can be set.
@lru_cache(maxsize=512)
def _without(
    signature: type[Signature], names: tuple[str, ...], instructions: str
) -> type[Signature]:
    for name in names:
        signature = signature.delete(name)
    return signature.with_instructions(instructions)


def _first(fields: dict[str, Any], *kinds: Any) -> str | None:
    return next((name for name, kind in fields.items() if kind in kinds), None)
