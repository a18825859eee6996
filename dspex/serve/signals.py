"""What the signals of the operating system mean to a daemon.

Only the daemon installs handlers, in the main thread of its process; the library never
does. A handler interrupts whatever runs there, so it does nothing but hand the news to
the loop: also when the loop itself is stuck, the second wish to end is heard.
`Starting` is for the time before there is a loop.
"""

from __future__ import annotations

import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn, Self

from supervisors.log import logger

ENDING = (signal.SIGTERM, signal.SIGINT)
"""The wish that the daemon end."""


class _Handlers(ABC):
    """Handlers of a block; what was there before is restored after it."""

    _endings: tuple[signal.Signals, ...] = ENDING

    def __init__(self, *, leave: Callable[[int], NoReturn]) -> None:
        self._leave = leave
        self._before: dict[int, Any] = {}

    def _install(self) -> None:
        """Install what `_end` and `_reload` are for."""
        for number in self._endings:
            self._before[number] = signal.signal(number, self._end)
        if hasattr(signal, "SIGHUP"):
            self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._reload)

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @abstractmethod
    def _end(self, number: int, _frame: FrameType | None) -> None:
        """Carry out the wish to end."""

    @abstractmethod
    def _reload(self, _number: int, _frame: FrameType | None) -> None:
        """Carry out the wish to reload."""


class Signals(_Handlers):
    """Hears signals while its block runs; what was there before is restored after it.

    Args:
        on_end: Called at the first wish to end, with the number, in the main thread
            between any two steps of it: it must not block.
        on_reload: Called likewise at each SIGHUP.
        leave: Ends the process at once, at the second wish to end.
    """

    def __init__(
        self,
        *,
        on_end: Callable[[int], object],
        on_reload: Callable[[], object],
        leave: Callable[[int], NoReturn] = os._exit,
    ) -> None:
        super().__init__(leave=leave)
        self._on_end = on_end
        self._on_reload = on_reload
        self._wished = False

    def __enter__(self) -> Self:
        """Install the handlers.

        Raises:
            ValueError: This is not the main thread.
        """
        self._install()
        return self

    def _end(self, number: int, _frame: FrameType | None) -> None:
        if self._wished:
            self._leave(128 + number)
        self._wished = True
        self._on_end(number)

    def _reload(self, _number: int, _frame: FrameType | None) -> None:
        self._on_reload()


class Starting(_Handlers):
    """Hears signals while what is to be served is read; `Signals` hears them after it.

    Nothing is served yet, so a SIGTERM ends the process at once, in order: the first
    process of a container would not hear it at all. A SIGHUP would end it, and is kept
    for later instead.

    Args:
        leave: Ends the process at once.
    """

    # Ctrl-C ends whatever runs by itself.
    _endings = (signal.SIGTERM,)

    def __init__(self, *, leave: Callable[[int], NoReturn] = os._exit) -> None:
        super().__init__(leave=leave)
        self.wants_reload = False
        """Whether a SIGHUP came."""

    def __enter__(self) -> Self:
        # Elsewhere nobody may; the daemon itself says so.
        if threading.current_thread() is threading.main_thread():
            self._install()
        return self

    def _end(self, number: int, _frame: FrameType | None) -> None:
        logger("dspex").info("asked to end before it served", signal=number)
        self._leave(0)

    def _reload(self, _number: int, _frame: FrameType | None) -> None:
        self.wants_reload = True
