"""`dspex show`: what a recorded run or study found, and all of an example of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from dspex.cli.completing import run_names
from dspex.cli.console import json_option, show, show_json, traceback_option
from dspex.cli.scores import as_plain, lines_of, row_lines
from dspex.cli.studies import show_study, study_named

if TYPE_CHECKING:
    from dspex.evaluate.results.result import EvaluationResult
    from dspex.evaluate.results.rows import ResultRow


@click.command("show")
@click.argument("run", shell_complete=run_names)
@click.option(
    "--example",
    "numbers",
    multiple=True,
    type=click.IntRange(min=0),
    metavar="N",
    help="Tell all of this example, counted from 0; may be given again.",
)
@click.option(
    "--candidate",
    "candidates",
    multiple=True,
    type=click.IntRange(min=0),
    metavar="N",
    help="Of a study, show this candidate's program in full; may be given again.",
)
@click.option("--failed", is_flag=True, help="List the examples without a score.")
@click.option("--wrong", is_flag=True, help="List those that scored below full.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="List N of them at most.",
)
@json_option
@traceback_option
def show_run(
    run: str,
    numbers: tuple[int, ...],
    candidates: tuple[int, ...],
    failed: bool,  # noqa: FBT001 - click passes by name
    wrong: bool,  # noqa: FBT001 - click passes by name
    limit: int,
    as_json: bool,  # noqa: FBT001 - click passes by name
) -> None:
    """Tell what the recorded RUN found, also while it goes on.

    Of an example: what was asked and answered, its score, the error and where it was
    raised, each prompt with its answer and how long that took. Prompts are kept of what
    failed or scored below full; `dspex evaluate --keep-traces all` keeps them all.

    Of an optimiser's study: the score of each candidate, where it came from, the best
    program, and how much better that is.

    \b
      dspex show first
      dspex show first --failed
      dspex show first --example 17
      dspex show tuning --candidate 3
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    from dspex.evaluate.results.recorded import load_run
    from dspex.evaluate.results.rows import rows_of

    study = study_named(run)
    if study is not None:
        if numbers or failed or wrong:
            raise click.UsageError(
                f"{run!r} is an optimiser's study, and has candidates instead of "
                "examples. Say --candidate N, or show one of its runs: dspex runs "
                "--parts lists them."
            )
        show_study(study, candidates, limit=limit, as_json=as_json)
        return
    if candidates:
        raise click.UsageError(
            f"{run!r} is an evaluation, and has examples instead of candidates. Say "
            "--example N."
        )
    result = load_run(run)
    if numbers:
        _check(result, numbers)
        rows = [row for number in numbers for row in rows_of(result, number)]
        _give(rows, result, as_json=as_json, whole=True)
    elif failed or wrong:
        chosen = picked(result, failed=failed, wrong=wrong)
        _give(list(islice(chosen, limit)), result, as_json=as_json, whole=False)
    elif as_json:
        show_json(as_plain(result, model=None, run=run))
    else:
        show("\n".join(lines_of(result, 3)))


def picked(
    result: EvaluationResult, *, failed: bool, wrong: bool
) -> Iterator[ResultRow]:
    """Yield the rows that failed, that scored below full, or both, in order."""
    from dspex.evaluate.results.rows import rows_in_order

    _, full = result.metric_range
    for row in rows_in_order(result):
        is_wrong = row.score is not None and row.score < full
        is_failed = row.outcome is not None and row.score is None
        if (failed and is_failed) or (wrong and is_wrong):
            yield row


def _give(
    rows: list[ResultRow], result: EvaluationResult, *, as_json: bool, whole: bool
) -> None:
    if as_json:
        show_json([plain(row) for row in rows])
    elif whole:
        show("\n\n".join(result.explain(row.number, row.trial) for row in rows))
    elif rows:
        show("\n".join(line for row in rows for line in row_lines(row)))
    else:
        show("there is none")


def plain(row: ResultRow) -> dict[str, Any]:
    """Return a row as JSON values, the calls it made included."""
    from dspex.evaluate.results.export import record_of

    trace = () if row.outcome is None else row.outcome.trace
    return {**record_of(row), "trace": [call.plain() for call in trace]}


def _check(result: EvaluationResult, numbers: tuple[int, ...]) -> None:
    for number in numbers:
        if number >= result.n:
            raise click.UsageError(
                f"there is no example {number}; the run has {result.n}, counted from "
                f"0. Name one from 0 to {result.n - 1}."
            )
