"""Where the work of an evaluation is done: on threads, on a loop, or in processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dspex.core.errors import ConfigurationError
from dspex.core.loops import running_loop
from dspex.evaluate.isolate.errand import Limits
from dspex.evaluate.isolate.process_workers import ain_processes, in_processes
from dspex.evaluate.metric import Metric
from dspex.evaluate.working.awaiting import is_awaited, needs_loop
from dspex.evaluate.working.loop_workers import LoopWorkers
from dspex.evaluate.working.scoring import ascoring, scoring
from dspex.evaluate.working.traces import Tracing
from dspex.evaluate.working.worker import AsyncWork, Work

Isolate = Literal["thread", "process"]
"""Where program and metric are done: here, or in processes of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What each example goes through, and on what."""

    work: Work | AsyncWork
    """The work."""
    workers: LoopWorkers | None = None
    """What carries it out; `None` for threads."""


@contextmanager
def workplace(
    program: Callable[..., Any],
    metric: Metric,
    isolate: Isolate,
    limits: Limits,
    tracing: Tracing,
) -> Iterator[Workplace]:
    """Give a place to work from a thread, until the block is left.

    Args:
        program: What is scored.
        metric: What scores it.
        isolate: Whether both are done here or in processes of their own.
        limits: The range of the metric; and how long an example may take in a process.
        tracing: Keeps the calls of some of the examples.
    """
    reach = limits.metric_range
    if isolate == "process":
        with in_processes(program, metric, limits) as work:
            yield Workplace(work=tracing.around(work))
    elif needs_loop(program) or needs_loop(metric):
        awork = tracing.around_async(ascoring(program, metric, reach))
        yield Workplace(work=awork, workers=LoopWorkers())
    else:
        yield Workplace(work=tracing.around(scoring(program, metric, reach)))


@asynccontextmanager
async def workplace_here(
    program: Callable[..., Any],
    metric: Metric,
    isolate: Isolate,
    limits: Limits,
    tracing: Tracing,
) -> AsyncIterator[Workplace]:
    """Give a place to work on the running loop; see `workplace`."""
    reach = limits.metric_range
    if isolate == "process":
        async with ain_processes(program, metric, limits) as work:
            yield Workplace(work=tracing.around(work))
    elif is_awaited(program) or is_awaited(metric):
        workers = LoopWorkers(running_loop())
        awork = tracing.around_async(ascoring(program, metric, reach))
        yield Workplace(work=awork, workers=workers)
    else:
        yield Workplace(work=tracing.around(scoring(program, metric, reach)))


def checked_isolate(isolate: Any) -> Isolate:
    """Return a word for where the work is done.

    Raises:
        ConfigurationError: It is none.
    """
    if isolate not in get_args(Isolate):
        raise ConfigurationError(
            f"isolate is {isolate!r}; expected 'thread' or 'process'. Write "
            "isolate='process' for code that may hang or crash the interpreter."
        )
    found: Isolate = isolate
    return found
