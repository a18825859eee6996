"""A promise of one reply that is kept exactly once.

Lighter than Pykka's own (a lock as a latch, made only for who waits), with callbacks,
and safe to settle from several threads: the first wins and the others are told so.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import pykka

from supervisors._latches import acquire
from supervisors.log import logger

T = TypeVar("T")


class ReplyFuture(pykka.Future[T]):
    """One reply, sooner or later: a value or an error.

    Any thread may settle it, read it, or add a callback. Callbacks run in the thread
    that settles it (or at once, in the thread that adds them, when it is settled
    already), so they must be short. What one raises is logged and stops no other.
    """

    # Pykka's own field; on the class it costs nothing per future. `set_get_hook` makes
    # the fields of an instance when somebody wants them.
    _get_hook: Any = None

    def __init__(self) -> None:
        # Whoever pops the token may settle: list.pop is atomic, so nobody else can.
        self._token = [True]
        self._callbacks: list[Callable[[ReplyFuture[T]], object]] = []
        # Locked by who waits, one for each, and opened by who settles.
        self._latches: list[threading.Lock] = []
        self._value: Any = None
        self._error: BaseException | None = None
        self._done = False

    def done(self) -> bool:
        """Whether the reply is there."""
        return self._done

    def failed(self) -> bool:
        """Whether the reply is there and is an error."""
        return self._error is not None

    def resolve(self, value: Any) -> bool:
        """Settle with a value; `False` when somebody settled it before."""
        return self._settle(value, None)

    def reject(self, error: BaseException) -> bool:
        """Settle with an error; `False` when somebody settled it before."""
        return self._settle(None, error)

    def on_done(self, callback: Callable[[ReplyFuture[T]], object]) -> None:
        """Call `callback` with this future once, when it is settled."""
        self._callbacks.append(callback)
        if self._done:
            self._run_callbacks()

    def forget(self, callback: Callable[[ReplyFuture[T]], object]) -> None:
        """Do not call `callback` any more, if it has not been called yet."""
        try:
            self._callbacks.remove(callback)
        except ValueError:
            return

    def get(self, *, timeout: float | None = None) -> Any:
        """Wait for the reply and return it, or raise the error it was settled with.

        Raises:
            pykka.Timeout: When `timeout` seconds pass first.
        """
        if self._get_hook is not None:
            return super().get(timeout=timeout)
        if not self._done and not self.wait(timeout):
            msg = f"no reply within {timeout} s"
            raise pykka.Timeout(msg)
        if self._error is not None:
            raise self._error
        return self._value

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until settled, at most `timeout` seconds; say whether it is."""
        if self._done:
            return True
        latch = self.latch()
        if self.done():
            # Settled meanwhile, by somebody who may have seen no latch.
            return True
        try:
            acquire(latch, timeout)
        finally:
            # Nobody waits here any more, be it for a Ctrl-C.
            self._drop(latch)
        return self._done

    def latch(self) -> threading.Lock:
        """A lock that opens when this is settled."""
        latch = threading.Lock()
        latch.acquire()
        self._latches.append(latch)
        return latch

    def _drop(self, latch: threading.Lock) -> None:
        try:
            self._latches.remove(latch)
        except ValueError:
            # Whoever settled it has taken the latch to open it.
            return

    def __await__(self) -> Generator[None, None, Any]:
        """Await the reply on any event loop, without blocking it.

        Any number may await it. Cancelling one of them leaves the others, and the
        reply, alone.
        """
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        if self._get_hook is not None:
            # Pykka's `map` and its like compute the value when somebody waits for it.
            return await asyncio.to_thread(self.get)
        # The bridge knows calls and scopes, which are made of futures.
        from supervisors._acall import settled

        await settled(self)
        return self.get()

    def set_get_hook(self, func: Any) -> None:
        """Compute the value when it is asked for, as Pykka does."""
        super().__init__()
        super().set_get_hook(func)

    def set(self, value: Any = None) -> None:
        """Settle with a value, as Pykka does.

        Raises:
            queue.Full: When it is settled already.
        """
        if not self.resolve(value):
            raise queue.Full

    def set_exception(self, exc_info: Any = None) -> None:
        """Settle with an error (or the one being handled), as Pykka does.

        Raises:
            queue.Full: When it is settled already.
        """
        kind, value, traceback = exc_info or sys.exc_info()
        error: BaseException = kind() if value is None else value  # type: ignore[misc] # not None outside `except`
        if traceback is not None:
            error = error.with_traceback(traceback)
        if not self.reject(error):
            raise queue.Full

    def settle_without_callbacks(self, value: Any) -> None:
        """Settle in a forked child, where the callbacks' owners never were."""
        self._token = []
        self._callbacks = []
        self._value = value
        self._done = True

    def _settle(self, value: Any, error: BaseException | None) -> bool:
        try:
            self._token.pop()
        except IndexError:
            return False
        self._value, self._error = value, error
        self._done = True
        if self._latches:
            self._open_latches()
        if self._callbacks:
            self._run_callbacks()
        return True

    def _open_latches(self) -> None:
        while self._latches:
            try:
                self._latches.pop().release()
            except IndexError:
                return

    def _run_callbacks(self) -> None:
        # Both the settler and a late adder may be here; each callback is popped once.
        callbacks = self._callbacks
        while callbacks:
            try:
                callback = callbacks.pop(0)
            except IndexError:
                return
            try:
                callback(self)
            except Exception:  # noqa: BLE001 - the others wait for their news, too
                logger().exception("a callback of a reply raised")
