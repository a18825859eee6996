"""The work of an evaluation in child processes that are used again.

Python cannot end a thread, and code that holds the interpreter (a loop in C, a regular
expression that backtracks for ever) stops all of them; a fault in a C library ends the
process. In a child all of that costs the one example: at its deadline the child is
killed with everything it started, and the next example gets another one.

A child is a fresh Python that imports what it needs: 0.7 s of CPU on the machine this
was written on, more with the user's own imports. It is started when an example
waits and no child is free, so there are at most as many as examples at work, and it
does one example after another. What an example costs besides, in this
process, is about 0.4 ms of CPU, and 0.3 ms for each call of a model.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.ids import new_id
from dspex.core.spawner import the_spawner
from dspex.evaluate.isolate.child_process import ChildProcess, killed_with_its_work
from dspex.evaluate.isolate.errand import Errand, Limits
from dspex.evaluate.isolate.failures import Failure
from dspex.evaluate.isolate.parcel import Parcel, pack
from dspex.evaluate.metric import Metric
from dspex.evaluate.working.worker import Measured, Work
from dspex.runtime import tree
from dspex.runtime.runtime import current_runtime
from supervisors import (
    ChildSpec,
    DynamicSupervisor,
    DynamicSupervisorActor,
    Intensity,
    Restart,
    SupervisorActor,
    SupervisorError,
    TaskSupervisor,
)

NO_LIMITS: Final = Limits()

READY_WITHIN: Final = 120.0
"""Seconds in which a child must have imported program and metric."""


@contextlib.contextmanager
def in_processes(
    program: Callable[..., Any], metric: Metric, limits: Limits = NO_LIMITS
) -> Iterator[Work]:
    """Do the work of an evaluation in child processes, until the block is left.

    One child is started here, so that a program or metric that cannot be taken to
    another process is known before any work starts. When the block is left, no child
    is.

    Args:
        program: A function of a module, or a program whose state can be saved.
        metric: One metric, or several by name; functions of modules, partials of them,
            or objects such as `exact_match("answer")`.
        limits: How long an example may take.

    Raises:
        ConfigurationError: Something cannot be found or made in another process.
        WorkerDied: The first child ended before it was ready.
    """
    parcel = pack(program, metric, limits.metric_range)
    with _branch() as branch:
        processes = Processes(branch, parcel)
        try:
            processes.give_back(processes.take())
            yield _work(processes, branch.calls, limits)
        finally:
            processes.close()


@contextlib.asynccontextmanager
async def ain_processes(
    program: Callable[..., Any], metric: Metric, limits: Limits = NO_LIMITS
) -> AsyncIterator[Work]:
    """The same in a coroutine, whose loop goes on while children start and end."""
    in_thread = the_spawner().in_thread
    opened = in_processes(program, metric, limits)
    work = await in_thread(opened.__enter__, label="the start of child processes")
    try:
        yield work
    finally:
        # To its end also when the task is cancelled once more: no child may stay.
        leaving = in_thread(lambda: opened.__exit__(None, None, None), label="leaving")
        await asyncio.shield(asyncio.ensure_future(leaving))


def _work(processes: Processes, calls: TaskSupervisor, limits: Limits) -> Work:
    def work(example: Example) -> Measured:
        child = processes.take()
        try:
            return Errand(child, processes.parcel.models, calls).run(example, limits)
        finally:
            processes.give_back(child)

    return work


@dataclass(frozen=True, slots=True, kw_only=True)
class _Branch:
    """The part of the tree the children and the calls they make belong to."""

    children: DynamicSupervisor
    """Supervises the children."""
    calls: TaskSupervisor
    """Supervises the calls of models."""


@contextlib.contextmanager
def _branch() -> Iterator[_Branch]:
    registry = current_runtime().start().registry
    name = f"processes {new_id()}"
    evaluations = DynamicSupervisor(registry, tree.EVALUATIONS)
    # Children are temporary, so there is nothing to count.
    children = ChildSpec(
        id="children",
        actor=DynamicSupervisorActor,
        kwargs={"intensity": Intensity(max_restarts=0, within=1.0)},
        name=f"{name}/children",
        kind="supervisor",
    )
    calls = TaskSupervisor.child_spec("calls", name=f"{name}/calls")
    branch = evaluations.start_child(
        ChildSpec(
            id=name,
            actor=SupervisorActor,
            args=((calls, children),),
            kind="supervisor",
            restart=Restart.TEMPORARY,
        )
    )
    try:
        yield _Branch(
            children=DynamicSupervisor(registry, f"{name}/children"),
            calls=TaskSupervisor(registry, f"{name}/calls"),
        )
    finally:
        # A runtime that was closed meanwhile has ended it already.
        with contextlib.suppress(SupervisorError):
            evaluations.terminate_child(branch)


class Processes:
    """The children of one evaluation: those that are free, and how one is started.

    Any thread may take one and give it back; between the two it is that thread's alone.
    """

    def __init__(self, branch: _Branch, parcel: Parcel) -> None:
        self.parcel = parcel
        self._branch = branch
        # Protects the two fields below.
        self._lock = threading.Lock()
        self._free: list[ChildProcess] = []
        self._closed = False

    def take(self) -> ChildProcess:
        """Return a child that is ready: a free one, or a new one.

        Raises:
            ConfigurationError: Program or metric cannot be made in another process.
            WorkerDied: The new one ended before it was ready.
            SupervisorError: The evaluation is over.
        """
        while True:
            with self._lock:
                child = self._free.pop() if self._free else None
            if child is None:
                return self._started()
            if child.is_alive():
                return child
            # Killed from outside while it had nothing to do.
            child.ended()

    def give_back(self, child: ChildProcess) -> None:
        """Let the next example have it, when it is alive."""
        with self._lock:
            is_wanted = child.is_alive() and not self._closed
            if is_wanted:
                self._free.append(child)
        if not is_wanted:
            child.kill()
            child.ended()

    def close(self) -> None:
        """End the free ones; those at work end when they are given back."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
        for child in free:
            child.dismiss()
        for child in free:
            child.ended()

    def _started(self) -> ChildProcess:
        child = ChildProcess.start(self._branch.children, f"child {new_id()}")
        try:
            with killed_with_its_work(child):
                self._made_ready(child)
        except BaseException:
            child.kill()
            child.ended()
            raise
        return child

    def _made_ready(self, child: ChildProcess) -> None:
        until = time.monotonic() + READY_WITHIN
        with child.death_told(lambda: "runtime"):
            child.channel.say({"parcel": self.parcel.line})
            while "ready" not in (line := child.channel.hear(until)):
                child.take_note(line)
                if "unfit" in line:
                    failure = Failure(**line["unfit"])
                    raise _unfit(failure) from failure.error()


def _unfit(failure: Failure) -> ConfigurationError:
    return ConfigurationError(
        "program and metric cannot be made in another process, where their modules are "
        f"imported anew: {failure.type}: {failure.message}. Mend that, keep what a "
        'script does under if __name__ == "__main__", or leave isolate="process" out.'
    )
