"""Waiting for a thread such that a Ctrl-C gets in.

A signal that comes just before the main thread begins to wait wakes nobody, so it waits
in turns and looks for signals between them.
"""

from __future__ import annotations

import queue
import threading
from typing import Any, Final

LOOK_EVERY: Final = 0.2
"""Seconds after which the main thread looks for signals again."""


def join(thread: threading.Thread) -> None:
    """Wait until `thread` has ended."""
    while thread.is_alive():
        thread.join(LOOK_EVERY)


def take(waiting: queue.SimpleQueue[Any]) -> Any:
    """Wait for the next of a queue."""
    while True:
        try:
            return waiting.get(timeout=LOOK_EVERY)
        except queue.Empty:
            continue
