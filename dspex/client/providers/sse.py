"""Server-sent events: from bytes cut anywhere to whole events.

Pure and incremental; what an event means is its format's business. The rules are those
of the HTML standard, chapter 9.2, with two exceptions: the data stay bytes, so that
the reader of their JSON can refuse what is no UTF-8, and `close` gives the last event
even when no empty line came after it, as some servers leave it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""How large one event may be unless told otherwise: as large as a whole body."""

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SseError(ValueError):
    """A stream holds an event that is too large; the text says so, as a clause."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    data: bytes
    """Its data lines, put together with line feeds."""
    name: str = "message"
    """Its `event` field."""


class SseParser:
    r"""Takes the bytes of one stream and gives its events.

    Example:
        >>> parser = SseParser()
        >>> list(parser.feed(b"data: a\n\ndata: b"))
        [Event(data=b'a', name='message')]
        >>> list(parser.feed(b"c\n: a comment\n\n"))
        [Event(data=b'bc', name='message')]
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._line = bytearray()
        """The bytes of a line whose end has not come."""
        self._after_cr = False
        """Whether a line feed that comes now belongs to a line end already seen."""
        self._at_start = True
        self._name = ""
        self._lines: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take what came; the events it completes, oldest first.

        Go through them to the end: bytes behind an event are read after it.

        Raises:
            SseError: When an event grows larger than it may, after all before it.
        """
        if not data:
            return
        skip = 1 if self._after_cr and data.startswith(b"\n") else 0
        self._after_cr = data.endswith(b"\r")
        *ends, rest = _LINE_END.split(data[skip:])
        for end in ends:
            self._extend(end)
            event = self._end_line()
            if event is not None:
                yield event
        self._extend(rest)

    def close(self) -> list[Event]:
        """Take the end of the stream; the event that was still open, if any."""
        last = [self._end_line(), self._end_event()]
        return [event for event in last if event is not None]

    def _extend(self, data: bytes) -> None:
        self._line += data
        if self._size + len(self._line) > self._max_event_bytes:
            raise SseError(f"an event is larger than {self._max_event_bytes} bytes")

    def _end_line(self) -> Event | None:
        line = bytes(self._line)
        self._line.clear()
        if self._at_start:
            line = line.removeprefix(_BYTE_ORDER_MARK)
            self._at_start = False
        if not line:
            return self._end_event()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._lines.append(value)
            self._size += len(value) + 1
        elif name == b"event":
            self._name = value.decode(errors="replace")
        return None

    def _end_event(self) -> Event | None:
        lines, name = self._lines, self._name
        self._lines, self._name, self._size = [], "", 0
        return Event(b"\n".join(lines), name or "message") if lines else None
