"""Values that are no text, such as pictures, in the middle of a turn's text.

While a call is written, a sink keeps the content parts of such values, and the text
has placeholders nobody can guess; in the end each turn is cut at them. A call without
such a value costs nothing more than a look.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from dspex.core.blocks import put_back
from dspex.core.chat import messages_of
from dspex.core.lm import Message
from dspex.core.types.base import PartSink

_open: ContextVar[PartSink | None] = ContextVar("dspex_part_sink", default=None)


@contextmanager
def parts_kept() -> Iterator[PartSink]:
    """Keep the parts of all values that are written inside of the block.

    Inside of another such block the outer sink goes on.
    """
    if (sink := _open.get()) is not None:
        yield sink
        return
    token = _open.set(sink := PartSink())
    try:
        yield sink
    finally:
        put_back(_open, token)


def current_sink() -> PartSink | None:
    """Return where parts are kept at the moment, or `None` outside of a call."""
    return _open.get()


def with_parts(turns: Sequence[Message], sink: PartSink) -> list[Message]:
    """Return the turns, cut where the sink's placeholders stand."""
    if not sink:
        return list(turns)
    return [_cut(turn, sink) for turn in turns]


def _cut(turn: Message, sink: PartSink) -> Message:
    if not isinstance(turn.content, str):
        return turn
    pieces = sink.split(turn.content)
    if all(isinstance(piece, str) for piece in pieces):
        return turn
    if turn.role != "user":
        # Providers take parts from the user alone; elsewhere their JSON is written.
        return replace(turn, content="".join(map(_as_text, pieces)))
    parts = [
        {"type": "text", "text": piece} if isinstance(piece, str) else piece
        for piece in pieces
    ]
    (read,) = messages_of([{"role": "user", "content": parts}])
    return replace(turn, content=read.content)


def _as_text(piece: Any) -> str:
    return piece if isinstance(piece, str) else json.dumps(piece, ensure_ascii=False)
