"""A function over many inputs, a few at a time: Elixir's `Task.async_stream`.

The plan (`_stream_plan`) decides; this module starts tasks, hears of their ends, kills
those that are overdue, and waits. All of it happens in the thread or on the event loop
of whoever takes the results: a stream has no thread of its own.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any, Generic, Protocol, Self, TypeVar, cast

from supervisors._acall import acall
from supervisors._crew import Crew
from supervisors._current import current_life
from supervisors._future import ReplyFuture
from supervisors._life import Life
from supervisors._outcome import TIMEOUT, Exit, Ok, Outcome
from supervisors._stream_options import StreamOptions
from supervisors._stream_plan import Finished
from supervisors._task import deadline_passed, error_of, outcome_of
from supervisors._task_actor import TaskActor, TaskLife, begin_task
from supervisors._waiting import await_reply
from supervisors.clock import SYSTEM_CLOCK, Clock
from supervisors.errors import CallTimeoutError
from supervisors.exits import ExitReason, Normal
from supervisors.ref import Ref, check_not_on_event_loop

I = TypeVar("I")  # noqa: E741 - the input
T = TypeVar("T")

_END = object()


class StartTask(Protocol):
    """How a stream starts its tasks."""

    def __call__(
        self,
        work: Callable[[], Any],
        label: str,
        *,
        deadline: float | None,
        told: Callable[[ReplyFuture[ExitReason]], object],
    ) -> Ref[TaskActor]:
        """Start `work`, whose calls stop waiting at `deadline`; tell its end."""


class TaskStream(Generic[I, T]):
    """The results of a function over many inputs; from `TaskSupervisor.stream`.

    An iterator, and an async iterator as well: take the results with `for` or with
    `async for`. They are `Ok(value)` and `Exit(reason)`. Nothing is started before the
    first is asked for, and an input is taken only when a task may start and no result
    can be handed out: who takes results slowly slows the stream down.

    The tasks end with the stream: when its owner dies (the actor that takes the
    results), when the loop over it is left and nobody holds it, or by `close`.
    """

    def __init__(
        self,
        inputs: Iterable[I] | AsyncIterable[I],
        work: Callable[[I], T],
        start: StartTask,
        options: StreamOptions,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Hold what is to be done; `TaskSupervisor.stream` makes them."""
        self._crew = Crew(clock)
        self._inputs = inputs
        self._source: Any = None
        self._work = work
        self._start = start
        self._options = options
        self._clock = clock
        self._plan = options.plan()
        # The inputs of results that did not come yet, where a result carries its own.
        self._kept: dict[int, I] = {}
        self._owner: Life | None = None
        self._unsubscribe: Callable[[], None] | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Ok[T] | Exit:
        try:
            return self._next()
        except BaseException:
            # The end of the results comes this way, too.
            self.close()
            raise

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Ok[T] | Exit:
        try:
            return await self._next_on_loop()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Missing when the constructor raised.
        if hasattr(self, "_unsubscribe"):
            self.close()

    def close(self) -> None:
        """Kill the tasks that run and start no other. Closing twice is harmless."""
        self._plan.exhausted()
        self._crew.halt()
        self._kept.clear()
        if self._owner is not None:
            self._owner.ended.forget(self._crew.owner_ended)
        if self._unsubscribe is not None:
            self._unsubscribe()

    def _next(self) -> Ok[T] | Exit:
        if self._source is None:
            self._begin(iter(cast("Iterable[I]", self._inputs)))
        while True:
            result = self._advance()
            if result is not None:
                return result
            if self._plan.over():
                raise StopIteration
            if not self._plan.wants_input():
                self._wait()
            elif (taken := next(self._source, _END)) is _END:
                self._plan.exhausted()
            else:
                self._begin_task(cast("I", taken))

    async def _next_on_loop(self) -> Ok[T] | Exit:
        if self._source is None:
            self._begin(_async_iterator(self._inputs))
        while True:
            result = self._advance()
            if result is not None:
                return result
            if self._plan.over():
                raise StopAsyncIteration
            if not self._plan.wants_input():
                await self._wait_on_loop()
            elif (taken := await anext(self._source, _END)) is _END:
                self._plan.exhausted()
            else:
                self._begin_task(cast("I", taken))

    def _begin(self, source: Any) -> None:
        self._source = source
        self._unsubscribe = self._clock.subscribe(self._crew.ring)
        self._owner = current_life()
        if self._owner is not None:
            self._owner.ended.on_done(self._crew.owner_ended)

    def _begin_task(self, taken: I) -> None:
        now = self._clock.monotonic()
        timeout = self._options.timeout
        real = self._clock is SYSTEM_CLOCK and timeout is not None
        position = self._plan.started(now)
        ref = self._start(
            functools.partial(self._work, taken),
            self._options.label,
            # A hung task is killed when somebody waits for the stream; its own calls
            # stop in time, whatever its taker does meanwhile.
            deadline=now + timeout if real and timeout is not None else None,
            told=self._crew.told(position),
        )
        if self._options.zip_input_on_exit:
            self._kept[position] = taken
        self._crew.add(position, cast("TaskLife", ref.life))

    def _advance(self) -> Ok[T] | Exit | None:
        """Take in what has happened, and hand out the next result if it is there."""
        # Read before the news: who has ended by then is never taken for overdue.
        now = self._clock.monotonic()
        for position, at, life in self._crew.news():
            outcome = self._checked(life)
            self._plan.ended(position, self._zipped(position, outcome), at)
        for position in self._plan.overdue(now):
            self._time_out(position)
        finished: Finished[Outcome[T]] | None = self._plan.take()
        if finished is None:
            return None
        self._kept.pop(finished.position, None)
        return finished.result

    def _checked(self, life: TaskLife) -> Outcome[T]:
        """How a task ended.

        Raises:
            The error of a linked one that ended abnormally.
        """
        outcome = outcome_of(life)
        if isinstance(outcome, Ok) or isinstance(outcome.reason, Normal):
            return outcome
        trapping = self._owner is not None and self._owner.traps
        if self._options.link and not trapping:
            raise error_of(life, outcome.reason)
        return outcome

    def _time_out(self, position: int) -> None:
        self._crew.kill(position)
        if self._options.on_timeout == "exit":
            msg = (
                f"a task of the stream {self._options.label!r} was not done within "
                f"{self._options.timeout:g} s, so the stream was ended. Give a longer "
                'timeout, or on_timeout="kill_task" to go on without it.'
            )
            raise CallTimeoutError(msg)
        self._plan.settle(position, self._zipped(position, Exit(TIMEOUT)))

    def _zipped(self, position: int, outcome: Outcome[T]) -> Outcome[T]:
        if isinstance(outcome, Exit) and position in self._kept:
            return Exit(outcome.reason, self._kept[position])
        return outcome

    def _wait(self) -> None:
        check_not_on_event_loop(self._options.label)
        bell, target = self._crew.bell()
        try:
            await_reply(bell, self._until_due(), target)
        except CallTimeoutError:
            if deadline_passed():
                raise

    async def _wait_on_loop(self) -> None:
        bell, target = self._crew.bell()
        try:
            await acall(bell, self._until_due(), target)
        except CallTimeoutError:
            if deadline_passed():
                raise

    def _until_due(self) -> float | None:
        due = self._plan.next_due()
        return None if due is None else max(0.0, due - self._clock.monotonic())


def _async_iterator(inputs: Any) -> Any:
    if hasattr(inputs, "__aiter__"):
        return aiter(inputs)
    return _as_async(inputs)


async def _as_async(inputs: Iterable[I]) -> Any:
    for taken in inputs:
        yield taken


def begin_unsupervised(
    work: Callable[[], Any],
    label: str,
    *,
    deadline: float | None,
    told: Callable[[ReplyFuture[ExitReason]], object],
) -> Ref[TaskActor]:
    """Start a stream's task under no supervisor."""
    return begin_task(work, label, deadline=deadline, told=told)


def stream(
    inputs: Iterable[I] | AsyncIterable[I],
    work: Callable[[I], T],
    *,
    clock: Clock = SYSTEM_CLOCK,
    **options: Any,
) -> TaskStream[I, T]:
    """Run `work` over `inputs` under no supervisor, a few at a time.

    Prefer `TaskSupervisor.stream`, whose tasks are stopped with their tree.

    Args:
        inputs: Taken one by one, when a task may start; may be without an end.
        work: Called with each.
        clock: What their timeouts are measured with.
        options: Those of `StreamOptions`.

    Example:
        >>> [result.value for result in stream([3, -4, 5], abs)]
        [3, 4, 5]
    """
    return TaskStream(inputs, work, begin_unsupervised, StreamOptions(**options), clock)
