"""The work of an evaluation: run the program on an example, then score what it gave."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example, arguments_of
from dspex.core.foreign import refuse_dspy
from dspex.core.prediction import Prediction
from dspex.evaluate.metric import Metric, MetricRange, ajudge, judge, waited_for
from dspex.evaluate.results.outcome import Stage
from dspex.evaluate.working.awaiting import awaited
from dspex.evaluate.working.worker import (
    AsyncWork,
    Measured,
    Work,
    WorkFailed,
    metric_begins,
)
from dspex.programs.program import Program


def checked_program(program: Any) -> Callable[..., Any]:
    """Return what is to be scored, before any work starts.

    Raises:
        ConfigurationError: It cannot be called with an example's inputs.
    """
    refuse_dspy(program, "program")
    if isinstance(program, type) and issubclass(program, Program):
        raise ConfigurationError(
            f"program is the class {program.__name__!r}; expected a program made from "
            f"it. Pass {program.__name__}(...)."
        )
    if not callable(program):
        raise ConfigurationError(
            f"program is {type(program).__name__!r}; expected a Program or a function "
            "that takes the inputs of an example by name. Pass the program first, as "
            "in evaluate(program)."
        )
    found: Callable[..., Any] = program
    return found


def scoring(
    program: Callable[..., Any],
    metric: Metric,
    metric_range: MetricRange | None = None,
) -> Work:
    """The work of an evaluation: run the program, then score what it gave."""

    def work(example: Example) -> Measured:
        try:
            prediction = program(**arguments_of(example))
            # What every program gives is looked for first: the other look costs more.
            if type(prediction) is not Prediction and inspect.isawaitable(prediction):
                # A plain function that wraps a coroutine function, such as a lambda.
                prediction = waited_for(prediction)
        except BaseException as error:
            raise WorkFailed(error, "program") from error
        metric_begins()
        try:
            judgement = judge(metric, example, prediction, metric_range=metric_range)
        except BaseException as error:
            raise WorkFailed(error, "metric", prediction) from error
        return Measured.of(judgement, prediction)

    return work


def ascoring(
    program: Callable[..., Any],
    metric: Metric,
    metric_range: MetricRange | None = None,
) -> AsyncWork:
    """The work of an evaluation as a coroutine: run the program, then score it."""

    async def work(example: Example) -> Measured:
        try:
            prediction = await awaited(program, **arguments_of(example))
        except BaseException as error:
            raise _failed(error, "program") from error
        metric_begins()
        try:
            judgement = await ajudge(
                metric, example, prediction, metric_range=metric_range
            )
        except BaseException as error:
            raise _failed(error, "metric", prediction) from error
        return Measured.of(judgement, prediction)

    return work


def _failed(
    error: BaseException, stage: Stage, prediction: Any = None
) -> BaseException:
    """What to raise for an error: the cancellation of this very task stays itself."""
    task = asyncio.current_task()
    is_ours = task is not None and task.cancelling() > 0
    if is_ours and isinstance(error, asyncio.CancelledError):
        return asyncio.CancelledError()
    return WorkFailed(error, stage, prediction)
