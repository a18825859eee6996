"""A signal that finds the main thread as the unlucky moment finds it: not woken.

The moment lies between the interpreter's last look for signals and its sleep, and
nobody can hit it on purpose. A signal that another thread takes has the same effect:
it is noted, and the main thread sleeps on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator


class Arrived(Exception):  # noqa: N818 - it stands for Ctrl-C, which is no error either
    """The signal has reached the main thread."""


@contextlib.contextmanager
def a_signal_that_wakes_nobody() -> Iterator[Callable[[], None]]:
    """Give a function that sends one from another thread; it raises `Arrived` here."""
    wished = threading.Event()

    def send() -> None:
        wished.wait()
        os.kill(os.getpid(), signal.SIGUSR1)

    def arrive(*_: object) -> None:
        raise Arrived

    # Started before the main thread blocks the signal, so that it takes it.
    sender = threading.Thread(target=send)
    sender.start()
    handler = signal.signal(signal.SIGUSR1, arrive)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        yield wished.set
    finally:
        wished.set()
        sender.join()
        # Blocked again or not, what is still on its way is taken here.
        with contextlib.suppress(Arrived):
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGUSR1, handler)
