"""What actors on an asyncio loop have in common, whoever owns the loop.

The life of such an actor is a coroutine. Its callbacks may be plain methods or
coroutine functions; while one of them awaits, others on the loop go on, and this
actor's next message waits.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from pykka._envelope import Envelope

from supervisors import _census
from supervisors._acall import settled
from supervisors._callbacks import NO_REPLY, reason_of
from supervisors._current import enter_task
from supervisors._life import STOPS
from supervisors._mailbox import BoundedMailbox, Mailbox
from supervisors.actor import Actor, Own, answer
from supervisors.exits import KILLED, NORMAL, ExitReason
from supervisors.scope import work_only_in


class Waker:
    """Wakes a coroutine on a loop from any thread, once per burst."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._awake = asyncio.Event()
        self._woken = False

    def wake(self) -> None:
        """Let `sleep` return, now or when it begins."""
        loop = self.loop
        if loop is None or self._woken:
            return
        self._woken = True
        # Should the loop have closed meanwhile, the mailbox answers by itself.
        call_soon(loop, self._awake.set)

    async def sleep(self, seconds: float | None) -> None:
        """Wait for `wake`, at most `seconds`."""
        loop = asyncio.get_running_loop()
        timer = None if seconds is None else loop.call_later(seconds, self._awake.set)
        try:
            await self._awake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def rearm(self) -> None:
        """Before looking for work: what comes from now on wakes again."""
        self._awake.clear()
        self._woken = False


class LoopMailbox(Mailbox):
    """A mailbox that wakes a loop instead of a thread."""

    def __init__(self) -> None:
        super().__init__()
        self.waker = Waker()

    def put(self, envelope: Envelope[Any], /) -> None:
        """Add a message, or answer it when the mailbox is closed."""
        super().put(envelope)
        self.waker.wake()

    def put_system(self, envelope: Envelope[Any], /) -> None:
        """Add a message that no bound refuses."""
        super().put_system(envelope)
        self.waker.wake()

    def poke(self) -> None:
        """Wake the reader without a message."""
        self.waker.wake()

    def close(self, answer: Any) -> None:
        """Let no message in any more, answer those that wait, and wake the reader."""
        super().close(answer)
        self.waker.wake()


class BoundedLoopMailbox(LoopMailbox, BoundedMailbox):
    """A mailbox that wakes a loop and refuses what exceeds its bound."""


class OnLoop(Actor):
    """An actor whose life is a coroutine; see the module's docstring."""

    actor_inbox: LoopMailbox

    @classmethod
    def _create_actor_inbox(cls) -> Any:
        limit = cls.mailbox_limit
        return LoopMailbox() if limit is None else BoundedLoopMailbox().bound(limit)

    def _begin_life(self) -> None:
        super()._begin_life()
        self._spawned: set[asyncio.Task[None]] = set()
        self.life.ping = self._ping

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine on this actor's loop; it is cancelled when the actor ends.

        What it raises ends the actor. For callbacks and what they spawned.
        """
        task = asyncio.get_running_loop().create_task(self._guard(work))
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)
        # Cancelled before its first step, it would complain of not being awaited.
        task.add_done_callback(lambda _task: work.close())
        return task

    async def on_close(self) -> None:
        """Close what needs `await`; all spawned work has ended. Runs at every end."""

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - it ends this actor, and not the loop
            if self._exit_reason is None:
                self._exit_reason = reason_of(error)
                self.actor_inbox.poke()

    def _ping(self, pong: Callable[[], object]) -> None:
        """Have the loop call `pong`, or call it here when there is no loop."""
        if not call_soon(self.actor_inbox.waker.loop, pong):
            pong()

    # The life, as coroutines.

    async def _live_on_loop(self) -> None:
        """Be born, live, and end with a reason, whatever happens."""
        life = self.life
        life.entered = True
        enter_task(life)
        work_only_in(life.scope)
        life.loop = self.actor_inbox.waker.loop = asyncio.get_running_loop()
        unsubscribe = self._clock.subscribe(self.actor_inbox.poke)
        try:
            reason = await self._whole_life()
            if not life.over():
                await self._clean_up_on_loop(reason)
                life.end(self._exit_reason or reason)
            else:
                await self._close_on_loop()
        finally:
            life.loop = self.actor_inbox.waker.loop = None
            unsubscribe()
            life.thread_left.resolve(None)
            _census.ended(life)

    async def _whole_life(self) -> ExitReason:
        life = self.life
        if life.over():
            return NORMAL
        try:
            await _done(_call(self.on_start))
        except BaseException as error:  # noqa: BLE001 - the starter gets it, whatever it is
            self._exit_reason = _reason_on_loop(error)
            life.started.reject(error)
            return self._exit_reason
        life.started_at = self._clock.monotonic()
        if not life.started.resolve(None):
            return NORMAL
        try:
            return await self._receive_on_loop()
        except BaseException as error:  # noqa: BLE001 - no end without a reason
            return _reason_on_loop(error)

    async def _receive_on_loop(self) -> ExitReason:
        life, inbox = self.life, self.actor_inbox
        while True:
            # Before the looks: what comes after them wakes the next sleep.
            inbox.waker.rearm()
            if self._exit_reason is not None:
                return self._exit_reason
            if life.attention:
                told = await self._attend_on_loop()
                if told is not None:
                    return told
            if self._continuations:
                await self._continue_on_loop()
                continue
            envelope = self._due_own() or inbox.get_nowait()
            if envelope is not None:
                await self._handle_on_loop(envelope)
            elif inbox.empty():
                await self._rest_on_loop()

    async def _attend_on_loop(self) -> ExitReason | None:
        life = self.life
        while True:
            told = self._look_outside()
            resumed = life.resumed
            if told is not None or resumed is None:
                return told
            life.park()
            await settled(resumed)

    async def _rest_on_loop(self) -> None:
        life = self.life
        life.next_due = self._nearest_own()
        life.at_rest = True
        await self.actor_inbox.waker.sleep(self._until(life.next_due))
        life.at_rest = False
        if self._idle_due is not None and self._is_idle(self._idle_due):
            await self._do_own(Own(None), self.on_idle)

    async def _handle_on_loop(self, envelope: Envelope[Any]) -> None:
        if not self._take_in_hand(envelope):
            return
        message = envelope.message
        if isinstance(message, STOPS):
            self._exit_reason = getattr(message, "reason", NORMAL)
            return
        result = await _done(self._received(message))
        if envelope.reply_to is not None and result is not NO_REPLY:
            answer(envelope.reply_to, result)
        self._put_down(envelope)

    async def _continue_on_loop(self) -> None:
        own = Own(self._continuations.pop(0))
        await self._do_own(own, lambda: self.on_continue(own.message))

    async def _do_own(self, own: Own, work: Callable[[], Any]) -> None:
        if self._take_in_hand(own):
            await _done(work())
            self._put_down(own)

    async def _clean_up_on_loop(self, reason: ExitReason) -> None:
        self._exit_reason = reason
        for step in (self._run_on_end, self._run_pykka_hooks):
            try:
                await _done(step(reason))
            except BaseException as error:  # noqa: BLE001 - becomes the exit reason
                self._exit_reason = reason = _reason_on_loop(error)
        await self._close_on_loop()
        self._report_crash(self._exit_reason)

    async def _close_on_loop(self) -> None:
        tasks = tuple(self._spawned)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self.on_close()
        except BaseException as error:  # noqa: BLE001 - becomes the exit reason
            self._exit_reason = _reason_on_loop(error)


def call_soon(
    loop: asyncio.AbstractEventLoop | None, work: Callable[[], object]
) -> bool:
    """Call `work` on the loop, from any thread; `False` when that has closed."""
    if loop is None:
        return False
    try:
        loop.call_soon_threadsafe(work)
    except RuntimeError:
        return False
    return True


def _reason_on_loop(error: BaseException) -> ExitReason:
    """As `reason_of`; a cancellation by strangers (a loop that closes) is a kill."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is not None:
            # What follows may await again.
            task.uncancel()
        return KILLED
    return reason_of(error)


def _call(callback: Callable[[], Any]) -> Any:
    """What a callback returns: a coroutine, perhaps, though its base returns `None`."""
    return callback()


async def _done(result: Any) -> Any:
    """The value of a callback, be it a plain method or a coroutine function."""
    return await result if inspect.isawaitable(result) else result
