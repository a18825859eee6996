"""The kinds of values that come back from a record as what they were."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import pathlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dspex.core.example import Example
from dspex.core.prediction import Prediction
from dspex.core.types.audio import Audio
from dspex.core.types.code import Code
from dspex.core.types.file import File
from dspex.core.types.history import History
from dspex.core.types.image import Image
from dspex.core.types.reasoning import Reasoning
from dspex.core.types.tool_calls import ToolCallResults, ToolCalls


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How values of one type are written and read."""

    name: str
    """What the file calls the type."""
    write: Callable[[Any], Any]
    """From a value to one that JSON holds."""
    read: Callable[[Any], Any]
    """And back."""


def _bytes_text(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode("ascii")


def _moment_text(value: dt.datetime | dt.time) -> list[Any]:
    # `fold` tells the two hours apart that are one at the end of summer time.
    return [value.isoformat(), value.fold]


def _span(value: dt.timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _kinds() -> dict[type, Kind]:
    kinds: dict[type, Kind] = {
        bytes: Kind(name="bytes", write=_bytes_text, read=base64.b64decode),
        bytearray: Kind(
            name="bytearray",
            write=_bytes_text,
            read=lambda text: bytearray(base64.b64decode(text)),
        ),
        complex: Kind(name="complex", write=repr, read=complex),
        dt.date: Kind(
            name="date",
            write=dt.date.isoformat,
            read=dt.date.fromisoformat,
        ),
        dt.datetime: Kind(
            name="datetime",
            write=_moment_text,
            read=lambda told: dt.datetime.fromisoformat(told[0]).replace(fold=told[1]),
        ),
        dt.time: Kind(
            name="time",
            write=_moment_text,
            read=lambda told: dt.time.fromisoformat(told[0]).replace(fold=told[1]),
        ),
        dt.timedelta: Kind(
            name="timedelta",
            write=_span,
            read=lambda told: dt.timedelta(*told),
        ),
        decimal.Decimal: Kind(name="decimal", write=str, read=decimal.Decimal),
        uuid.UUID: Kind(name="uuid", write=str, read=uuid.UUID),
    }
    path = Kind(name="path", write=str, read=pathlib.Path)
    return {**kinds, type(pathlib.Path()): path}


KINDS: Final[Mapping[type, Kind]] = _kinds()
"""By exact type; a subclass is another type."""


def code_in(language: str) -> type[Code]:
    """The type of code in a language: `Code["sql"]`, for a language that is a value."""
    return Code.__class_getitem__(language)


class _DspexTypes:
    """dspex's own types for fields, which are made again from their fields."""

    def __init__(self, *types: type[Any]) -> None:
        self._by_name = {each.__name__: each for each in types}
        self._names = {each: name for name, each in self._by_name.items()}

    def name_of(self, kind: type) -> str | None:
        """The file's name for a type; `None` for one that is not among them."""
        if (name := self._names.get(kind)) is not None:
            return name
        if issubclass(kind, Code) and kind is code_in(kind.language):
            return f"Code {kind.language}"
        return None

    def made(self, name: str, fields: dict[str, Any]) -> Any:
        """A value of such a type, without running its checks again.

        Raises:
            LookupError: There is no such type.
        """
        first, _, language = name.partition(" ")
        kind = (
            code_in(language) if first == "Code" and language else self._by_name[name]
        )
        return kind.model_construct(**fields)


DSPEX_TYPES: Final = _DspexTypes(
    *(Audio, Code, File, History, Image, Reasoning),
    *(ToolCalls, ToolCalls.ToolCall, ToolCallResults, ToolCallResults.ToolCallResult),
)
"""dspex's own types that hold values only."""


def made_example(kind: type[Example], told: Mapping[str, Any]) -> Example:
    """Return the example or prediction that was written so."""
    fields = told["fields"]
    if kind is Prediction and (columns := told.get("completions")) is not None:
        made: Example = Prediction.from_completions(columns)
        # A field set afterwards is none of the completions'.
        for name, value in fields.items():
            made[name] = value
    else:
        made = kind(fields)
    if isinstance(made, Prediction):
        made.set_lm_usage(told.get("usage"))
    inputs = told.get("inputs")
    return made if inputs is None else made.with_inputs(*inputs)
