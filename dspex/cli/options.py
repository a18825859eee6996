"""Options that several commands share: how an evaluation runs, what it gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from dspex.cli import targets
from dspex.cli.console import json_option, traceback_option
from dspex.cli.units import Finite
from dspex.core import defaults
from dspex.core.errors import ConfigurationError

PROGRESS = ("auto", "always", "never")
"""When the progress is shown; they stand here too, because reading them loads much."""

_SECONDS = click.FloatRange(min=0, min_open=True)


class _ErrorsAllowed(click.ParamType[float]):
    """A count of failures, a share such as 0.05 or 5%, or `none`."""

    name = "count or share"

    def convert(self, value: Any, parameter: Any, context: Any) -> float:
        """Read the text of the command line."""
        text = str(value).strip().lower()
        if text == "none":
            return math.inf
        try:
            return _share(text) if text.endswith("%") else _number(text)
        except ValueError:
            self.fail(
                f"{value!r} is no number of failures. Write a count such as 10, a "
                "share such as 0.05 or 5%, or none.",
                parameter,
                context,
            )


def _share(text: str) -> float:
    share = float(text[:-1]) / 100
    if not 0 < share < 1:
        raise ValueError(text)
    return share


def _number(text: str) -> float:
    number = float(text)
    if 0 < number < 1:
        return number
    if number < 1 or not number.is_integer():
        raise ValueError(text)
    return int(number)


def _metric_range(
    _context: click.Context, _parameter: click.Parameter, ends: tuple[float, float]
) -> tuple[float, float]:
    from dspex.evaluate.metric import checked_range

    try:
        return checked_range(ends)
    except ConfigurationError as error:
        raise click.BadParameter(
            f"{ends[0]:g} {ends[1]:g} is no range of scores. Write the lowest and the "
            "highest score of the metric, the lower first, such as 0 5."
        ) from error


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what to give of a result."""
    options = (
        click.option(
            "--show",
            "shown",
            type=click.IntRange(min=0),
            default=3,
            show_default=True,
            metavar="N",
            help="Show N of the examples that did not get the full score.",
        ),
        click.option(
            "--fail-under",
            type=Finite(),
            metavar="PERCENT",
            help="End with exit code 1 when the score is below this, or could be once "
            "everything is measured.",
        ),
        click.option(
            "--report",
            type=click.Path(path_type=Path, dir_okay=False),
            callback=targets.page,
            metavar="FILE.html",
            help="Write a page to look at: drawings, failures, rows.",
        ),
        click.option(
            "--export",
            type=click.Path(path_type=Path, dir_okay=False),
            callback=targets.rows_file,
            metavar="FILE",
            help="Write the rows to a .csv or .jsonl file.",
        ),
        click.option(
            "--progress",
            type=click.Choice(PROGRESS),
            default="auto",
            show_default=True,
            help="When to show how far it is; auto is on a terminal.",
        ),
        json_option,
        traceback_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how an evaluation runs."""
    options = (
        click.option(
            "--concurrency",
            type=click.IntRange(min=1),
            metavar="N",
            help=f"Examples worked on at a time.  [default: {defaults.CONCURRENCY}]",
        ),
        click.option(
            "--trials",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            metavar="N",
            help="Measure each example N times; its score is the mean.",
        ),
        click.option(
            "--timeout",
            type=_SECONDS,
            metavar="SECONDS",
            help="How long one example may take.  [default: no limit]",
        ),
        click.option(
            "--metric-timeout",
            type=_SECONDS,
            metavar="SECONDS",
            help="How long of that its metric may take.  [default: no limit]",
        ),
        click.option(
            "--total-timeout",
            type=_SECONDS,
            metavar="SECONDS",
            help="How long all may take; the rest is not measured.  "
            "[default: no limit]",
        ),
        click.option(
            "--max-errors",
            type=_ErrorsAllowed(),
            metavar="N|SHARE",
            help="Failures of program, metric or provider after which to stop: a "
            "count, a share such as 0.05 or 5% of what is settled, or none.  "
            f"[default: {defaults.MAX_ERRORS}]",
        ),
        click.option(
            "--metric-range",
            type=(float, float),
            callback=_metric_range,
            default=defaults.METRIC_RANGE,
            metavar="LOW HIGH",
            help="The lowest and the highest score the metric gives; one outside fails "
            "its example.  [default: 0 1]",
        ),
        click.option(
            "--isolate",
            type=click.Choice(["thread", "process"]),
            default="thread",
            show_default=True,
            help="Where program and metric are done: processes of their own are for "
            "code that may hang or crash.",
        ),
        click.option(
            "--keep-traces",
            type=click.Choice(["wrong", "all", "none"]),
            default="wrong",
            show_default=True,
            help="Whose prompts and answers are kept with their outcome.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
