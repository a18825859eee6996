"""Running one request's program in the tree, until there is an answer.

The program runs as a task under `services`. A death from outside is charged to nobody:
the program begins again, unless it had begun what must not be done twice, or it keeps
dying. What the program itself raises is its answer.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from dspex.core.errors import WorkLostError, WorkTimeoutError
from dspex.core.once import Unrepeatable, watch_unrepeatable_from_here
from dspex.core.safe_text import text_of_error
from dspex.core.spending import Spending, Spent, count_from_here
from dspex.evaluate.scheduling import quarantine
from dspex.evaluate.scheduling.quarantine import Death
from dspex.evaluate.working.awaiting import needs_loop
from dspex.runtime.runtime import Runtime, current_runtime, present_runtime
from dspex.serve.branch import BACK_WITHIN, begin_branch, loop_of, requests_of
from supervisors import (
    ActorDownError,
    Crashed,
    Events,
    ExitReason,
    Failed,
    Hung,
    Shutdown,
    StartError,
    Task,
    TaskSupervisor,
)
from supervisors.events import EVERYWHERE

_OWN_DOING = (Crashed, Failed, Hung)
"""How a program ends that may have ended what it ran on."""
_LOOK_EVERY = 0.01
"""Seconds between two looks whether a task can be started again."""


class RequestLostError(WorkLostError):
    """A request's program was ended from outside, and is not begun again.

    Attributes:
        begun: What it had begun that is marked `retry=False`, the last one last.
        deaths: How it died, each time that may have been its own doing.
    """

    code = "request_lost"

    def __init__(
        self, message: str, *, begun: Sequence[str], deaths: Sequence[Death]
    ) -> None:
        super().__init__(message)
        self.begun = tuple(begun)
        self.deaths = tuple(deaths)


class ProgramExited(Exception):  # noqa: N818 - carries what a program raised
    """A program raised what would end a process, such as `SystemExit`."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(text_of_error(error))
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a program returned, and what it took."""

    value: Any
    """What it returned."""
    spent: Spent
    """What it had from models, in all its beginnings."""
    beginnings: int = 1
    """How often it was begun; more than once when it was killed from outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One request's call of a program."""

    program: Callable[..., Any]
    """The program."""
    inputs: dict[str, Any]
    """What it is called with, by name."""
    label: str
    """What pictures and errors call it."""
    listening: Callable[[], AbstractContextManager[object]] = nullcontext
    """Makes what is in force while the program runs."""
    again: Callable[[], object] = lambda: None
    """Hears that the program was killed from outside and begins again."""
    context: Context | None = None
    """What it is begun in; `None` for what is in force for all requests."""


@dataclass(frozen=True, slots=True)
class _End:
    """How a program came to its own end."""

    value: Any = None
    error: BaseException | None = None


class Answering:
    """Runs programs for requests; one for each service.

    Args:
        runtime: Where they run; `None` is the runtime of the context it is made in,
            found anew for each request.
    """

    def __init__(self, runtime: Runtime | None) -> None:
        self._runtime = runtime
        self._home: tuple[Runtime, TaskSupervisor] | None = None
        self._context = contextvars.copy_context()

    def adopt(self, context: Context) -> None:
        """Run requests from now on under the settings that are in force there."""
        self._context = context

    def context(self) -> Context:
        """Return what the program of a request is to be begun in."""
        return self._context.copy()

    def events(self, context: Context) -> Events:
        """Return who is told of a request that is answered in that context."""
        runtime = self._runtime or context.run(present_runtime)
        return EVERYWHERE if runtime is None else runtime.events

    async def begin(self) -> None:
        """Start what requests run in, unless it runs.

        Raises:
            RuntimeClosedError: The runtime has ended.
        """
        runtime = self._runtime or self._context.copy().run(current_runtime)
        await asyncio.to_thread(begin_branch, runtime)
        self._home = runtime, requests_of(runtime)

    async def answer(self, work: Work) -> Answered:
        """Run a program to its own end.

        Cancelled, it gives the program up: its calls to models are withdrawn.

        Raises:
            RequestLostError: It was killed from outside, and may not begin again.
            RuntimeClosedError: The runtime has ended.
            ProgramExited: The program raised what would end the process.
            Exception: Whatever else it raises.
        """
        spending, begun, deaths = Spending(), Unrepeatable(), list[Death]()
        # Whatever is adopted meanwhile, it goes on as it began.
        context = work.context or self._context
        number = 0
        while True:
            number += 1
            started = time.monotonic()
            ended = await self._once(work, spending, begun, context)
            if isinstance(ended, _End):
                return _answered(ended, spending, beginnings=number)
            if isinstance(ended, _OWN_DOING):
                seconds = time.monotonic() - started
                deaths.append(Death(attempt=number, reason=ended, seconds=seconds))
            check_may_begin_again(work.label, begun, deaths)
            work.again()

    async def _once(
        self, work: Work, spending: Spending, begun: Unrepeatable, context: Context
    ) -> _End | ExitReason:
        """Run a program until it ends, or is ended."""
        task = await self._task(work, spending, begun, context)
        try:
            end = await task
        except ActorDownError as error:
            return error.reason
        finally:
            # Unless it is over, nobody waits for it any more.
            task.ref.kill()
        return _seen_through(end, task)

    async def _task(
        self, work: Work, spending: Spending, begun: Unrepeatable, context: Context
    ) -> Task[_End]:
        """Start the task of a program, once the branch is there."""
        until = time.monotonic() + BACK_WITHIN
        while True:
            runtime, tasks = await self._place()
            start = functools.partial(
                _start, tasks, _Attempt(work, runtime, spending, begun)
            )
            try:
                return context.copy().run(start)
            except ActorDownError:
                # The branch was killed; or the runtime is over, which raises here.
                await self.begin()
            except StartError:
                if time.monotonic() > until:
                    raise
                # For a moment: a loop that has just ended still has its name, and
                # threads of many that were given up at once have not ended yet.
                await asyncio.sleep(_LOOK_EVERY)

    async def _place(self) -> tuple[Runtime, TaskSupervisor]:
        runtime = self._runtime or self._context.copy().run(current_runtime)
        if self._home is None or self._home[0] is not runtime:
            await self.begin()
        assert self._home is not None  # noqa: S101 - begin() has just set it
        return self._home


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One beginning of a program, in a context of its own."""

    work: Work
    runtime: Runtime
    spending: Spending
    begun: Unrepeatable

    def here(self) -> _End:
        """Call the program in this thread; what it raises is its end."""
        self._watch()
        try:
            with self.runtime.use(), self.work.listening():
                return _End(self.work.program(**self.work.inputs))
        except BaseException as error:  # noqa: BLE001 - it ends one request, not the service
            return _End(error=error)

    async def on_loop(self) -> _End:
        """Await the program on the running loop."""
        self._watch()
        call = getattr(self.work.program, "acall", self.work.program)
        try:
            with self.runtime.use(), self.work.listening():
                return _End(await call(**self.work.inputs))
        except BaseException as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return _End(error=error)

    def _watch(self) -> None:
        count_from_here(self.spending)
        watch_unrepeatable_from_here(self.begun)


def _start(tasks: TaskSupervisor, attempt: _Attempt) -> Task[_End]:
    label = attempt.work.label
    if not needs_loop(attempt.work.program):
        return tasks.async_nolink(attempt.here, label=label)
    return tasks.async_on(loop_of(tasks.registry), attempt.on_loop, label=label)


def _answered(ended: _End, spending: Spending, *, beginnings: int) -> Answered:
    if ended.error is not None:
        raise _harmless(ended.error)
    return Answered(value=ended.value, spent=spending.total(), beginnings=beginnings)


def _harmless(error: BaseException) -> Exception:
    """Return an error that ends this request, and neither the loop nor the process."""
    if isinstance(error, Exception):
        return error
    exited = ProgramExited(error)
    exited.__cause__ = error
    return exited


def _seen_through(end: _End, task: Task[_End]) -> _End | ExitReason:
    """Return a program's own end, or why it only says that it was ended from outside.

    Asked to stop, a task is refused its calls, and the program raises that refusal. One
    whose own tasks were killed raises that; it may be its doing as well.
    """
    error = end.error
    if error is None or isinstance(error, WorkTimeoutError):
        return end
    if task.scope.cancelled:
        return Shutdown()
    return Failed(text_of_error(error)) if isinstance(error, WorkLostError) else end


def check_may_begin_again(
    label: str, begun: Unrepeatable, deaths: Sequence[Death]
) -> None:
    """Let a program that was ended from outside begin again.

    However often somebody kills it: that is not its doing, and its time is limited.

    Args:
        label: What errors call the request.
        begun: What it had begun that is marked `retry=False`.
        deaths: Those of its deaths that may be its own doing, such as a loop it blocks.

    Raises:
        RequestLostError: It had begun what must not be done twice, or keeps dying.
    """
    if begun:
        text = (
            f"{label} was ended from outside after {begun.names[-1]!r} had begun, "
            "which is marked retry=False and never run again. Find out what became of "
            "it before you ask again."
        )
    elif quarantine.is_set_aside(deaths):
        text = (
            f"{label} ended what it ran on {len(deaths)} times, so it is not begun "
            f"again; the last time: {deaths[-1]}. Find out what blocks or crashes."
        )
    else:
        return
    raise RequestLostError(text, begun=begun.names, deaths=deaths)
