"""Functions that run as short-lived actors: Elixir's `Task.Supervisor`.

Two names differ from Elixir's, because Python keeps theirs for itself: `async_` and
`await_`.
"""

from __future__ import annotations

import contextvars
import itertools
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
from typing import Any, Self, TypeVar, cast

from supervisors._current import current_life
from supervisors._future import ReplyFuture
from supervisors._homes import LoopOwner
from supervisors._life import Life
from supervisors._loop_task import begin_loop_task
from supervisors._messages import AddChild, TerminateChild
from supervisors._outcome import NOT_GIVEN, Exit, Ok, Outcome
from supervisors._roll import Roll
from supervisors._root import ROOT, start_root
from supervisors._stopping import stop
from supervisors._stream_options import StreamOptions
from supervisors._task import Task, await_many, yield_many
from supervisors._task_actor import TaskActor, begin_task
from supervisors._task_supervisor import TaskSupervisorActor
from supervisors.child_spec import ChildSpec, Intensity, Restart, ShutdownPolicy
from supervisors.clock import SYSTEM_CLOCK, Clock
from supervisors.errors import ConfigError
from supervisors.events import Events
from supervisors.exits import ExitReason
from supervisors.lane import LaneSource, LaneTask, open_lane
from supervisors.loop_lane import LoopLaneSource, LoopLaneTask, open_loop_lane
from supervisors.ref import Ref
from supervisors.registry import Registry
from supervisors.stream import TaskStream, stream
from supervisors.supervisor import AnySupervisor

__all__ = [
    "NOT_GIVEN",
    "Exit",
    "LaneSource",
    "LaneTask",
    "LoopLaneSource",
    "LoopLaneTask",
    "Ok",
    "Outcome",
    "StreamOptions",
    "Task",
    "TaskActor",
    "TaskStream",
    "TaskSupervisor",
    "TaskSupervisorActor",
    "await_many",
    "stream",
    "yield_many",
]

I = TypeVar("I")  # noqa: E741 - the input
T = TypeVar("T")


class TaskSupervisor(AnySupervisor):
    """A supervisor of tasks, as the rest of a program holds it.

    Each task runs on a thread that is used again, in a copy of its starter's context,
    and belongs to whatever its starter's work belongs to: when that is given up, the
    task's calls are refused as well.

    When to use it: work that runs beside other work and ends. When not: a part that
    lives on and answers messages, which is an `Actor`.

    Example:
        >>> with TaskSupervisor.start() as tasks:
        ...     task = tasks.async_(lambda: 6 * 7)
        ...     task.await_()
        42
    """

    def __init__(
        self, registry: Registry, name: str, root: Ref[Any] | None = None
    ) -> None:
        """Hold the task supervisor of that name in a tree."""
        super().__init__(registry, name, root)
        # The roll found last: good until its supervisor ends, and looked up anew then.
        self._home: Roll | None = None
        self._numbers = itertools.count(1)

    @staticmethod
    def child_spec(
        child_id: str = "tasks",
        *,
        name: str | None = None,
        max_children: int | None = None,
        intensity: Intensity | None = None,
        task_shutdown: ShutdownPolicy = 5.0,
        inject: bool = False,
        restart: Restart = Restart.PERMANENT,
        significant: bool = False,
    ) -> ChildSpec:
        """The spec of a task supervisor, for the children of a supervisor.

        Args:
            child_id: Its id there.
            name: Its name in the tree; the id unless given.
            max_children: How many tasks may run at a time; `None` is no limit.
            intensity: How many restarts of its transient and permanent tasks are
                allowed; three in five seconds unless given.
            task_shutdown: How long its tasks may take to stop when it stops.
            inject: Whether a task that is killed gets a `TaskInterrupt` thrown into its
                function, between two steps of it. Only for functions that change
                nothing others see: see `supervisors._inject`.
            restart: When it is started again.
            significant: Whether its end may stop the supervisor above.
        """
        return ChildSpec(
            id=child_id,
            actor=TaskSupervisorActor,
            kwargs={
                "max_children": max_children,
                "intensity": intensity,
                "task_shutdown": task_shutdown,
                "inject": inject,
            },
            name=name or child_id,
            kind="supervisor",
            restart=restart,
            significant=significant,
        )

    @classmethod
    def start(
        cls,
        *,
        max_children: int | None = None,
        intensity: Intensity | None = None,
        task_shutdown: ShutdownPolicy = 5.0,
        inject: bool = False,
        registry: Registry | None = None,
        events: Events | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """Start one as the root of a tree of its own; see `child_spec` for the options.

        Raises:
            ConfigError: An option makes no sense; nothing was started.
        """
        actor = TaskSupervisorActor(
            max_children=max_children,
            intensity=intensity,
            task_shutdown=task_shutdown,
            inject=inject,
        )
        root = start_root(actor, registry=registry, events=events, clock=clock)
        return cls(actor.surroundings.registry, ROOT, root)

    def async_(self, work: Callable[[], T], *, label: str = "task") -> Task[T]:
        """Run `work`, linked to the calling actor: if one crashes, both end.

        A thread that is no actor has no link; a crash is raised where it awaits.

        Raises:
            ActorDownError: The task supervisor is not there.
            ChildStateError: It runs `max_children` tasks.
            ScopeCancelledError: The work this call belongs to was given up.
            StartError: The program is ending.
        """
        caller = current_life()
        return self._task(work, label, caller, linked=caller is not None)

    def async_nolink(self, work: Callable[[], T], *, label: str = "task") -> Task[T]:
        """Run `work`; its crash is a value or an error for whoever waits for it.

        Raises:
            The same errors as `async_`.
        """
        return self._task(work, label, current_life(), linked=False)

    def start_child(
        self,
        work: Callable[[], object],
        *,
        restart: Restart = Restart.TEMPORARY,
        label: str = "task",
    ) -> Ref[Any]:
        """Run `work` for what it does: nobody waits for its value.

        Args:
            work: The function.
            restart: Whether it is run again after it ended. A task that is belongs to
                the supervisor alone: it is not given up with its starter's work.
            label: What errors and pictures call it.

        Raises:
            The same errors as `async_`.
        """
        label = self._numbered(label)
        if restart is Restart.TEMPORARY:
            return begin_task(work, label, self._roll())
        spec = ChildSpec(
            id=label,
            actor=TaskActor,
            args=(work,),
            kwargs={"label": label, "context": contextvars.copy_context()},
            restart=restart,
        )
        return cast("Ref[Any]", self.call(AddChild(spec=spec), timeout=None))

    def async_on(
        self,
        loop: LoopOwner,
        work: Callable[[], Coroutine[Any, Any, T]],
        *,
        label: str = "task",
    ) -> Task[T]:
        """Run a coroutine function on an event loop; nobody is linked to it.

        Nothing waits for its start, so any thread may call this, the loop's own too.
        Ended from outside, or asked to stop, it is cancelled: what it awaits raises
        `asyncio.CancelledError`. Await it, or watch its `ref`.

        Args:
            loop: An `EventLoopActor`, with which it ends, or a running loop of yours.
            work: The coroutine function. It must not block.
            label: What errors and pictures call it.

        Raises:
            The same errors as `async_`; `StartError` when the loop does not run, too.
        """
        ref = begin_loop_task(work, self._numbered(label), loop, self._roll())
        return Task(ref, current_life(), linked=False)

    def open_lane_on(self, loop: LoopOwner, source: LoopLaneSource) -> None:
        """Run the tasks of `source` one after another on an event loop.

        Each is an actor under this supervisor, as one that `async_on` starts. For very
        many short ones, from any thread; see `supervisors.loop_lane`.

        Raises:
            ActorDownError: The task supervisor is not there.
            StartError: The program is ending, or the loop does not run.
        """
        open_loop_lane(source, loop, self._roll())

    def children(self) -> tuple[Ref[Any], ...]:
        """The tasks that run now; nobody is asked."""
        shown = self.ref().life.children()
        return tuple(status.ref for status in shown.statuses if status.ref)

    def terminate_child(self, child: Ref[Any]) -> None:
        """Stop a task as its supervisor would when it stops.

        Raises:
            ChildNotFoundError: It does not run under this supervisor.
        """
        roll = self._roll()
        if child in roll.running():
            stop(child, roll.shutdown)
        else:
            self.call(TerminateChild(child=child), timeout=None)

    def stream(
        self,
        inputs: Iterable[I] | AsyncIterable[I],
        work: Callable[[I], T],
        **options: Any,
    ) -> TaskStream[I, T]:
        """Run `work` over `inputs`, a few at a time, and iterate over the results.

        Args:
            inputs: Taken one by one, when a task may start; may be without an end.
                Asynchronous ones need `async for` over the results.
            work: Called with each.
            options: Those of `StreamOptions`: `max_concurrency`, `ordered`, `timeout`,
                `on_timeout`, `zip_input_on_exit`, `link`, `max_ahead`, `label`.

        Raises:
            ConfigError: An option makes no sense. While iterating: the same errors as
                `async_`; what `inputs` raises; the error of a linked task; and
                `CallTimeoutError`, when a task takes too long.

        Example:
            >>> with TaskSupervisor.start() as tasks:
            ...     for result in tasks.stream([1, 2, 3], lambda n: n * n):
            ...         print(result)
            Ok(value=1)
            Ok(value=4)
            Ok(value=9)
        """
        checked = StreamOptions(**options)
        clock = self.ref().life.clock
        return TaskStream(inputs, work, self._begin_for_stream, checked, clock)

    def open_lane(self, source: LaneSource) -> None:
        """Run the tasks of `source` one after another, on one thread that is reused.

        Each is an actor under this supervisor, as any other task. For very many short
        ones: only the first costs a change of threads. Open several lanes for tasks
        side by side; see `supervisors.lane`.

        Raises:
            ActorDownError: The task supervisor is not there.
        """
        open_lane(source, self._roll())

    def _begin_for_stream(
        self,
        work: Callable[[], Any],
        label: str,
        *,
        deadline: float | None,
        told: Callable[[ReplyFuture[ExitReason]], object],
    ) -> Ref[TaskActor]:
        label = self._numbered(label)
        return begin_task(work, label, self._roll(), deadline=deadline, told=told)

    def _task(
        self,
        work: Callable[[], T],
        label: str,
        caller: Life | None,
        *,
        linked: bool,
    ) -> Task[T]:
        link = caller if linked else None
        ref = begin_task(work, self._numbered(label), self._roll(), linked=link)
        return Task(ref, caller, linked=linked)

    def _numbered(self, label: str) -> str:
        return f"{label} {next(self._numbers)}"

    def _roll(self) -> Roll:
        home = self._home
        if home is not None and not home.closed:
            return home
        roll: Roll | None = self.ref().life.roll
        if roll is None:
            msg = (
                f"{self.name!r} is no task supervisor. Write one into the tree with "
                "TaskSupervisor.child_spec(), and pass its name."
            )
            raise ConfigError(msg)
        self._home = roll
        return roll
