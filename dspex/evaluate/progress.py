"""How far a run is, on standard error: a bar on a terminal, else a line each tenth."""

from __future__ import annotations

import sys
import time
from typing import Self, TextIO

from dspex.evaluate.journal import Tally

WIDTH = 24
"""Characters of the bar."""


class Progress:
    """Shows a run's tally. Use it as a context manager.

    Args:
        label: What is being done.
        total: How many examples there are.
        show: `None` shows a bar on a terminal and nothing elsewhere; `True` also
            writes lines where there is no terminal; `False` is quiet.
        stream: Where to; standard error unless given.
    """

    def __init__(
        self,
        label: str,
        total: int,
        *,
        show: bool | None = None,
        stream: TextIO | None = None,
    ) -> None:
        self._label = label
        self._total = total
        self._stream = stream if stream is not None else sys.stderr
        self._is_terminal = self._stream is not None and self._stream.isatty()
        self._on = self._is_terminal if show is None else show
        self._began = time.monotonic()
        self._shown = -1
        self._tenth = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._on and self._is_terminal and self._shown >= 0:
            self._stream.write("\n")
            self._stream.flush()

    def __call__(self, tally: Tally) -> None:
        """Show a tally, if it tells anything new."""
        if not self._on or tally.accepted == self._shown:
            return
        if self._is_terminal:
            self._stream.write("\r" + self._line(tally) + "\x1b[K")
        else:
            tenth = 10 * tally.accepted // max(self._total, 1)
            if tenth == self._tenth:
                return
            self._tenth = tenth
            self._stream.write(self._line(tally) + "\n")
        self._shown = tally.accepted
        self._stream.flush()

    def _line(self, tally: Tally) -> str:
        done, total = tally.accepted, max(self._total, 1)
        full = WIDTH * done // total
        seconds = time.monotonic() - self._began
        words = [
            f"{self._label} {'█' * full}{'░' * (WIDTH - full)}",
            f"{done}/{self._total}",
            f"{100 * tally.score / done:.1f} %" if done else "",
            f"{tally.failures} failed" if tally.failures else "",
            f"{done / seconds:.1f}/s" if seconds > 1 else "",
        ]
        return "  ".join(word for word in words if word)
