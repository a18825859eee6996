"""The last output of a process, bounded by lines and by bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

LONGEST_LINE = 64 * 1024
"""Bytes of one line of output; a longer one counts as several."""


class OutputTail:
    """The last lines of output. Any thread may add and read."""

    def __init__(self, kept_lines: int, kept_bytes: int) -> None:
        self._kept_lines = kept_lines
        self._kept_bytes = kept_bytes
        # Protects the two fields below: a line and its size go in and out together.
        self._lock = threading.Lock()
        self._lines: deque[tuple[str, int]] = deque()
        self._bytes = 0

    def add(self, line: bytes) -> str:
        """Keep a line, forget the oldest beyond the bounds, and return its text."""
        text = line.decode("utf-8", "replace")
        size = min(len(line), self._kept_bytes)
        kept = text if size == len(line) else line[-size:].decode("utf-8", "replace")
        with self._lock:
            self._lines.append((kept, size))
            self._bytes += size
            while len(self._lines) > self._kept_lines or self._bytes > self._kept_bytes:
                self._bytes -= self._lines.popleft()[1]
        return text

    def lines(self) -> tuple[str, ...]:
        """What is kept, oldest first."""
        with self._lock:
            return tuple(text for text, _ in self._lines)


class LineCutter:
    r"""Cuts the bytes of one stream into lines, and lines that are too long.

    Example:
        >>> cutter = LineCutter(longest=4)
        >>> list(cutter.feed(b"one\r\ntwo and ")), list(cutter.finish())
        ([b'one', b'two '], [b'and '])
    """

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take what was read; yield the lines that are complete, without their ends."""
        *complete, rest = chunk.split(b"\n")
        for part in complete:
            self._rest += part
            yield from self._cut()
            yield bytes(self._rest).removesuffix(b"\r")
            self._rest.clear()
        self._rest += rest
        yield from self._cut()

    def finish(self) -> Iterator[bytes]:
        """The stream has ended; yield the line that has no end, if there is one."""
        if self._rest:
            yield bytes(self._rest)
            self._rest.clear()

    def _cut(self) -> Iterator[bytes]:
        while len(self._rest) > self._longest:
            yield bytes(self._rest[: self._longest])
            del self._rest[: self._longest]
