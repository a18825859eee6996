"""An actor whose handlers run on an asyncio loop of its own.

For work that is many open sockets and little thinking. Handlers are plain methods on
the loop's thread and must not block; they start coroutines with `spawn`, which are
cancelled for real when the actor ends, however it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from pykka._envelope import Envelope

from supervisors._mailbox import Mailbox
from supervisors.actor import Actor, reason_of
from supervisors.exits import NORMAL, ExitReason


class _LoopMailbox(Mailbox):
    """A mailbox that wakes a loop instead of a thread, once per burst."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.on_wake: Any = None
        self._woken = False

    def put(self, envelope: Envelope[Any], /) -> None:
        super().put(envelope)
        self._wake()

    def poke(self) -> None:
        self._wake()

    def close(self, answer: Any) -> None:
        super().close(answer)
        self._wake()

    def rearm(self) -> None:
        """Before reading: what comes from now on wakes the loop again."""
        self._woken = False

    def _wake(self) -> None:
        loop = self.loop
        if loop is None or self._woken:
            return
        self._woken = True
        try:
            loop.call_soon_threadsafe(self.on_wake)
        except RuntimeError:
            # The loop has closed between the look and the call: the actor has ended,
            # and its mailbox answers by itself.
            return


class LoopActor(Actor):
    """An actor on its own asyncio loop; see the module's docstring.

    Override `on_receive` (a plain method) and, for what must be closed with `await`,
    `on_close`.
    """

    actor_inbox: _LoopMailbox

    @staticmethod
    def _create_actor_inbox() -> Any:
        return _LoopMailbox()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine on this actor's loop; it is cancelled when the actor ends.

        For handlers and what they spawned: in `on_start` there is no loop yet.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    async def on_close(self) -> None:
        """Close what needs `await`; all spawned work has ended. Runs at every end."""

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._finish_with(error)

    def _finish_with(self, error: BaseException) -> None:
        if not self._over.done():
            self._over.set_exception(error)

    def _receive_until_told(self) -> ExitReason:
        return asyncio.run(self._serve())

    async def _serve(self) -> ExitReason:
        loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._over: asyncio.Future[ExitReason] = loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        inbox = self.actor_inbox
        inbox.on_wake = self._turn
        inbox.loop = loop
        self._turn()
        try:
            return await self._over
        except Exception as error:  # noqa: BLE001 - spawned work raised: it ends the actor
            return reason_of(error)
        finally:
            inbox.loop = None
            await self._cancel_all()
            await self.on_close()

    async def _cancel_all(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _turn(self) -> None:
        """Handle what has come; runs on the loop, once per burst."""
        self.actor_inbox.rearm()
        life = self.life
        while not self._over.done():
            if life.over():
                return self._over.set_result(NORMAL)
            reason = life.stop_wanted()
            if reason is not None:
                return self._over.set_result(reason)
            envelope = self._due_timer() or self.actor_inbox.get_nowait()
            if envelope is None:
                if self.actor_inbox.empty():
                    return self._set_timer()
                continue
            reason = self._handle(envelope)
            if reason is not None:
                self._over.set_result(reason)
        return None

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        seconds = self._until_next_timer()
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._turn)
