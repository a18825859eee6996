"""A task on an event loop: one coroutine function, run as a short-lived actor.

What a task in a thread is to an `Actor`, this is to a `LoopActor`. It costs less than
one, as nobody waits for its start, and it is cancelled for real when it is ended.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from supervisors import _census
from supervisors._acall import call_soon
from supervisors._current import enter_task, leave_task
from supervisors._future import ReplyFuture
from supervisors._homes import Lodging, LoopOwner, soon_on
from supervisors._launch import begin
from supervisors._life import Life
from supervisors._on_loop import LOOP_CLOSED, forgive
from supervisors._roll import Roll
from supervisors._task_actor import TaskActor, TaskLife, move_in
from supervisors.errors import StartError
from supervisors.exits import KILLED, NORMAL, ExitReason, Failed
from supervisors.ref import Ref
from supervisors.scope import Scope, check_scopes, current_scopes, work_only_in

CoroutineFunction = Callable[[], Coroutine[Any, Any, Any]]

_NO_LOOP = Failed("its event loop does not run")


class LoopTaskLife(TaskLife):
    """The life of a task on a loop, which hears at once that it is to stop."""

    __slots__ = ()

    def shut_down(self, reason: ExitReason) -> None:
        """Cancel what it awaits, and refuse its calls from now on."""
        super().shut_down(reason)
        if self.on_abandon is not None:
            self.on_abandon()

    def _note_zombie(self, home: Roll) -> None:
        """It holds no thread, so it is none of those that a supervisor counts."""


class LoopTaskActor(TaskActor):
    """Runs one coroutine function on an event loop and ends as a `TaskActor` does."""

    life: LoopTaskLife

    def __init__(
        self,
        work: CoroutineFunction,
        *,
        owner: LoopOwner,
        label: str = "task",
        scopes: tuple[Scope, ...] = (),
        context: contextvars.Context | None = None,
    ) -> None:
        """Prepare the run.

        Args:
            work: The coroutine function.
            owner: An `EventLoopActor`, or a running loop.
            label: What errors and pictures call it.
            scopes: What the work belongs to besides the task itself.
            context: The context to run in a copy of; `None` is that of whoever starts
                the actor.
        """
        super().__init__(work, label=label, scopes=scopes, context=context)
        self._steps: _Steps | None = None
        self._lodging = Lodging(owner, self.life)
        self._task: asyncio.Task[Any] | None = None
        self._ended_itself = False

    def _make_life(self) -> Life:
        return LoopTaskLife(self._label, self.actor_inbox)

    def _start_actor_loop(self) -> None:
        _census.joined(self.life)
        loop = self._lodging.find()
        given = self._context
        context = contextvars.copy_context() if given is None else given.copy()
        if loop is None:
            self._fail_to_start(_NO_LOOP)
        elif not soon_on(loop, self._begin_task, loop, context, context=context):
            self._fail_to_start(LOOP_CLOSED)

    async def live_here(self) -> bool:
        """Live and end in the calling task, which has just made this actor.

        Each step runs in the actor's own context. One that never waits gives others on
        the loop their turn all the same.

        Returns:
            Whether it came to its end by itself: not when it was ended from outside, or
            when the task was cancelled by strangers.
        """
        life, given = self.life, self._context
        _census.joined(life)
        loop = self._lodging.find()
        if loop is None:
            life.end(_NO_LOOP)
        else:
            life.thread = threading.current_thread()
            context = contextvars.copy_context() if given is None else given.copy()
            self._task = asyncio.current_task()
            self._steps = _Steps(self._live_on_loop(loop), context)
            await self._steps
            forgive(self._task)
        self._leave(None)
        return self._ended_itself

    def _fail_to_start(self, reason: Failed) -> None:
        self._lodging.leave()
        msg = (
            f"{self.life.label!r} did not start: {reason}. Start an EventLoopActor "
            "before it, or give it a loop that runs."
        )
        raise StartError(msg, reason=reason)

    def _begin_task(
        self, loop: asyncio.AbstractEventLoop, context: contextvars.Context
    ) -> None:
        self.life.thread = threading.current_thread()
        self._task = loop.create_task(
            self._live_on_loop(loop), name=self.life.label, context=context
        )
        # Cancelled before its first step, it would not even leave.
        self._task.add_done_callback(self._leave)

    async def _live_on_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        life = self.life
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is a task's coroutine
        life.entered = True
        enter_task(life, task)
        # Before the look whether it is over: whoever ends it does that first and
        # cancels afterwards.
        life.loop, life.on_abandon = loop, self._cancel
        try:
            if life.stop_wanted() is not None:
                life.end(life.stop_wanted() or NORMAL)
            elif not life.over():
                await self._run_on_loop()
        finally:
            life.loop = life.on_abandon = None
            leave_task(task)

    async def _run_on_loop(self) -> None:
        life = self.life
        life.started_at = life.clock.monotonic()
        work_only_in(*self._scopes, life.scope)
        reason: ExitReason = NORMAL
        try:
            life.value = await self._work()
            if self._steps is not None and not self._steps.has_waited:
                await asyncio.sleep(0)
        except BaseException as error:  # noqa: BLE001 - becomes the exit reason
            reason = self._reason_of(error)
        if life.end(reason):
            self._ended_itself = reason is not KILLED
            self._report_crash(reason)

    def _reason_of(self, error: BaseException) -> ExitReason:
        if isinstance(error, asyncio.CancelledError) and _was_cancelled():
            # By whoever asked it to stop, or by a loop that closes.
            return self.life.stop_wanted() or KILLED
        return super()._reason_of(error)

    def _cancel(self) -> None:
        loop, task = self.life.loop, self._task
        if loop is not None and task is not None:
            call_soon(loop, task.cancel)

    def _leave(self, _task: asyncio.Task[None] | None) -> None:
        """Nothing of this life runs any more."""
        life = self.life
        # Unless it has a reason, which all but what never began have.
        life.end(KILLED)
        life.leave_thread()
        _census.ended(life)
        self._lodging.leave()
        life.let_go()


class _Steps:
    """Awaits a coroutine, each step of which runs in one context.

    A task has the same context from its beginning to its end; here one task runs many
    coroutines that must not see each other's.
    """

    __slots__ = ("_context", "_coroutine", "has_waited")

    def __init__(
        self, coroutine: Coroutine[Any, Any, None], context: contextvars.Context
    ) -> None:
        self._coroutine = coroutine
        self._context = context
        self.has_waited = False
        """Whether it has given up its turn on the loop."""

    def __await__(self) -> Generator[Any, Any, None]:
        run, coroutine = self._context.run, self._coroutine
        step = functools.partial(coroutine.send, None)
        while True:
            try:
                waits_for = run(step)
            except StopIteration:
                return
            self.has_waited = True
            try:
                value = yield waits_for
            except BaseException as error:  # noqa: BLE001 - it is the coroutine's
                step = functools.partial(coroutine.throw, error)
            else:
                step = functools.partial(coroutine.send, value)


def _was_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def begin_loop_task(
    work: CoroutineFunction,
    label: str,
    owner: LoopOwner,
    home: Roll | None = None,
    *,
    told: Callable[[ReplyFuture[ExitReason]], object] | None = None,
) -> Ref[TaskActor]:
    """Start a task on a loop, from any thread; nobody is asked or waited for.

    It runs in a copy of this thread's context, and the scopes around this call hold for
    it.

    Args:
        work: The coroutine function.
        label: What errors and pictures call it.
        owner: An `EventLoopActor`, or a running loop.
        home: The roll of its supervisor; `None` is none.
        told: Called with its end, in the thread that ends it.

    Raises:
        ActorDownError: The supervisor has ended.
        ChildStateError: It runs as many as it may.
        ScopeCancelledError: The work this call belongs to was given up.
        StartError: The program is ending, or the loop does not run.
    """
    scopes = current_scopes()
    check_scopes(scopes)
    actor: TaskActor = LoopTaskActor(work, owner=owner, label=label, scopes=scopes)
    if told is not None:
        actor.life.ended.on_done(told)
    if home is not None:
        move_in(actor.life, home)
    begin(actor)
    return actor.actor_ref
