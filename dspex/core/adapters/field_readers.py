"""Which reader reads a field early, for each adapter."""

from __future__ import annotations

from typing import Any

from dspex.core.adapters.base import Adapter
from dspex.core.adapters.chat import ChatAdapter
from dspex.core.adapters.chat_reader import ChatReader
from dspex.core.adapters.field_reader import FieldReader, NothingEarly
from dspex.core.adapters.line import LineAdapter
from dspex.core.adapters.line_reader import LineReader
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
        return ChatReader(name)
    if read is LineAdapter.parse:
        return LineReader(signature, name)
    return NothingEarly()
