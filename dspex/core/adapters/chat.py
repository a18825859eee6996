"""The default adapter, for instruction-tuned chat models: fields under headers.

Structure and markers are DSPy's, so prompts optimised there mean the same here; the
wording is our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pydantic.fields import FieldInfo

from dspex.core.adapters.annotations import (
    short_note,
    type_descriptions,
    type_note,
)
from dspex.core.adapters.base import ABSENT, Adapter
from dspex.core.adapters.demos import Row, is_given
from dspex.core.adapters.outputs import read_outputs
from dspex.core.adapters.render import render_value, well_formed
from dspex.core.fields import description_of, extra_of
from dspex.core.signature import Signature
from dspex.core.type_names import type_name

HEADER: Final = re.compile(r"\[\[ ## (\w+) ## \]\]")
BRACKETS: Final = re.compile(r"\[\[(?=\s*##)")
ESCAPED_BRACKETS: Final = re.compile(r"\\\[\[(?=\s*##)")
COMPLETED: Final = "[[ ## completed ## ]]"


class FieldInfoWithName(NamedTuple):
    """A field and its name, as `format_field_with_value()` takes them."""

    name: str
    """The field's name."""
    info: FieldInfo
    """The field."""


class ChatAdapter(Adapter):
    r"""Writes each field under a header `[[ ## name ## ]]` and reads replies so.

    When to use it: chat models that follow instructions. When not: base models, which
    only continue text; they want `LineAdapter`.

    Args:
        callbacks: Objects that want to hear of this adapter's work.
        use_native_function_calling: As for every `Adapter`.
        native_response_types: As for every `Adapter`.
        use_json_adapter_fallback: Whether a reply that cannot be read makes a second
            call, through the JSON adapter. Not unless asked for.
        parallel_tool_calls: As for every `Adapter`.

    Example:
        >>> from dspex.core.signature import Signature
        >>> reply = "[[ ## capital ## ]]\nLima\n\n[[ ## completed ## ]]"
        >>> ChatAdapter().parse(Signature("country -> capital"), reply)
        {'capital': 'Lima'}
    """

    name = "chat"

    def __init__(
        self,
        callbacks: Sequence[Any] | None = None,
        use_native_function_calling: bool = False,  # noqa: FBT001, FBT002 - DSPy's order
        native_response_types: Sequence[type[Any]] | None = None,
        use_json_adapter_fallback: bool = False,  # noqa: FBT001, FBT002 - DSPy's order
        parallel_tool_calls: bool | None = None,  # noqa: FBT001 - DSPy's order
    ) -> None:
        super().__init__(
            callbacks,
            use_native_function_calling,
            native_response_types,
            parallel_tool_calls,
        )
        self.use_json_adapter_fallback = use_json_adapter_fallback

    @property
    def fallback(self) -> Adapter | None:
        """The JSON adapter, where it was asked for."""
        if not self.use_json_adapter_fallback:
            return None
        from dspex.core.adapters.json import JSONAdapter  # which needs this module

        return JSONAdapter(
            self.callbacks,
            self.use_native_function_calling,
            parallel_tool_calls=self.parallel_tool_calls,
        )

    def format_field_description(self, signature: type[Signature]) -> str:
        """Return name, type and meaning of each field."""
        return _descriptions(signature)

    def format_field_structure(self, signature: type[Signature]) -> str:
        """Return the skeleton of an exchange, with a note on each output's type."""
        return _structure(signature)

    def format_task_description(self, signature: type[Signature]) -> str:
        """Return the signature's instructions."""
        return f"Task: {signature.instructions}"

    def format_user_message_content(
        self,
        signature: type[Signature],
        inputs: Row,
        prefix: str = "",
        suffix: str = "",
        main_request: bool = False,  # noqa: FBT001, FBT002 - DSPy's order
    ) -> str:
        """Return the inputs, each under its header."""
        given = {
            name: f for name, f in signature.input_fields.items() if name in inputs
        }
        parts = [prefix, *_sections(given, inputs)]
        if main_request:
            parts.append(self.user_message_output_requirements(signature))
        parts.append(suffix)
        return "\n\n".join(filter(None, parts)).rstrip()

    def user_message_output_requirements(self, signature: type[Signature]) -> str:
        """Return the reminder that the last turn ends with."""
        return _reminder(signature)

    def format_assistant_message_content(
        self,
        signature: type[Signature],
        outputs: Row,
        missing_field_message: str | None = None,
    ) -> str:
        """Return the outputs, each under its header, and the closing marker."""
        absent = ABSENT if missing_field_message is None else missing_field_message
        sections = _sections(signature.output_fields, outputs, absent)
        return "\n\n".join([*sections, f"{COMPLETED}\n"])

    def format_field_with_value(
        self, fields_with_values: Mapping[FieldInfoWithName, Any]
    ) -> str:
        """Return some values, each under the header of its field."""
        fields = {field.name: field.info for field in fields_with_values}
        row = {field.name: value for field, value in fields_with_values.items()}
        return "\n\n".join(_sections(fields, row))

    def parse(self, signature: type[Signature], completion: str) -> dict[str, Any]:
        """Return the values under the headers; the first of a name counts."""
        found = _read_sections(completion)
        outputs = signature.output_fields
        texts = {name: _unescaped(found[name]) for name in outputs if name in found}
        return read_outputs(type(self).__name__, signature, texts, completion)


def _read_sections(completion: str) -> dict[str, str]:
    """Return the text under each header; text before the first is left out."""
    text = well_formed(completion)
    headers = list(_headers(text))
    ends = [*(header.start() for header in headers[1:]), len(text)]
    sections: dict[str, str] = {}
    for header, end in zip(headers, ends, strict=False):
        if header[1] not in sections:
            sections[header[1]] = text[header.end() : end].strip()
    return sections


def _headers(text: str) -> Iterator[re.Match[str]]:
    """Yield the headers that begin a line.

    Only a line feed ends a line here, so that values keep every other character.
    """
    before = 0
    for header in HEADER.finditer(text):
        newline = text.rfind("\n", before, header.start())
        # A second header on one line is text of the first one's field.
        if newline >= 0 or before == 0:
            space = text[newline + 1 : header.start()]
            if not space or space.isspace():
                yield header
        before = header.end()


def _sections(
    fields: Mapping[str, FieldInfo], row: Row, absent: str = ABSENT
) -> Iterable[str]:
    for name, field in fields.items():
        shown = is_given(row, name, field)
        text = render_value(row[name], field.annotation) if shown else absent
        yield f"{_header(name)}\n{_escaped(text)}"


def _header(name: str) -> str:
    return f"[[ ## {name} ## ]]"


def _escaped(text: str) -> str:
    """Keep a value from looking like a header, in a way that can be undone."""
    # Looking for one character is many times quicker than the pattern.
    return BRACKETS.sub(r"\\[[", text) if "[" in text else text


def _unescaped(text: str) -> str:
    return ESCAPED_BRACKETS.sub("[[", text) if "\\" in text else text


# A program asks the same signature again and again; its description never changes.
@lru_cache(maxsize=256)
def _descriptions(signature: type[Signature]) -> str:
    parts = (
        _described("Inputs", signature.input_fields),
        _described("Outputs", signature.output_fields),
    )
    return "\n\n".join(part for part in parts if part)


@lru_cache(maxsize=256)
def _structure(signature: type[Signature]) -> str:
    inputs = [f"{_header(name)}\n{{{name}}}" for name in signature.input_fields]
    outputs = [
        f"{_header(name)}\n{{{name}}}{_commented(field)}"
        for name, field in signature.output_fields.items()
    ]
    lead = "Each field is written under its header, in this order and shape:"
    return "\n\n".join([lead, *inputs, *outputs, COMPLETED])


def _described(title: str, fields: dict[str, FieldInfo]) -> str:
    lines = [
        f"{number}. `{name}` ({type_name(field.annotation)}){_explained(name, field)}"
        for number, (name, field) in enumerate(fields.items(), 1)
    ]
    return "\n".join([f"{title}:", *lines]) if lines else ""


def _explained(name: str, field: FieldInfo) -> str:
    constraints = extra_of(field).get("constraints")
    parts = [description_of(name, field), f"[{constraints}]" if constraints else ""]
    said = " ".join(part for part in parts if part)
    told = [f"\n    {text}" for text in type_descriptions(field.annotation)]
    return "".join([f": {said}" if said else "", *told])


def _commented(field: FieldInfo) -> str:
    note = type_note(field.annotation)
    return f"        # {note}" if note else ""


@lru_cache(maxsize=256)
def _reminder(signature: type[Signature]) -> str:
    if not signature.output_fields:
        return ""
    headers = ", then ".join(
        f"`{_header(name)}`{f' ({note})' if (note := short_note(f.annotation)) else ''}"
        for name, f in signature.output_fields.items()
    )
    return f"Answer with {headers}, and end with `{COMPLETED}`."
