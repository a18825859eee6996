"""Waiting for a lock such that a signal gets in.

The interpreter looks for signals, lets other threads run, and only then waits in the
system. A signal that comes between is noted and wakes nobody, so Ctrl-C in a call would
wait as long as the call; likewise one that another thread takes. Signals are the main
thread's, so that one never sleeps longer than `LOOK_EVERY` at a time.
"""

from __future__ import annotations

import threading
import time
from typing import Final

LOOK_EVERY: Final = 0.2
"""Seconds after which the main thread looks for signals again."""


def acquire(latch: threading.Lock, timeout: float | None) -> bool:
    """Lock `latch` within `timeout` seconds (`None`: however long); whether it is."""
    if threading.current_thread() is not threading.main_thread():
        return latch.acquire(timeout=-1 if timeout is None else max(timeout, 0.0))
    if timeout is None:
        while not latch.acquire(timeout=LOOK_EVERY):
            pass
        return True
    deadline = time.monotonic() + timeout
    while not latch.acquire(timeout=max(0.0, min(LOOK_EVERY, timeout))):
        timeout = deadline - time.monotonic()
        if timeout <= 0:
            return False
    return True
