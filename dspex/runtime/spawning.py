"""Work side by side under the tree: what the runtime supplies as a `Spawner`.

Each batch is a task supervisor of its own beside the evaluations, so that pictures show
it while it runs and a closing runtime ends it. Nothing is left of it afterwards.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import Any, TypeVar

from dspex.core.errors import WorkLostError, WorkTimeoutError
from dspex.core.ids import new_id
from dspex.core.spawner import Finished
from dspex.runtime import tree
from dspex.runtime.runtime import current_runtime
from supervisors import (
    ActorDownError,
    DynamicSupervisor,
    Exit,
    ExitReason,
    Failed,
    Ok,
    Restart,
    Scope,
    SupervisorError,
    Task,
    TaskSupervisor,
    current_scope,
    last_words,
    within,
)

I = TypeVar("I")  # noqa: E741 - the input
T = TypeVar("T")

_GRACE = 1.0
"""Seconds a piece of work may take to end by itself when its runtime is closed."""
_TIMEOUT = Failed("timeout")
"""Why a task that took too long has ended."""


class TreeSpawner:
    """Runs each piece of work as a task under the runtime of its caller's context."""

    def each(
        self,
        work: Callable[[I], T],
        items: Iterable[I],
        *,
        concurrency: int,
        timeout: float | None = None,
        label: str = "item",
    ) -> Generator[Finished[T], None, None]:
        """Do `work` on each item, and yield the ends as they come; see `Spawner`."""
        registry = current_runtime().start().registry
        name = f"{label} batch {new_id()}"
        here = threading.get_ident()
        evaluations = DynamicSupervisor(registry, tree.EVALUATIONS)
        branch = evaluations.start_child(
            TaskSupervisor.child_spec(
                name, restart=Restart.TEMPORARY, task_shutdown=_GRACE
            )
        )
        attempt = _attempting(work, label)
        try:
            with TaskSupervisor(registry, name).stream(
                enumerate(items),
                attempt,
                max_concurrency=concurrency,
                ordered=False,
                timeout=timeout,
                on_timeout="kill_task",
                zip_input_on_exit=True,
                link=False,
                label=label,
            ) as ends:
                for end in ends:
                    yield _finished(end, label, timeout)
        finally:
            if threading.get_ident() != here:
                # The garbage collector closes what nobody read to its end, in any
                # thread: in one of this very branch, waiting for its end would be
                # waiting for oneself.
                branch.shutdown()
            else:
                # Who was given up may ask for nothing more, and yet leaves nothing. A
                # runtime that was closed meanwhile has ended the branch already.
                with last_words(), contextlib.suppress(SupervisorError):
                    evaluations.terminate_child(branch)

    async def in_thread(self, work: Callable[[], T], *, label: str = "call") -> T:
        """Do blocking work in a thread while the caller's loop goes on; see `Spawner`.

        It runs under no supervisor: it belongs to the coroutine that awaits it.
        """
        attempt = partial(_attempting(lambda _: work(), label), (0, None))
        task = Task.async_(attempt, label=label)
        try:
            finished: Finished[T] = await task
        except ActorDownError as error:
            raise _lost(0, label, error.reason) from error
        finally:
            # Unless it is over, nobody waits for it any more.
            task.ref.kill()
        if finished.error is not None:
            raise finished.error
        value: Any = finished.value
        result: T = value
        return result


def _attempting(
    work: Callable[[I], T], label: str
) -> Callable[[tuple[int, I]], Finished[T]]:
    """The work of one task: whatever it raises is its result, and ends no actor."""
    around = current_scope()
    # Whoever counts the calls of the work around it counts those of its pieces too.
    tags = None if around is None else around.tags

    def attempt(numbered: tuple[int, I]) -> Finished[T]:
        position, item = numbered
        try:
            with within(Scope(f"{label} {position}", tags=tags)):
                return Finished(position, value=work(item))
        except BaseException as error:  # noqa: BLE001 - one piece must not end the others
            return Finished(position, error=error)

    return attempt


def _finished(
    end: Ok[Finished[T]] | Exit, label: str, timeout: float | None
) -> Finished[T]:
    if isinstance(end, Ok):
        return end.value
    position: int = end.input[0]
    if end.reason == _TIMEOUT:
        return Finished(
            position,
            error=WorkTimeoutError(
                f"{label} {position} was not done within {timeout:g} s and was given "
                "up; its calls were withdrawn. Allow more with timeout=.",
                position=position,
            ),
        )
    return Finished(position, error=_lost(position, label, end.reason))


def _lost(position: int, label: str, reason: ExitReason | None) -> WorkLostError:
    return WorkLostError(
        f"{label} {position} was ended before it was done ({reason}); its runtime was "
        "probably closed. Run it again.",
        position=position,
    )
