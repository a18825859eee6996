"""Spans of time, for people."""

from __future__ import annotations

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


def in_words(seconds: float) -> str:
    """A span as a person would say it, in at most two units.

    Example:
        >>> [in_words(span) for span in (0.0004, 0.25, 7.04, 61, 7_260, 180_000)]
        ['0.4 ms', '0.2 s', '7.0 s', '1 m 1 s', '2 h 1 m', '2 d 2 h']
    """
    if seconds < 0.1:
        return f"{seconds * 1000:.1f} ms"
    if seconds < _UNITS[-1][0]:
        return f"{seconds:.1f} s"
    small, small_unit = 1, "s"
    words = ""
    for size, unit in reversed(_UNITS):
        if seconds < size:
            break
        rest = int(seconds % size) // small
        words = f"{int(seconds // size)} {unit} {rest} {small_unit}"
        small, small_unit = size, unit
    return words
