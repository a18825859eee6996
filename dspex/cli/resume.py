"""`dspex resume`: go on with a run where it stopped."""

from __future__ import annotations

from contextlib import chdir
from dataclasses import replace
from typing import Any

import click

from dspex.cli.completing import run_names
from dspex.cli.console import Exit, Failure, show, show_json
from dspex.cli.evaluate import wanted_of
from dspex.cli.evaluating import carry_out, prepared
from dspex.cli.models import ModelChoice, model_options
from dspex.cli.options import output_options
from dspex.cli.order import Order
from dspex.cli.processes import asked, look
from dspex.cli.studies import study_named
from dspex.core.home import home


@click.command()
@click.argument("run", shell_complete=run_names)
@model_options
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="N",
    help="Examples worked on at a time.  [default: as it was begun]",
)
@output_options
def resume(
    run: str, choice: ModelChoice, concurrency: int | None, **others: Any
) -> None:
    """Go on with a RUN that `dspex evaluate` began, where it stopped.

    Program, metric, data and model are those it was begun with, in the same folder;
    what is measured is not measured again. When one of them has changed, that is an
    error which names it. One that was paused and goes on in another process begins
    examples again, there.

    \b
      dspex resume first
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    if _resumed(run, as_json=bool(others.get("as_json"))):
        return
    _refuse_study(run)
    order = _ordered(run)
    if choice.is_said:
        order = replace(order, choice=choice)
    if concurrency is not None:
        order = replace(order, limits=replace(order.limits, concurrency=concurrency))
    if not order.folder.is_dir():
        raise Failure(
            f"the folder {str(order.folder)!r}, where the run {run!r} was begun, is "
            "not there; its program was expected in it. Put it back, or give `dspex "
            f"evaluate` again with --run {run} --resume.",
            Exit.CONFIGURATION,
        )
    with chdir(order.folder):
        made = prepared(order)
        carry_out(order, made, wanted_of(**others), run=run)


def _resumed(run: str, *, as_json: bool) -> bool:
    """Have a run go on that is paused in a process that runs; whether there was one."""
    paused = [
        each
        for each in look().runs
        if each.name == run and each.facts["state"] == "paused"
    ]
    for each in paused:
        told = asked(each, "resume")
        if as_json:
            show_json({"pid": each.process.pid, **told})
        else:
            state, progress = told["state"], told["progress"]
            show(f"{run} in process {each.process.pid}, {state}: {progress}")
    return bool(paused)


def _refuse_study(run: str) -> None:
    """Hold that a run is no study, which needs the code that began it.

    Raises:
        Failure: It is one; the text says the line of code that goes on.
    """
    study = study_named(run)
    if study is None:
        return
    if study.line_on is None:
        raise Failure(
            f"the run {run!r} is a study of {study.optimiser}, and it is done; there "
            f"is nothing to go on with. See what it found: dspex show {run}",
            Exit.USAGE,
        )
    raise Failure(
        f"the run {run!r} is a study of {study.optimiser}, which the code that began "
        "it goes on with; expected a run that `dspex evaluate` began. Give the same "
        f"call again, with its name: {study.line_on}",
        Exit.USAGE,
    )


def _ordered(run: str) -> Order:
    """Return what a run was begun with.

    Raises:
        RunNotFoundError: There is no such run.
        RecordError: Its record cannot be read.
        click.UsageError: It was not begun on the command line.
    """
    from dspex.evaluate.record.place import RunPlace
    from dspex.evaluate.record.record import RunRecord

    return Order.of(RunRecord.open(RunPlace(run=run, home=home()), owner=False).head)
