"""Standard output with a result on it and nothing else, whatever a user's code prints.

A module may print when it is imported, a metric at each row, a library of C below
Python's own streams. With `--json` all of that goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from contextvars import ContextVar
from typing import Final, TextIO

_OUT: Final = 1
_ERR: Final = 2

_RESULTS: Final[ContextVar[TextIO | None]] = ContextVar("results", default=None)


def results() -> TextIO | None:
    """Return where results are written; `None` where there is no such place."""
    return _RESULTS.get() or sys.stdout


@contextmanager
def nothing_else() -> Iterator[None]:
    """In the block, standard output takes what goes to `results()` and no more."""
    stream = sys.stdout
    with _kept_apart(stream) as kept, redirect_stdout(sys.stderr):
        token = _RESULTS.set(kept)
        try:
            yield
        finally:
            _RESULTS.reset(token)


@contextmanager
def _kept_apart(stream: TextIO | None) -> Iterator[TextIO | None]:
    """Have the descriptor of a stream lead to standard error, and yield another."""
    if stream is None or not _is_real(stream):
        yield stream
        return
    stream.flush()
    kept = os.dup(_OUT)
    os.dup2(_ERR, _OUT)
    out = open(kept, "w", encoding=stream.encoding, errors=stream.errors)  # noqa: PTH123, SIM115 - it is open already, and closed below
    try:
        yield out
    finally:
        with suppress(OSError):
            stream.flush()
        os.dup2(kept, _OUT)
        # Whoever wrote was told already when it could not be written.
        with suppress(OSError):
            out.close()


def _is_real(stream: TextIO) -> bool:
    """Whether a stream is the process's own output, and there is another beside it."""
    try:
        os.fstat(_ERR)
        return stream.fileno() == _OUT
    except (OSError, ValueError, AttributeError):
        return False


def in_letters_of(stream: TextIO | None, text: str) -> str:
    r"""Return JSON with what a stream cannot write escaped in JSON's own way.

    Example:
        >>> import io
        >>> latin = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
        >>> print(in_letters_of(latin, '["Perú 🇵"]'))
        ["Perú \ud83c\uddf5"]
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_letter(letter, encoding) for letter in text)
    return text


def _letter(letter: str, encoding: str) -> str:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(letter)[1:-1]
    return letter
