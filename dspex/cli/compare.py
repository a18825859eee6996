"""`dspex compare`: two recorded runs on the same examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dspex.cli import targets
from dspex.cli.completing import run_names
from dspex.cli.console import (
    Exit,
    Failure,
    json_option,
    show,
    show_json,
    traceback_option,
    writing,
)
from dspex.cli.units import Finite

if TYPE_CHECKING:
    from dspex.evaluate.compare import Comparison
    from dspex.evaluate.results.result import EvaluationResult


@click.command()
@click.argument("first", shell_complete=run_names)
@click.argument("second", shell_complete=run_names)
@click.option(
    "--fail-if-worse",
    is_flag=True,
    help="End with exit code 1 when SECOND is shown to be worse than FIRST, or when "
    "one of the two is not complete, so that it cannot be told.",
)
@click.option(
    "--fail-unless-better",
    "margin",
    type=Finite(),
    metavar="POINTS",
    help="End with exit code 1 unless SECOND is shown to be better than FIRST by more "
    "than this; below zero, so much worse it may be at most.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(min=50, max=100, min_open=True, max_open=True),
    default=95,
    show_default=True,
    metavar="PERCENT",
    help="Of the interval.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=targets.page,
    metavar="FILE.html",
    help="Write a page with the rows that differ, side by side.",
)
@json_option
@traceback_option
def compare(
    first: str,
    second: str,
    fail_if_worse: bool,  # noqa: FBT001 - click passes by name
    margin: float | None,
    confidence: float,
    report: Path | None,
    as_json: bool,  # noqa: FBT001 - click passes by name
) -> None:
    """Compare two recorded runs, FIRST and SECOND, example by example.

    The verdict says which is better, by how many points, and how sure that is.

    \b
      dspex compare before after --fail-if-worse
      dspex compare before after --fail-unless-better=-5
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    from dspex.evaluate.compare import compare as compared
    from dspex.evaluate.results.recorded import load_run
    from dspex.evaluate.results.verdict import is_worse

    results = [load_run(first), load_run(second)]
    found = compared(
        results[0], results[1], names=(first, second), confidence=confidence / 100
    )
    if as_json:
        show_json(plain(found))
    else:
        show(str(found))
    if report is not None:
        with writing(str(report)):
            found.report(report)
    if fail_if_worse or margin is not None:
        _check_complete(found, results)
    if fail_if_worse and is_worse(found.paired):
        raise Failure(found.verdict, Exit.FAILED)
    if margin is not None and not found.is_better(margin):
        raise Failure(
            f"{second} is not shown to be better by more than {margin:g} points: "
            f"{found.verdict}",
            Exit.FAILED,
        )


def plain(found: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON values."""
    interval = found.interval
    return {
        "names": list(found.names),
        "verdict": found.verdict,
        "difference": found.difference,
        "interval": None
        if interval is None
        else [round(100 * interval.low, 2), round(100 * interval.high, 2)],
        "p_value": found.p_value,
        "n": found.n,
        "wins": found.wins,
        "losses": found.losses,
        "ties": found.ties,
        "complete": found.complete,
        "differing": [
            {
                "number": row.number,
                "first_score": row.first_score,
                "second_score": row.second_score,
            }
            for row in found.rows
        ],
    }


def _check_complete(found: Comparison, results: Sequence[EvaluationResult]) -> None:
    for name, result in zip(found.names, results, strict=True):
        if not result.complete:
            raise Failure(
                f"the run {name!r} is not complete, so it cannot be told which is "
                f"better. Go on with it: dspex resume {name}",
                Exit.FAILED,
            )
