"""`dspex evaluate`: a program's score on a file of examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dspex.cli.console import (
    Exit,
    Failure,
    json_option,
    show,
    show_json,
    traceback_option,
)
from dspex.cli.metrics import FORMS, metric_of
from dspex.cli.models import ModelChoice, model_options
from dspex.cli.programs import lm_for, program_of, saved_option, signature_of
from dspex.cli.scores import as_plain, lines_of
from dspex.core import defaults
from dspex.core.errors import EvaluationError, EvaluationInterrupted

if TYPE_CHECKING:
    from dspex.core.data import Dataset
    from dspex.evaluate.metric import Metric
    from dspex.evaluate.result import EvaluationResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """How an evaluation runs; `None` is the default."""

    concurrency: int | None
    """Examples worked on at a time."""
    timeout: float | None
    """Seconds one example may take."""
    max_errors: int | None
    """Failures after which to stop."""


@click.command()
@click.argument("program")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The examples: a .csv, .tsv, .json or .jsonl file.",
)
@click.option(
    "--inputs",
    multiple=True,
    metavar="NAMES",
    help="The columns a program is given, with commas between.  [default: the inputs "
    "of the signature]",
)
@click.option(
    "--metric",
    required=True,
    metavar="METRIC",
    help=f"How an answer is scored: {FORMS}.",
)
@saved_option
@click.option("--cot", is_flag=True, help="Let the model reason before it answers.")
@model_options
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Take the first N examples only.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Examples worked on at a time.  [default: {defaults.CONCURRENCY}]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long one example may take.  [default: no limit]",
)
@click.option(
    "--max-errors",
    type=click.IntRange(min=1),
    metavar="N",
    help="Failures of program, metric or provider after which to stop.  "
    f"[default: {defaults.MAX_ERRORS}]",
)
@click.option(
    "--show",
    "shown",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="Show N of the examples that did not get the full score.",
)
@click.option(
    "--fail-under",
    type=float,
    metavar="PERCENT",
    help="End with exit code 1 when the score is below this.",
)
@json_option
@traceback_option
def evaluate(
    program: str,
    data: Path,
    inputs: tuple[str, ...],
    metric: str,
    saved: Path | None,
    cot: bool,  # noqa: FBT001 - click passes by name
    choice: ModelChoice,
    limit: int | None,
    concurrency: int | None,
    timeout: float | None,
    max_errors: int | None,
    shown: int,
    fail_under: float | None,
    as_json: bool,  # noqa: FBT001 - click passes by name
) -> None:
    """Score a PROGRAM on examples.

    PROGRAM is a signature such as "country -> capital", or MODULE:ATTRIBUTE, such as
    my_code:program, for a program of your own: a dspex.Program, its class, or any
    function that takes the inputs by name.

    \b
      dspex evaluate "country -> capital" --data capitals.csv \\
          --metric exact_match:capital
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    ready = program_of(program, cot=cot, saved=saved)
    scorer = metric_of(metric)
    examples = examples_of(data, input_names(ready, inputs), limit)
    check_field(scorer, examples)
    limits = RunLimits(concurrency=concurrency, timeout=timeout, max_errors=max_errors)

    def report(result: EvaluationResult) -> None:
        if as_json:
            show_json(as_plain(result, model=model_name(lm)))
        else:
            show("\n".join(lines_of(result, shown)))

    lm = lm_for(ready, choice)
    result = run(ready, scorer, examples, lm, limits, report)
    if fail_under is not None and result.score < fail_under:
        raise Failure(
            f"the score {result.score:.1f} is below --fail-under {fail_under:g}",
            Exit.FAILED,
        )


def run(
    program: Callable[..., Any],
    metric: Metric,
    examples: Dataset,
    lm: Any,
    limits: RunLimits,
    report: Callable[[EvaluationResult], None],
) -> EvaluationResult:
    """Evaluate under a runtime of its own, and report also what was cut short."""
    import dspex
    from dspex.programs.settings import context

    scoring = dspex.Evaluate(
        devset=examples,
        metric=metric,
        concurrency=limits.concurrency,
        timeout=limits.timeout,
        max_errors=limits.max_errors,
    )
    changes = {} if lm is None else {"lm": lm}
    try:
        with dspex.Runtime(), context(**changes):
            result = scoring(program)
    except EvaluationInterrupted as interrupted:
        report(interrupted.result)
        done = sum(outcome is not None for outcome in interrupted.result.outcomes)
        text = f"interrupted after {done} of {interrupted.result.n} examples"
        raise Failure(text, Exit.INTERRUPTED) from interrupted
    except EvaluationError as error:
        if error.result is not None and any(error.result.outcomes):
            report(error.result)
        raise
    finally:
        # A module of the user's may have made calls when it was imported.
        dspex.shutdown()
    report(result)
    return result


def input_names(program: Any, said: Sequence[str]) -> list[str]:
    """Return the names of the input columns.

    Raises:
        click.UsageError: When nobody said them.
    """
    names = [name.strip() for words in said for name in words.split(",")]
    names = [name for name in names if name]
    if names:
        return names
    signature = signature_of(program)
    if signature is None:
        raise click.UsageError(
            "a program of your own does not say which columns it is given; expected "
            "--inputs. Write --inputs question, or --inputs question,context."
        )
    return list(signature.input_fields)


def examples_of(data: Path, inputs: Sequence[str], limit: int | None) -> Dataset:
    """Read the examples.

    Raises:
        DataError: When the file cannot be read or lacks an input.
    """
    import dspex

    rows = dspex.load(data, inputs=inputs)
    return rows if limit is None else rows[:limit]


def check_field(metric: Any, examples: Dataset) -> None:
    """Refuse to compare a column that is not there, before anything is paid for.

    Raises:
        click.UsageError: Then.
    """
    from dspex.core.metrics import ExactMatch, WordOverlap

    columns = examples[0].keys()
    if isinstance(metric, ExactMatch | WordOverlap) and metric.field not in columns:
        raise click.UsageError(
            f"--metric {metric!r} compares a column that is not there; "
            f"the columns are: {', '.join(map(repr, columns))}. Name one of those."
        )


def model_name(lm: Any) -> str | None:
    """Return the model's name, `None` when each predictor has its own."""
    return None if lm is None else lm.model
