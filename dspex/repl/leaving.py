"""How a session is left when it is told to end from outside."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, Final

SIGNALS: Final = ("SIGTERM", "SIGHUP")
"""Somebody ends the process; the window of its terminal was closed."""


@contextmanager
def left_by_signals() -> Iterator[None]:
    """Leave the session in order when the process is told to end.

    By default it would be over on the spot: its socket and half-written files would
    stay, and the terminal as it is at a prompt. Told more often, as when a terminal's
    window is closed, it does not end twice.

    Raises:
        SystemExit: It was told to; the code is the shell's for that signal.
    """
    told: list[int] = []

    def leave(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        if not _ends_as_ipython():
            raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        # Whoever had it ignored, as `nohup` does, means it.
        if handler is not signal.SIG_IGN:
            signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if told:
            # A console may have taken it for an error of the line that ran.
            raise SystemExit(128 + told[0])


def _ends_as_ipython() -> bool:
    """Have IPython ask for no further line, and say whether that is all it takes.

    It shows a `SystemExit` of a line, and goes on. At its prompt an event loop runs,
    which is not to be broken off: the terminal would stay as it is there.
    """
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    shell: Any = get_ipython()
    if shell is None:
        return False
    shell.ask_exit()
    prompt = getattr(shell, "pt_app", None)
    if prompt is None or not prompt.app.is_running:
        return False
    prompt.app.loop.call_soon_threadsafe(partial(prompt.app.exit, exception=EOFError))
    return True
