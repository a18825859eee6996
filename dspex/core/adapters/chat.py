"""The default adapter, for instruction-tuned chat models: fields under headers.

Structure and markers are DSPy's, so prompts optimised there mean the same here; the
wording is our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from pydantic.fields import FieldInfo

from dspex.core.adapters.annotations import type_name, type_note
from dspex.core.adapters.base import (
    Adapter,
    Row,
    is_complete,
    is_given,
    read_outputs,
    usable_demos,
)
from dspex.core.adapters.render import render_value, well_formed
from dspex.core.fields import description_of, extra_of
from dspex.core.lm import Message
from dspex.core.signature import Signature

HEADER: Final = re.compile(r"\s*\[\[ ## (\w+) ## \]\]")
COMPLETED: Final = "[[ ## completed ## ]]"
ABSENT: Final = "(not given in this example)"


class ChatAdapter(Adapter):
    r"""Writes each field under a header `[[ ## name ## ]]` and reads replies so.

    When to use it: chat models that follow instructions. When not: base models, which
    only continue text; they want `LineAdapter`.

    Example:
        >>> from dspex.core.signature import Signature
        >>> reply = "[[ ## capital ## ]]\nLima\n\n[[ ## completed ## ]]"
        >>> ChatAdapter().parse(Signature("country -> capital"), reply)
        {'capital': 'Lima'}
    """

    name = "chat"

    def format(
        self, signature: type[Signature], demos: Sequence[Row], inputs: Row
    ) -> tuple[Message, ...]:
        """Return a system turn, two turns per demo, and the inputs as a user turn."""
        turns = [Message("system", self.format_system_message(signature))]
        for demo in usable_demos(signature, demos):
            turns += self.format_demo(signature, demo)
        content = self.format_user_message_content(signature, inputs)
        turns.append(Message("user", f"{content}\n\n{_reminder(signature)}".lstrip()))
        return tuple(turns)

    def format_system_message(self, signature: type[Signature]) -> str:
        """Return what the model needs to know before the first example."""
        return f"{_shape(signature)}\n\nTask: {signature.instructions}"

    def format_demo(self, signature: type[Signature], demo: Row) -> list[Message]:
        """Return a demo as a user turn and an assistant turn."""
        content = self.format_user_message_content(signature, demo)
        if not is_complete(signature, demo):
            content = f"This example lacks some fields.\n\n{content}"
        answer = self.format_assistant_message_content(signature, demo)
        return [Message("user", content.rstrip()), Message("assistant", answer)]

    def format_user_message_content(
        self, signature: type[Signature], inputs: Row
    ) -> str:
        """Return the inputs, each under its header."""
        given = {
            name: f for name, f in signature.input_fields.items() if name in inputs
        }
        return "\n\n".join(_sections(given, inputs))

    def format_assistant_message_content(
        self, signature: type[Signature], outputs: Row
    ) -> str:
        """Return the outputs as the model is to write them."""
        sections = _sections(signature.output_fields, outputs)
        return "\n\n".join([*sections, COMPLETED])

    def parse(self, signature: type[Signature], completion: str) -> dict[str, Any]:
        """Return the values under the headers; the first of a name counts."""
        texts = {
            name: _unescaped(text)
            for name, text in _read_sections(completion).items()
            if name in signature.output_fields
        }
        return read_outputs(self.name, signature, texts, completion)


def _read_sections(completion: str) -> dict[str, str]:
    """Return the text under each header; text before the first is left out."""
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    # Only "\n" ends a line here, so that values keep every other character.
    for line in well_formed(completion).split("\n"):
        if header := HEADER.match(line):
            current = [line[header.end() :]]
            sections.setdefault(header[1], current)
        else:
            current.append(line)
    return {name: "\n".join(lines).strip() for name, lines in sections.items()}


def _sections(fields: dict[str, FieldInfo], row: Row) -> Iterable[str]:
    for name, field in fields.items():
        shown = is_given(row, name, field)
        text = render_value(row[name], field.annotation) if shown else ABSENT
        yield f"{_header(name)}\n{_escaped(text)}"


def _header(name: str) -> str:
    return f"[[ ## {name} ## ]]"


def _escaped(text: str) -> str:
    """Keep a value from looking like a header, in a way that can be undone."""
    return re.sub(r"\[\[(?=\s*##)", r"\\[[", text)


def _unescaped(text: str) -> str:
    return re.sub(r"\\\[\[(?=\s*##)", "[[", text)


# A program asks the same signature again and again; the description never changes.
@lru_cache(maxsize=256)
def _shape(signature: type[Signature]) -> str:
    inputs = [f"{_header(name)}\n{{{name}}}" for name in signature.input_fields]
    outputs = [
        f"{_header(name)}\n{{{name}}}{_note(field, before='        # ')}"
        for name, field in signature.output_fields.items()
    ]
    parts = [
        _described("Inputs", signature.input_fields),
        _described("Outputs", signature.output_fields),
        "Each field is written under its header, in this order and shape:",
        *inputs,
        *outputs,
        COMPLETED,
    ]
    return "\n\n".join(part for part in parts if part)


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
    return f": {said}" if said else ""


def _note(field: FieldInfo, *, before: str, after: str = "") -> str:
    note = type_note(field.annotation)
    return f"{before}{note}{after}" if note else ""


@lru_cache(maxsize=256)
def _reminder(signature: type[Signature]) -> str:
    headers = ", then ".join(
        f"`{_header(name)}`{_note(field, before=' (', after=')')}"
        for name, field in signature.output_fields.items()
    )
    return f"Answer with {headers}, and end with `{COMPLETED}`."
