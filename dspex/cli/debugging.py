"""`dspex evaluate --debug`: one example after another, in this very thread.

So a `breakpoint()` in the program stops here, with this terminal as its own.
"""

from __future__ import annotations

import bdb
import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from dspex.cli.configured import configured
from dspex.cli.console import Exit, Failure, say, show
from dspex.cli.evaluating import Prepared

if TYPE_CHECKING:
    from dspex.cli.order import RunLimits
    from dspex.core.example import Example
    from dspex.evaluate.evaluate import Evaluate


def debug(made: Prepared, numbers: Sequence[int], limits: RunLimits) -> None:
    """Work on examples one after another and tell all of each.

    Args:
        made: Program, metric, examples and model.
        numbers: Which examples, from 0; all when there are none.
        limits: How often, and between what ends the metric scores; the other limits
            are for what runs beside others.

    Raises:
        Failure: One of them raised; its traceback is on standard error.
        click.UsageError: There is no example of a number.
    """
    import dspex
    from dspex.programs.settings import context

    chosen = list(numbers) or list(range(len(made.examples)))
    _check(chosen, len(made.examples))
    changes = {} if made.lm is None else {"lm": made.lm}
    try:
        with dspex.Runtime(configured().config), context(**changes):
            for number in chosen:
                example = made.examples[number]
                scoring = dspex.Evaluate(
                    devset=[example],
                    metric=made.metric,
                    metric_range=limits.metric_range,
                    trials=limits.trials,
                    debug=True,
                    keep_traces="all",
                )
                show(_told(made, scoring, example, number))
    finally:
        dspex.shutdown()


def _told(made: Prepared, scoring: Evaluate, example: Example, number: int) -> str:
    from dspex.evaluate.results.explained import explained

    try:
        outcomes = scoring(made.program).outcomes
    except bdb.BdbQuit as left:
        text = f"the debugger was left at example {number}"
        raise Failure(text, Exit.FAILED) from left
    except Exception as error:
        say("".join(traceback.format_exception(error)).rstrip())
        text = f"example {number} raised {type(error).__name__}: {error}"
        raise Failure(text, Exit.FAILED) from error
    numbered = [
        replace(outcome, stamp=replace(outcome.stamp, example=number))
        for outcome in outcomes
        if outcome is not None
    ]
    return "\n".join(explained(outcome, example) for outcome in numbered)


def _check(numbers: Sequence[int], count: int) -> None:
    for number in numbers:
        if number >= count:
            raise click.UsageError(
                f"there is no example {number}; the data has {count}, counted from 0. "
                f"Name one from 0 to {count - 1}."
            )
