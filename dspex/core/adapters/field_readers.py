"""Which reader reads a field early, for each adapter."""

from __future__ import annotations

from typing import Any

from dspex.core.adapters.annotations import is_text_type, members_of
from dspex.core.adapters.base import Adapter
from dspex.core.adapters.chat import ChatAdapter
from dspex.core.adapters.chat_reader import ChatReader
from dspex.core.adapters.field_reader import (
    FieldReader,
    NothingEarly,
    Unhurried,
)
from dspex.core.adapters.json import JSONAdapter
from dspex.core.adapters.json_reader import JsonReader
from dspex.core.adapters.line import LineAdapter
from dspex.core.adapters.line_reader import LineReader
from dspex.core.adapters.xml import XMLAdapter, is_nested
from dspex.core.adapters.xml_reader import XmlReader
from dspex.core.signature import Signature


def field_reader(
    adapter: Adapter, signature: type[Signature], name: str
) -> FieldReader:
    """Return what reads an output of this adapter's answers while they are written.

    Args:
        adapter: Who reads the whole answer.
        signature: What the answer is about.
        name: The output.

    Returns:
        A fresh reader. For an adapter with its own way to read (`parse`), one that
        gives nothing before the end.
    """
    read: Any = type(adapter).parse
    if read is ChatAdapter.parse:
        return Unhurried(ChatReader(name))
    if read is LineAdapter.parse:
        return Unhurried(LineReader(signature, name))
    if read is JSONAdapter.parse:
        fields = signature.output_fields
        takes_text = _takes_text(fields[name].annotation)
        return Unhurried(JsonReader(name, fields, takes_text=takes_text))
    if read is XMLAdapter.parse:
        nested = {
            each: is_nested(field.annotation)
            for each, field in signature.output_fields.items()
        }
        # The items of a list are elements, of which all count.
        if nested[name]:
            return NothingEarly()
        return Unhurried(XmlReader(name, nested))
    return NothingEarly()


def _takes_text(annotation: Any) -> bool:
    return str in members_of(annotation) or is_text_type(annotation)
