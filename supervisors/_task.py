"""A running function, as whoever started it holds it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Generic, Literal, TypeVar, cast

from supervisors._acall import acall
from supervisors._current import current_life
from supervisors._future import ReplyFuture
from supervisors._life import Life
from supervisors._outcome import Exit, Ok, Outcome
from supervisors._task_actor import NO_VALUE, TaskActor, TaskLife, begin_task
from supervisors._waiting import await_reply
from supervisors.errors import CallTimeoutError, TaskOwnerError
from supervisors.exits import NORMAL, Crashed, ExitReason, Killed, Normal, Shutdown
from supervisors.ref import DEFAULT_CALL_TIMEOUT, Ref, check_not_on_event_loop
from supervisors.scope import Scope, current_scopes, open_in_scopes, time_left

T = TypeVar("T")

Patience = float | Literal["brutal_kill", "infinity"]
"""How long a task that is asked to stop may take: seconds, not at all, or for ever."""


class Task(Generic[T]):
    """One running function. Elixir's `Task`, from `TaskSupervisor.async_` and others.

    It belongs to whoever started it, an actor or a thread, and only its owner may wait
    for it with the methods that block. `await task` works on any event loop.
    """

    __slots__ = ("_linked", "_owner", "ref")

    def __init__(
        self, ref: Ref[TaskActor], owner: Life | None, *, linked: bool
    ) -> None:
        """Hold a task; `TaskSupervisor` and `async_` make them.

        Args:
            ref: What runs it.
            owner: The actor that started it; `None` is this thread.
            linked: Whether the two are linked.
        """
        self.ref = ref
        self._owner = _whoever(owner)
        self._linked = linked

    @classmethod
    def async_(cls, work: Callable[[], T], *, label: str = "task") -> Task[T]:
        """Run `work` under no supervisor, linked to the calling actor if there is one.

        Nobody stops it when a tree stops: prefer `TaskSupervisor.async_`.
        """
        owner = current_life()
        ref = begin_task(work, label, linked=owner)
        return Task(ref, owner, linked=owner is not None)

    @classmethod
    def completed(cls, value: T) -> Task[T]:
        """A task that is done and has `value`, without anything being run."""
        actor = TaskActor(lambda: value, label="completed task")
        actor.life.value = value
        actor.life.end(NORMAL)
        return Task(actor.actor_ref, current_life(), linked=False)

    def __repr__(self) -> str:
        ended = self._life.ended
        return f"<Task {self.label!r} {ended.get() if ended.done() else 'running'}>"

    @property
    def label(self) -> str:
        """What errors and pictures call it."""
        return self._life.label

    @property
    def scope(self) -> Scope:
        """What the calls of its function belong to; cancelling it gives them up."""
        return self._life.scope

    @property
    def _life(self) -> TaskLife:
        return cast("TaskLife", self.ref.life)

    def await_(self, timeout: float | None = DEFAULT_CALL_TIMEOUT) -> T:
        """Wait for the function's value, or raise what it raised.

        A linked task that crashes takes its owner along, if that is an actor that does
        not trap exits: then what is raised here is raised in a dead actor.

        Args:
            timeout: Seconds to wait; `None` waits as long as it runs.

        Raises:
            ActorDownError: The task ended without a value for another reason than an
                exception: `.reason` says which.
            BlockingCallError: From an actor on an event loop; write `await task`.
            CallTimeoutError: It is not done in time. It goes on, and may be awaited
                again.
            ScopeCancelledError: The work this thread is in was given up meanwhile.
            TaskOwnerError: Somebody else started it.
        """
        self._check_owner("await_")
        self._wait(timeout)
        return self._value()

    def yield_(
        self, timeout: float | None = DEFAULT_CALL_TIMEOUT
    ) -> Ok[T] | Exit | None:
        """Wait for the function's end and say how it ended; `None`: not yet.

        Raises:
            The same errors as `await_`, but none of the task's own.
        """
        self._check_owner("yield_")
        return self._outcome() if self._ends_within(timeout) else None

    def shutdown(self, timeout: Patience = DEFAULT_CALL_TIMEOUT) -> Ok[T] | Exit | None:
        """End the task and say how it had ended if it did so by itself.

        Asked to stop, its calls are refused from then on; it is waited for, and then
        given up: dead for everybody, although its function may go on in its thread
        until it returns. Its link to its owner is cut before.

        Args:
            timeout: Seconds it may take to come to its end; `"infinity"` waits without
                a limit, `"brutal_kill"` does not ask at all.

        Returns:
            Its value or the reason of its own end; `None` when this call ended it.

        Raises:
            BlockingCallError: From an actor on an event loop, unless it need not wait.
            TaskOwnerError: Somebody else started it.
        """
        self._check_owner("shutdown")
        self._cut_link()
        if self._life.over():
            self._life.ended.wait()
            return self._outcome()
        if timeout != "brutal_kill":
            self.ref.shutdown()
            self._ends_within(None if timeout == "infinity" else timeout)
        self.ref.kill()
        self._life.ended.wait()
        outcome = self._outcome()
        ours = isinstance(outcome, Exit) and outcome.reason in (Shutdown(), Killed())
        return None if ours else outcome

    def ignore(self) -> Ok[T] | Exit | None:
        """Let the task go on alone: its end is nothing to its owner any more.

        Returns:
            How it ended, or `None` when it still runs.
        """
        self._check_owner("ignore")
        self._cut_link()
        return self._outcome() if self._life.ended.done() else None

    async def aawait(self, timeout: float | None = None) -> T:
        """Await the function's value on any event loop, without blocking it.

        Args:
            timeout: Seconds to wait; by default as long as the task runs.

        Raises:
            The same errors as `await_`, but those of owners and of blocking.
        """
        with promised((self,)) as ended:
            try:
                await acall(ended, timeout, self._life)
            except CallTimeoutError:
                raise self._not_done() from None
        return self._value()

    def __await__(self) -> Generator[Any, None, T]:
        """Await the value, as long as the task runs."""
        return self.aawait().__await__()

    # What the functions for many tasks use.

    def _check_owner(self, method: str) -> None:
        if self._owner == _whoever(current_life()):
            return
        owner = self._owner
        name = f"the actor {owner.label!r}" if isinstance(owner, Life) else "a thread"
        msg = (
            f"{method}() of the task {self.label!r} was called by somebody else than "
            f"its owner, {name}. Call it where the task was started, or await the task "
            "on an event loop."
        )
        raise TaskOwnerError(msg)

    def _wait(self, timeout: float | None) -> None:
        if self._life.ended.done():
            return
        check_not_on_event_loop(self.label)
        with promised((self,)) as ended:
            try:
                await_reply(ended, timeout, self._life)
            except CallTimeoutError:
                raise self._not_done() from None

    def _ends_within(self, timeout: float | None) -> bool:
        try:
            self._wait(timeout)
        except CallTimeoutError:
            if deadline_passed():
                raise
            return False
        return True

    def _outcome(self) -> Outcome[T]:
        return outcome_of(self._life)

    def _value(self) -> T:
        outcome = self._outcome()
        if isinstance(outcome, Ok):
            return outcome.value
        self._tell_owner(outcome.reason)
        raise error_of(self._life, outcome.reason)

    def _tell_owner(self, reason: ExitReason) -> None:
        """Let the link work before the wait raises: it decides why the owner ended."""
        owner = self._owner
        if self._linked and isinstance(owner, Life) and not owner.traps:
            owner.signal(reason, self._life)

    def _cut_link(self) -> None:
        if self._linked and isinstance(self._owner, Life):
            self._owner.unlink(self._life)
        self._linked = False

    def _not_done(self) -> CallTimeoutError:
        msg = (
            f"the task {self.label!r} is not done in time. It goes on: wait again with "
            "a longer timeout, or end it with shutdown()."
        )
        return CallTimeoutError(msg)


def outcome_of(life: TaskLife) -> Outcome[Any]:
    """How a task that is over ended."""
    reason = life.ended.get()
    if isinstance(reason, Normal) and life.value is not NO_VALUE:
        return Ok(life.value)
    return Exit(reason)


def error_of(life: Life, reason: ExitReason) -> BaseException:
    """What is raised when a value was wanted from a task that has none."""
    if isinstance(reason, Crashed):
        return reason.exception
    return life.error(reason)


def _whoever(life: Life | None) -> Life | int:
    """The owner of what is started here: the actor, or else the thread."""
    return threading.get_ident() if life is None else life


@contextlib.contextmanager
def promised(
    tasks: Sequence[Task[Any]], *, or_failure: bool = False
) -> Iterator[ReplyFuture[None]]:
    """A promise that is kept when all tasks have ended, taken back after the block.

    Args:
        tasks: Those.
        or_failure: Keep it as well when one of them ends otherwise than `normal`.
    """
    promise: ReplyFuture[None] = ReplyFuture()
    left = [None for _ in tasks]

    def tell(ended: ReplyFuture[ExitReason]) -> None:
        left.pop()
        if not left or (or_failure and not isinstance(ended.get(), Normal)):
            promise.resolve(None)

    for task in tasks:
        task.ref.life.ended.on_done(tell)
    open_in_scopes(promise)
    try:
        yield promise
    finally:
        # Kept or not, nobody waits for it any more.
        promise.resolve(None)
        for task in tasks:
            task.ref.life.ended.forget(tell)


def await_many(
    tasks: Sequence[Task[T]], timeout: float | None = DEFAULT_CALL_TIMEOUT
) -> list[T]:
    """Wait for the values of all tasks, in their order.

    The first that ends without a value makes this raise at once; the others go on.

    Args:
        tasks: Each at most once.
        timeout: Seconds for all of them together.

    Raises:
        The same errors as `Task.await_`.
    """
    _wait_for(tasks, "await_many", timeout, or_failure=True)
    values: list[T] = []
    running: list[Task[T]] = []
    for task in tasks:
        if task.ref.life.ended.done():
            values.append(task._value())  # noqa: SLF001 - one idea in two parts
        else:
            running.append(task)
    if running:
        raise running[0]._not_done()  # noqa: SLF001 - one idea in two parts
    return values


def yield_many(
    tasks: Sequence[Task[T]], timeout: float | None = DEFAULT_CALL_TIMEOUT
) -> list[tuple[Task[T], Ok[T] | Exit | None]]:
    """Wait for the ends of all tasks, and say how each stands: `None` is not yet.

    Args:
        tasks: Each at most once.
        timeout: Seconds for all of them together.
    """
    _wait_for(tasks, "yield_many", timeout)
    lives = [cast("TaskLife", task.ref.life) for task in tasks]
    return [
        (task, outcome_of(life) if life.ended.done() else None)
        for task, life in zip(tasks, lives, strict=True)
    ]


def _wait_for(
    tasks: Sequence[Task[Any]],
    method: str,
    timeout: float | None,
    *,
    or_failure: bool = False,
) -> None:
    """Wait until the tasks have ended, or the time is over."""
    for task in tasks:
        task._check_owner(method)  # noqa: SLF001 - one idea in two parts
    running = [task for task in tasks if not task.ref.life.ended.done()]
    if not running:
        return
    check_not_on_event_loop(running[0].label)
    with promised(tasks, or_failure=or_failure) as ended:
        try:
            await_reply(ended, timeout, running[0].ref.life)
        except CallTimeoutError:
            if deadline_passed():
                raise


def deadline_passed() -> bool:
    """Whether the time of all the work around is over, not only of one wait in it."""
    return time_left(None, current_scopes()) == 0
