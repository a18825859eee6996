"""What actors on an asyncio loop have in common, whoever owns the loop.

The life of such an actor is a coroutine. Its callbacks may be plain methods or
coroutine functions (no other awaitable is awaited). While one of them awaits, others on
the loop go on, and this actor's next message waits.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any, cast

from pykka._envelope import Envelope

from supervisors import _census
from supervisors._acall import call_soon, run_on, settled
from supervisors._actor_loop import Own, answer
from supervisors._answers import STOPS
from supervisors._callbacks import NO_REPLY, reason_of
from supervisors._current import enter_task, leave_task
from supervisors._mailbox import BoundedMailbox, Mailbox
from supervisors.actor import Actor
from supervisors.exits import KILLED, NORMAL, ExitReason, Failed, cause_of
from supervisors.scope import work_only_in

LOOP_CLOSED = Failed("its event loop was closed")
"""Why an actor ended whose loop was closed under it."""

BURST = 32
"""How many messages an actor handles at most before others on its loop have a turn."""


class LoopMailbox(Mailbox):
    """A mailbox that wakes a coroutine on a loop, once per burst."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.on_loop_closed: Callable[[], object] | None = None
        self._thread = 0
        self._sleeper: asyncio.Future[None] | None = None
        self._woken = False

    def open_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake this loop from now on; called in its thread."""
        self._thread = threading.get_ident()
        self.loop = loop

    def put(self, envelope: Envelope[Any], /) -> None:
        """Add a message, or answer it when the mailbox is closed."""
        super().put(envelope)
        self._wake()

    def put_system(self, envelope: Envelope[Any], /) -> None:
        """Add a message that no bound refuses."""
        super().put_system(envelope)
        self._wake()

    def poke(self) -> None:
        """Wake the reader without a message."""
        self._wake()

    def close(self, answer: Any) -> None:
        """Let no message in any more, answer those that wait, and wake the reader."""
        super().close(answer)
        self._wake()

    def rearm(self) -> None:
        """Before looking for work: what comes from now on wakes again."""
        self._woken = False

    def sleep(self) -> asyncio.Future[None]:
        """What to await: done as soon as something has come since `rearm`."""
        # First the sleeper, then the look: whoever wakes does the two the other way
        # round, so one of both sees the other.
        self._sleeper = sleeper = asyncio.get_running_loop().create_future()
        if self._woken:
            self.rouse()
        return sleeper

    def rouse(self) -> None:
        """End the sleep, if there is one; in the loop's thread."""
        sleeper = self._sleeper
        if sleeper is not None and not sleeper.done():
            sleeper.set_result(None)

    def _wake(self) -> None:
        loop = self.loop
        if loop is None or self._woken:
            return
        self._woken = True
        if not run_on(loop, self._thread, self.rouse) and self.on_loop_closed:
            self.on_loop_closed()


class BoundedLoopMailbox(LoopMailbox, BoundedMailbox):
    """A mailbox that wakes a loop and refuses what exceeds its bound."""


class OnLoop(Actor):
    """An actor whose life is a coroutine; see the module's docstring."""

    actor_inbox: LoopMailbox  # type: ignore[assignment] # as in `ActorLoop`

    _task: asyncio.Task[Any] | None = None
    """The task that is its life."""
    _continuation: Own | None = None
    """The term of a `continue_with` that was taken last."""
    _closing: bool = False
    """Whether it has been ended from outside and must not be cancelled any more."""
    _spawned: set[asyncio.Task[None]] | None = None
    """Work that runs beside it; made when there is some."""

    @classmethod
    def _create_actor_inbox(cls) -> Any:
        limit = cls.mailbox_limit
        return LoopMailbox() if limit is None else BoundedLoopMailbox().bound(limit)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine on this actor's loop; it is cancelled when the actor ends.

        What it raises ends the actor. For callbacks and what they spawned.
        """
        if self._spawned is None:
            self._spawned = set()
        spawned = self._spawned
        task = asyncio.get_running_loop().create_task(self._guard(work))
        spawned.add(task)

        def over(task: asyncio.Task[None]) -> None:
            spawned.discard(task)
            # Cancelled before its first step, it would complain of not being awaited.
            work.close()

        task.add_done_callback(over)
        return task

    async def on_close(self) -> None:
        """Close what needs `await`; all spawned work has ended.

        Runs at every end, a kill too, once `on_start` has succeeded.
        """

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - it ends this actor, and not the loop
            if self._exit_reason is None:
                self._exit_reason = reason_of(error)
                self.actor_inbox.poke()

    # The life, as coroutines.

    async def _live_on_loop(self) -> None:
        """Be born, live, and end with a reason, whatever happens."""
        life, inbox = self.life, self.actor_inbox
        loop, task = asyncio.get_running_loop(), _this_task()
        life.entered = True
        enter_task(life, task)
        work_only_in(life.scope)
        life.loop = loop
        inbox.open_on(loop)
        self._task = task
        # Before `_whole_life` looks whether this life is over: whoever ends it does
        # that first and cancels afterwards.
        life.on_abandon = self._abandon
        unsubscribe = self._clock.subscribe(inbox.poke)
        try:
            await self._wind_up(await self._whole_life())
        finally:
            self._task = life.loop = inbox.loop = life.on_abandon = None
            leave_task(task)
            unsubscribe()
            self._after_life()

    def _after_life(self) -> None:
        """The last step of the task that was this life."""

    def _leave(self) -> None:
        """Nothing of this life runs any more. Twice is as good as once."""
        life = self.life
        # Unless it has a reason, which all but what never began have.
        life.end(KILLED)
        life.leave_thread()
        _census.ended(life)

    def _abandon(self) -> None:
        loop = self.life.loop
        if loop is not None:
            call_soon(loop, self._cancel)

    def _cancel(self) -> None:
        if self._task is not None and not self._closing:
            self._task.cancel()

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
        turns = 0
        while self._exit_reason is None:
            # Before the looks: what comes after them wakes the next sleep.
            inbox.rearm()
            if life.attention:
                told = await self._attend_on_loop()
                if told is not None:
                    return told
            envelope = self._take_next()
            if envelope is None:
                if inbox.empty():
                    await self._rest_on_loop()
                continue
            if life.attention:
                # A stop or a suspension came while it was being taken.
                told = await self._attend_with(envelope)
                if told is not None:
                    return told
            await self._handle_on_loop(envelope)
            turns += 1
            if turns % BURST == 0:
                # The others on this loop have their turn, too.
                await asyncio.sleep(0)
        return self._exit_reason

    def _take_next(self) -> Envelope[Any] | None:
        if self._continuations:
            self._continuation = own = Own(self._continuations.pop(0))
            return own
        return self._due_own() or self.actor_inbox.get_nowait()

    async def _attend_on_loop(self) -> ExitReason | None:
        life = self.life
        while True:
            told = self._look_outside()
            resumed = life.resumed
            if told is not None or resumed is None:
                return told
            life.park()
            await settled(resumed)

    async def _attend_with(self, envelope: Envelope[Any]) -> ExitReason | None:
        """As `_attend_on_loop`; a message that will not be handled is put back."""
        told: ExitReason | None = KILLED
        try:
            told = await self._attend_on_loop()
        finally:
            if told is not None:
                self.actor_inbox.put_back(envelope)
        return told

    async def _rest_on_loop(self) -> None:
        life, inbox = self.life, self.actor_inbox
        life.next_due = self._nearest_own()
        seconds, timer = self._until(life.next_due), None
        if seconds is not None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(seconds, inbox.rouse)
        life.at_rest = True
        try:
            await inbox.sleep()
        finally:
            life.at_rest = False
            if timer is not None:
                timer.cancel()
        if self._idle_due is None or life.attention:
            return
        own = Own(None)
        if self._is_idle(self._idle_due) and self._take_in_hand(own):
            await _done(_call(self.on_idle))
            self._put_down(own)

    async def _handle_on_loop(self, envelope: Envelope[Any]) -> None:
        if not self._take_in_hand(envelope):
            return
        message = envelope.message
        if isinstance(message, STOPS):
            self._exit_reason = getattr(message, "reason", NORMAL)
            return
        if envelope is self._continuation:
            result = _call(self.on_continue, message)
        else:
            result = self._received(message)
        if inspect.iscoroutine(result):
            result = await result
        if envelope.reply_to is not None and result is not NO_REPLY:
            answer(envelope.reply_to, result)
        self._put_down(envelope)

    # The end.

    async def _wind_up(self, reason: ExitReason) -> None:
        """Clean up and end, unless somebody outside has ended this life before."""
        life = self.life
        if not life.over():
            await self._clean_up_on_loop(reason)
        await self._close_on_loop()
        if not life.over():
            reason = self._exit_reason or reason
            self._report_crash(reason)
            life.end(reason)

    async def _clean_up_on_loop(self, reason: ExitReason) -> None:
        self._exit_reason = reason
        if self.life.started_at is None:
            return
        for step in (self.on_end, self._pykka_hook):
            if self.life.over():
                # Killed in the step before.
                return
            try:
                await _done(_call(step, reason))
            except BaseException as error:  # noqa: BLE001 - becomes the exit reason
                self._exit_reason = reason = _reason_on_loop(error)

    def _pykka_hook(self, reason: ExitReason) -> Any:
        error = cause_of(reason)
        if error is None:
            return _call(self.on_stop)
        return _call(self.on_failure, type(error), error, error.__traceback__)

    async def _close_on_loop(self) -> None:
        if self.life.over():
            # Its cancellation may still be on the way, and must not hit what follows.
            self._closing = True
        forgive(_this_task())
        if self._spawned:
            await self._try_to(self._end_spawned)
        if self.life.started_at is not None:
            await self._try_to(self.on_close)

    async def _try_to(self, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await step()
        except BaseException as error:  # noqa: BLE001 - becomes the exit reason
            self._exit_reason = _reason_on_loop(error)

    async def _end_spawned(self) -> None:
        tasks = tuple(self._spawned or ())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _this_task() -> asyncio.Task[Any]:
    return cast("asyncio.Task[Any]", asyncio.current_task())


def _reason_on_loop(error: BaseException) -> ExitReason:
    """As `reason_of`; a cancellation by strangers (a loop that closes) is a kill."""
    if isinstance(error, asyncio.CancelledError) and forgive(asyncio.current_task()):
        return KILLED
    return reason_of(error)


def forgive(task: asyncio.Task[Any] | None) -> bool:
    """Take the cancellations of a task for done with, so that what follows may await.

    `False` when there was none: then a `CancelledError` is somebody else's.
    """
    cancelled = task is not None and task.cancelling() > 0
    while task is not None and task.cancelling():
        task.uncancel()
    return cancelled


def _call(callback: Callable[..., Any], *args: Any) -> Any:
    """What a callback returns: a coroutine, perhaps, though its base returns `None`."""
    return callback(*args)


async def _done(result: Any) -> Any:
    """The value of a callback, be it a plain method or a coroutine function."""
    return await result if inspect.iscoroutine(result) else result
