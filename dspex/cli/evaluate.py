"""`dspex evaluate`: a program's score on a file of examples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dspex.cli import completing
from dspex.cli.console import Exit, Failure
from dspex.cli.debugging import debug as debugged
from dspex.cli.disturbed import chaos_option
from dspex.cli.dry import rehearse
from dspex.cli.evaluating import Wanted, carry_out, prepared
from dspex.cli.metrics import FORMS
from dspex.cli.models import ModelChoice, model_options
from dspex.cli.options import limit_options, output_options
from dspex.cli.order import Order, RunLimits
from dspex.cli.programs import saved_option
from dspex.core.home import home

if TYPE_CHECKING:
    from dspex.testing.chaos import ChaosPlan


@click.command()
@click.argument("program")
@click.argument("data", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--data",
    "data_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The examples, by name instead of as the second argument.",
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
    shell_complete=completing.metrics,
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
@limit_options
@click.option(
    "--run",
    metavar="NAME",
    shell_complete=completing.run_names,
    help="A name for this run, to go on with it and to look at it later.  "
    "[default: one by date and time]",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on where the run of that name stopped; begin it when there is none.",
)
@click.option("--no-persist", is_flag=True, help="Keep no record of the run.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Make no call: show the first prompt, and how many calls, tokens, dollars it "
    "would take.",
)
@click.option(
    "--debug",
    is_flag=True,
    help="One example after another, in this thread: breakpoint() works, an error is "
    "shown with its traceback, each outcome with its prompts.",
)
@click.option(
    "--example",
    "numbers",
    multiple=True,
    type=click.IntRange(min=0),
    metavar="N",
    help="With --debug: this example only, counted from 0; may be given again.",
)
@chaos_option
@output_options
def evaluate(
    data: Path | None,
    data_file: Path | None,
    run: str | None,
    resume: bool,  # noqa: FBT001 - click passes by name
    no_persist: bool,  # noqa: FBT001 - click passes by name
    dry_run: bool,  # noqa: FBT001 - click passes by name
    debug: bool,  # noqa: FBT001 - click passes by name
    numbers: tuple[int, ...],
    as_json: bool,  # noqa: FBT001 - click passes by name
    **others: Any,
) -> None:
    """Score a PROGRAM on the examples in DATA, a .csv, .tsv, .json or .jsonl file.

    PROGRAM is a signature such as "country -> capital", or MODULE:ATTRIBUTE, such as
    my_code:program, for a program of your own: a dspex.Program, its class, or any
    function that takes the inputs by name.

    Each run is recorded: `dspex runs` lists them, `dspex show` tells of each example,
    and `dspex resume` goes on with one that was interrupted, whatever by.

    \b
      dspex evaluate "country -> capital" capitals.csv \\
          --metric exact_match:capital
      dspex evaluate my_code:program data.jsonl --inputs question \\
          --metric my_code:metric --run first --report first.html
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    _check_sense(
        dry_run=dry_run, debug=debug, numbers=numbers, as_json=as_json, **others
    )
    order = order_of(data=_one_of(data, data_file), **others)
    name = None if dry_run or debug else _run_name(run, resume, no_persist)
    made = prepared(order)
    if dry_run:
        rehearse(made, trials=order.limits.trials, as_json=as_json)
    elif debug:
        debugged(made, numbers, order.limits)
    else:
        carry_out(order, made, wanted_of(as_json=as_json, **others), run=name)


def order_of(
    *,
    program: str,
    data: Path,
    metric: str,
    inputs: tuple[str, ...],
    saved: Path | None,
    cot: bool,
    limit: int | None,
    choice: ModelChoice,
    **others: Any,
) -> Order:
    """Put together what was ordered; options that say something else are left out."""
    limits = {
        name: others[name] for name in RunLimits.__dataclass_fields__ if name in others
    }
    return Order(
        program=program,
        data=data,
        metric=metric,
        inputs=inputs,
        saved=saved,
        cot=cot,
        limit=limit,
        choice=choice,
        limits=RunLimits(**limits),
        folder=Path.cwd(),
    )


def wanted_of(
    *,
    as_json: bool,
    shown: int,
    fail_under: float | None,
    report: Path | None,
    export: Path | None,
    progress: str,
    chaos: ChaosPlan | None = None,
    **_others: Any,
) -> Wanted:
    """Put together what to give of the result."""
    return Wanted(
        as_json=as_json,
        shown=shown,
        fail_under=fail_under,
        report=report,
        export=export,
        progress=_SHOWN[progress],
        chaos=chaos,
    )


_SHOWN = {"auto": None, "always": True, "never": False}
"""What `dspex.Evaluate` takes for each word of --progress."""


def _one_of(data: Path | None, data_file: Path | None) -> Path:
    found = data_file if data is None else data
    if found is None or (data is not None and data_file is not None):
        raise click.UsageError(
            "the file of the examples is said twice, or not at all; once was expected. "
            'Write dspex evaluate "country -> capital" capitals.csv --metric ...'
        )
    return found


def _check_sense(
    *,
    dry_run: bool,
    debug: bool,
    numbers: tuple[int, ...],
    as_json: bool,
    isolate: str,
    chaos: ChaosPlan | None,
    **_others: Any,
) -> None:
    if numbers and not debug:
        raise click.UsageError(
            "--example says which example to debug. Add --debug; `dspex show RUN "
            "--example N` tells what came of it in a run."
        )
    if chaos is not None and (debug or dry_run):
        raise click.UsageError(
            "--chaos disturbs an evaluation; it cannot go with --debug or --dry-run. "
            "Leave one of them out."
        )
    if debug and (dry_run or as_json or isolate == "process"):
        raise click.UsageError(
            "--debug works in this thread and is for people; it cannot go with "
            "--dry-run, --json or --isolate process. Leave those out."
        )


def _run_name(
    run: str | None,
    resume: bool,  # noqa: FBT001 - as the command has it
    no_persist: bool,  # noqa: FBT001 - as the command has it
) -> str | None:
    """Return the name the run is recorded by, `None` for one without a record."""
    from dspex.evaluate.record.place import RunPlace
    from dspex.evaluate.running.run import new_run_id

    if run is None:
        if resume:
            raise click.UsageError(
                "--resume goes on with a run, and none was named. Add --run NAME; "
                "`dspex runs` lists them."
            )
        return None if no_persist else new_run_id()
    if no_persist:
        raise click.UsageError(
            "--run names the record of a run, and --no-persist keeps none. Leave one "
            "of the two out."
        )
    path = RunPlace(run=run, home=home()).path
    if path is not None and path.exists() and not resume:
        raise Failure(
            f"there is a run {run!r} already. Add --resume to go on with it, choose "
            f"another name, or look at it: dspex show {run}.",
            Exit.USAGE,
        )
    return run
