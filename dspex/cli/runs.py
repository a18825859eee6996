"""`dspex runs`: the evaluations and studies that are recorded, listed and deleted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice

import click

from dspex.cli.completing import run_names
from dspex.cli.console import json_option, show, show_json, traceback_option
from dspex.cli.listed import Listed, listed, plain, table, with_live
from dspex.cli.processes import RunThere, look, rows, tell_silent
from dspex.cli.units import size_text, span
from dspex.core.home import home

LIVE_HEADING = ("run", "kind", "state", "progress", "pid")


@click.group(invoke_without_command=True)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show the N written last only.",
)
@click.option(
    "--parts", is_flag=True, help="Show the evaluations that studies are made of, too."
)
@click.option(
    "--live", is_flag=True, help="Show those that go on now only, recorded or not."
)
@json_option
@traceback_option
@click.pass_context
def runs(
    context: click.Context,
    limit: int | None,
    parts: bool,  # noqa: FBT001 - click passes by name
    live: bool,  # noqa: FBT001 - click passes by name
    as_json: bool,  # noqa: FBT001 - click passes by name
) -> None:
    """List what is recorded, evaluations and optimisers' studies, the last first.

    A state is how a run was left (complete, stopped, interrupted, killed), how it goes
    on (running, paused, held while a provider is away, ending), or that its record
    cannot be read (unreadable). A study is one line, with
    the score of its winner, or the best so far.

    \b
      dspex runs --limit 5
      dspex runs --parts
      dspex runs --live
      dspex runs delete first
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    if context.invoked_subcommand is not None:
        return
    from dspex.evaluate.record.listing import run_files

    if live:
        _show_live(limit, with_parts=parts, as_json=as_json)
        return
    found = list(islice(listed(run_files(), with_parts=parts), limit))
    if any(line.state == "running" for line in found):
        found = with_live(found, look().runs)
    if as_json:
        show_json([plain(line) for line in found])
    elif found:
        show("\n".join(table(found)))
    else:
        show("no run is recorded yet; dspex evaluate begins one")


def _show_live(limit: int | None, *, with_parts: bool, as_json: bool) -> None:
    """Show the runs that go on in processes that run."""
    seen = look()
    tell_silent(seen)
    there = [run for run in seen.runs if with_parts or run.facts["part_of"] is None][
        :limit
    ]
    if as_json:
        show_json([{"pid": run.process.pid, **run.facts} for run in there])
    elif there:
        show(rows([LIVE_HEADING, *map(_live_cells, there)]))
    else:
        show("no run is at work")


def _live_cells(run: RunThere) -> tuple[str, ...]:
    facts = run.facts
    words = (run.name, facts["kind"], facts["state"], facts["progress"])
    return (*words, f"{run.process.pid}")


@runs.command()
@click.argument("names", nargs=-1, metavar="[RUN]...", shell_complete=run_names)
@click.option(
    "--older-than",
    type=span,
    metavar="TIME",
    help="Also each that was not written for so long: 12h, 30d.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@traceback_option
def delete(names: tuple[str, ...], older_than: float | None, yes: bool) -> None:  # noqa: FBT001 - click passes by name
    """Delete the records of RUNs, after asking. A run that goes on is left alone.

    A study is deleted with the evaluations it is made of. What was measured is gone
    then; answers of models stay in the cache.

    \b
      dspex runs delete first second
      dspex runs delete --older-than 30d --yes
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    from dspex.evaluate.record.listing import check_idle, delete_run
    from dspex.evaluate.record.place import RunPlace

    found = _chosen(names, older_than)
    if not found:
        show("there is nothing to delete")
        return
    if not yes:
        told = "\n".join(f"  {line}" for line in table(found))
        click.confirm(f"{told}\nDelete these records?", abort=True, err=True)
    # All or none: what somebody works on is found before anything is gone.
    for line in found:
        check_idle(RunPlace(run=line.run, home=home()))
    for line in found:
        # A study first: while somebody works on it, nothing of it is deleted.
        for run in (line.run, *(part.run for part in line.parts)):
            delete_run(RunPlace(run=run, home=home()))
        with_parts = f" and its {len(line.parts)} runs" if line.parts else ""
        show(f"deleted {line.run}{with_parts} ({size_text(line.size)})")


def _chosen(names: Sequence[str], older_than: float | None) -> list[Listed]:
    """Return the runs of these names, and those that are old enough.

    Of parts of studies, only those that are named: the others go with their study.

    Raises:
        click.UsageError: Neither is said.
        RunNotFoundError: There is no run of a name.
    """
    from dspex.evaluate.record import trouble
    from dspex.evaluate.record.listing import run_files
    from dspex.evaluate.record.place import RunPlace

    if not names and older_than is None:
        raise click.UsageError(
            "no run was named; expected which to delete. Name them, or say "
            "--older-than 30d; `dspex runs` lists them."
        )
    everything = run_files()
    known = {each.run for each in everything}
    for name in names:
        if name not in known:
            raise trouble.not_found(RunPlace(run=name, home=home()))
    before = None if older_than is None else time.time() - older_than
    lines = {
        line.run: line
        for line in listed(everything, with_parts=False)
        if line.run in names or _is_older(line, before)
    }
    gone = {part.run for line in lines.values() for part in line.parts}
    parts = [
        line
        for line in listed(everything, with_parts=True)
        if line.run in names and line.run not in lines and line.run not in gone
    ]
    return [*lines.values(), *parts]


def _is_older(line: Listed, before: float | None) -> bool:
    if before is None or line.summary.state == "running":
        return False
    return all(each.written < before for each in (line.summary, *line.parts))
