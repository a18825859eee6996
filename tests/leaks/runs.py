"""Runs that are cancelled, each in its way and at its moment."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dspex
from dspex.core.errors import EvaluationError
from dspex.runtime.runtime import current_runtime
from dspex.testing import FakeProvider
from tests.actors.rows import answer, right, rows

EXAMPLES = 40
LATENCY = 0.01
"""Seconds that the provider takes for an answer."""
CONCURRENCY = 4
PATIENT = 20.0
"""Seconds after which a test takes something for lost."""
LONGEST = 0.25
"""Seconds until the last moment at which a run is cancelled; some end before."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a run is made, and how it is ended."""

    name: str
    run: Callable[[dspex.Evaluate, float], object]
    """Evaluate, and end it after so many seconds."""


def run_in(way: Way, moment: float) -> None:
    """Make one run in a runtime of its own, and end it at that moment."""
    with (
        FakeProvider(answer=answer, latency=LATENCY) as provider,
        dspex.Runtime(dspex.Config(persist=False)),
    ):
        lm = dspex.LM("openai/fake", api_base=provider.base_url, cache=False)
        evaluate = dspex.Evaluate(
            devset=rows(EXAMPLES),
            metric=right,
            concurrency=CONCURRENCY,
            display_progress=False,
            # So that a run whose way is another does not end by this.
            timeout=moment + 0.001 if way.name.startswith("timeout") else None,
            max_errors=float("inf"),
        )
        with dspex.context(lm=lm):
            way.run(evaluate, moment)


def moments(seed: int, count: int) -> Iterator[float]:
    """Seconds after which to end each run; the same for the same seed."""
    dice = random.Random(seed)
    for _ in range(count):
        # The beginning of a run is the shortest part of it, and has the most steps.
        yield dice.uniform(0.0, dice.choice((LONGEST, LONGEST / 10)))


def asks(question: str) -> Any:
    """Ask a model, and then itself; a plain function."""
    return dspex.Predict("question -> answer")(question=question)


async def asks_awaiting(question: str) -> Any:
    """Do the same as a coroutine."""
    return await dspex.Predict("question -> answer").acall(question=question)


def by_task(program: Any) -> Callable[[dspex.Evaluate, float], None]:
    """Await the run in a task, which is cancelled."""

    async def main(evaluate: dspex.Evaluate, moment: float) -> None:
        task = asyncio.create_task(evaluate.acall(program))
        await asyncio.wait([task], timeout=moment)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    return lambda evaluate, moment: asyncio.run(main(evaluate, moment))


def by_timeout(program: Any) -> Callable[[dspex.Evaluate, float], None]:
    """Let each example be given up that takes longer than the moment."""

    def run(evaluate: dspex.Evaluate, _moment: float) -> None:
        with contextlib.suppress(EvaluationError):
            evaluate(program)

    return run


def by_stop(program: Any) -> Callable[[dspex.Evaluate, float], None]:
    """Start the run, and stop it by its handle."""

    def run(evaluate: dspex.Evaluate, moment: float) -> None:
        started = evaluate.start(program)
        threading.Event().wait(moment)
        started.stop()
        with contextlib.suppress(EvaluationError, KeyboardInterrupt):
            started.result(timeout=PATIENT)

    return run


def by_closing(program: Any) -> Callable[[dspex.Evaluate, float], None]:
    """Close the runtime under the run."""

    def run(evaluate: dspex.Evaluate, moment: float) -> None:
        timer = threading.Timer(moment, current_runtime().close)
        timer.start()
        with contextlib.suppress(EvaluationError, dspex.RuntimeClosedError):
            evaluate(program)
        timer.join()

    return run


def by_ctrl_c(program: Any) -> Callable[[dspex.Evaluate, float], None]:
    """Have SIGINT sent to this thread: the main one of a process of its own."""

    def run(evaluate: dspex.Evaluate, moment: float) -> None:
        here = threading.get_ident()
        timer = threading.Timer(moment, signal.pthread_kill, (here, signal.SIGINT))
        try:
            timer.start()
            evaluate(program)
            # The moment came too late: this is where it hits.
            threading.Event().wait(PATIENT)
        except KeyboardInterrupt:
            pass
        timer.join()

    return run


WAYS = (
    Way("task, coroutines", by_task(asks_awaiting)),
    Way("ctrl-c, threads", by_ctrl_c(asks)),
    Way("timeout, threads", by_timeout(asks)),
    Way("task, threads", by_task(asks)),
    Way("ctrl-c, coroutines", by_ctrl_c(asks_awaiting)),
    Way("stop, threads", by_stop(asks)),
    Way("stop, coroutines", by_stop(asks_awaiting)),
    Way("closing, threads", by_closing(asks)),
    Way("timeout, coroutines", by_timeout(asks_awaiting)),
    Way("closing, coroutines", by_closing(asks_awaiting)),
)
"""Every way, each with plain functions and with coroutines."""
