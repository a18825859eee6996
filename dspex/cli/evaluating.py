"""Carrying an ordered evaluation out: run it, tell what it found, say how to go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dspex.cli.configured import configured
from dspex.cli.console import Exit, Failure, say, show, show_json, writing
from dspex.cli.disturbed import disturbed
from dspex.cli.metrics import metric_of
from dspex.cli.order import Order
from dspex.cli.programs import lm_for, program_of, signature_of
from dspex.cli.scores import as_plain, lines_of
from dspex.cli.targets import save_rows
from dspex.core.errors import EvaluationError

if TYPE_CHECKING:
    from dspex.core.data import Dataset
    from dspex.evaluate.metric import Metric
    from dspex.evaluate.results.result import EvaluationResult
    from dspex.testing.chaos import ChaosPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to give of a result."""

    as_json: bool
    """Whether it is printed as JSON."""
    shown: int
    """How many examples below full score are shown to people."""
    fail_under: float | None
    """The score below which the command fails."""
    report: Path | None
    """Where a page goes."""
    export: Path | None
    """Where the rows go."""
    progress: bool | None = None
    """Whether it shows how far it is; `None` is on a terminal."""
    chaos: ChaosPlan | None = None
    """What is to go wrong meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What an order names, found and loaded."""

    program: Callable[..., Any]
    """The program."""
    metric: Metric
    """The metric."""
    examples: Dataset
    """The examples."""
    lm: Any
    """The model to configure; `None` when each predictor has its own."""


def prepared(order: Order) -> Prepared:
    """Find what an order names, before anything is paid for.

    Raises:
        click.UsageError: A name leads nowhere.
        DataError: Rows cannot be read; it names all of them.
        ConfigurationError: There is no model.
    """
    program = program_of(order.program, cot=order.cot, saved=order.saved)
    metric = metric_of(order.metric)
    examples = examples_of(order.data, input_names(program, order.inputs), order.limit)
    check_field(metric, examples)
    return Prepared(
        program=program,
        metric=metric,
        examples=examples,
        lm=lm_for(program, order.choice),
    )


def carry_out(order: Order, made: Prepared, wanted: Wanted, *, run: str | None) -> None:
    """Evaluate, and give what was found, also of what was cut short.

    Args:
        order: What was ordered.
        made: What it names.
        wanted: What to give.
        run: The run's name; `None` keeps no record.

    Raises:
        Failure: It was interrupted, or the score is below what is asked for.
        EvaluationError: It could not go on.
    """
    result = _evaluated(order, made, wanted, run)
    if wanted.fail_under is not None:
        _check_score(result, wanted.fail_under)


def _check_score(result: EvaluationResult, fail_under: float) -> None:
    """Fail unless the score is high enough, whatever is still to be measured."""
    low, _ = result.score_range
    if low >= fail_under:
        return
    told = f"the score {result.score:g}"
    if low < result.score:
        told = f"{told}, which may turn out to be {low:g},"
    raise Failure(f"{told} is below --fail-under {fail_under:g}", Exit.FAILED)


def _evaluated(
    order: Order, made: Prepared, wanted: Wanted, run: str | None
) -> EvaluationResult:
    import dspex
    from dspex.programs.settings import context

    limits = order.limits
    scoring = dspex.Evaluate(
        devset=made.examples,
        metric=made.metric,
        concurrency=limits.concurrency,
        timeout=limits.timeout,
        metric_timeout=limits.metric_timeout,
        total_timeout=limits.total_timeout,
        max_errors=limits.max_errors,
        metric_range=limits.metric_range,
        trials=limits.trials,
        isolate=limits.isolate,
        keep_traces=limits.keep_traces,
        display_progress=wanted.progress,
        run=run,
        persist=run is not None,
        notes=order.notes(),
    )
    changes = {} if made.lm is None else {"lm": made.lm}
    try:
        with (
            dspex.Runtime(configured().config),
            context(**changes),
            disturbed(wanted.chaos),
        ):
            result = scoring(made.program)
    except KeyboardInterrupt as interrupted:
        text = _cut_short(interrupted, made, wanted, run)
        raise Failure(text, Exit.INTERRUPTED) from interrupted
    except EvaluationError as error:
        if error.result is not None and any(error.result.outcomes):
            give(error.result, made, wanted, run)
        if run is not None:
            say(f"dspex: to go on where it stopped: dspex resume {run}")
        raise
    finally:
        # A module of the user's may have made calls when it was imported.
        dspex.shutdown()
    give(result, made, wanted, run)
    if run is not None and not result.complete:
        say(f"dspex: to measure what is missing: dspex resume {run}")
    return result


def _cut_short(
    interrupted: KeyboardInterrupt, made: Prepared, wanted: Wanted, run: str | None
) -> str:
    """Give what was measured until then, and return what to say of it."""
    result: EvaluationResult | None = getattr(interrupted, "result", None)
    if result is None:
        text = "interrupted"
    else:
        give(result, made, wanted, run)
        total = len(result.outcomes)
        done = total - result.not_measured.total()
        unit = "examples" if result.trials == 1 else "trials"
        text = f"interrupted after {done} of {total} {unit}"
    if run is None:
        return text
    return f"{text}. To go on where it stopped: dspex resume {run}"


def give(
    result: EvaluationResult, made: Prepared, wanted: Wanted, run: str | None
) -> None:
    """Print a result and write the files that are wanted of it."""
    model = None if made.lm is None else made.lm.model
    if wanted.as_json:
        show_json(as_plain(result, model=model, run=run))
    else:
        show("\n".join(lines_of(result, wanted.shown)))
        if run is not None:
            show(f"\nrun {run} (dspex show {run})")
    if wanted.export is not None:
        save_rows(result, wanted.export)
    if wanted.report is not None:
        with writing(str(wanted.report)):
            result.report(wanted.report)


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
        DataError: When rows of the file cannot be read or lack an input.
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
