"""`dspex runs`: the evaluations that are recorded, listed and deleted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from dspex.cli.console import json_option, show, show_json, traceback_option
from dspex.cli.units import date_text, size_text, span
from dspex.core.home import home
from dspex.core.spoken import money

if TYPE_CHECKING:
    from dspex.evaluate.record.entries import Totals
    from dspex.evaluate.record.listing import RunSummary

HEADING = ("run", "state", "score", "measured", "failed", "cost", "written", "size")


@click.group(invoke_without_command=True)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show the N written last only.",
)
@json_option
@traceback_option
@click.pass_context
def runs(context: click.Context, limit: int | None, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """List the evaluations that are recorded, the one written last first.

    A state is how a run was left (complete, stopped, interrupted, killed), that it is
    running, or that its record cannot be read (unreadable).

    \b
      dspex runs --limit 5
      dspex runs delete first
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    if context.invoked_subcommand is not None:
        return
    from dspex.evaluate.record.listing import runs as recorded

    found = recorded()[:limit]
    if as_json:
        show_json([plain(summary) for summary in found])
    elif found:
        show("\n".join(table(found)))
    else:
        show("no run is recorded yet; dspex evaluate begins one")


@runs.command()
@click.argument("names", nargs=-1, metavar="[RUN]...")
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

    What was measured is gone then; answers of models stay in the cache.

    \b
      dspex runs delete first second
      dspex runs delete --older-than 30d --yes
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    from dspex.evaluate.record.listing import delete_run
    from dspex.evaluate.record.place import RunPlace

    found = _chosen(names, older_than)
    if not found:
        show("there is nothing to delete")
        return
    if not yes:
        told = "\n".join(f"  {line}" for line in table(found))
        click.confirm(f"{told}\nDelete these records?", abort=True, err=True)
    for summary in found:
        delete_run(RunPlace(run=summary.run, home=home()))
        show(f"deleted {summary.run} ({size_text(summary.size)})")


def _chosen(names: Sequence[str], older_than: float | None) -> list[RunSummary]:
    """Return the runs of these names, and those that are old enough.

    Raises:
        click.UsageError: Neither is said.
        RunNotFoundError: There is no run of a name.
    """
    from dspex.evaluate.record import trouble
    from dspex.evaluate.record.listing import runs as recorded
    from dspex.evaluate.record.place import RunPlace

    if not names and older_than is None:
        raise click.UsageError(
            "no run was named; expected which to delete. Name them, or say "
            "--older-than 30d; `dspex runs` lists them."
        )
    known = {summary.run: summary for summary in recorded()}
    for name in names:
        if name not in known:
            raise trouble.not_found(RunPlace(run=name, home=home()))
    before = None if older_than is None else time.time() - older_than
    return [
        summary
        for summary in known.values()
        if summary.run in names
        or (
            before is not None
            and summary.written < before
            and summary.state != "running"
        )
    ]


def plain(summary: RunSummary) -> dict[str, Any]:
    """Return a run as JSON values."""
    head, totals = summary.head, summary.totals
    return {
        "run": summary.run,
        "state": summary.state,
        "score": summary.score,
        "examples": None if head is None else head.total,
        "trials": None if head is None else head.trials,
        "outcomes": None if totals is None else totals.n,
        "measured": None if totals is None else measured_of(totals),
        "scored": None if totals is None else totals.scored,
        "cost": None if totals is None else totals.cost,
        "metrics": [] if head is None else list(head.metrics),
        "created": None if head is None else head.created,
        "written": summary.written,
        "bytes": summary.size,
        "path": str(summary.path),
        "trouble": summary.trouble,
    }


def measured_of(totals: Totals) -> int:
    """Return how many outcomes say something of the program, as in a result."""
    return sum(many for kind, many in totals.by_kind.items() if kind.is_final)


def table(found: Sequence[RunSummary]) -> Iterator[str]:
    """Yield the runs as lines of a table."""
    lines = [HEADING, *map(_cells, found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for cells, summary in zip(lines, (None, *found), strict=True):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield "  ".join(padded).rstrip()
        if summary is not None and summary.trouble is not None:
            yield f"  {summary.trouble}"


def _cells(summary: RunSummary) -> tuple[str, ...]:
    head, totals = summary.head, summary.totals
    written, size = date_text(summary.written), size_text(summary.size)
    if head is None or totals is None:
        return (summary.run, summary.state, "-", "-", "-", "-", written, size)
    whole = "" if head.total is None else f" of {head.total * head.trials}"
    measured = measured_of(totals)
    return (
        summary.run,
        summary.state,
        "-" if summary.score is None else f"{summary.score:.1f}",
        f"{measured}{whole}",
        str(measured - totals.scored),
        "-" if totals.cost is None else money(totals.cost),
        written,
        size,
    )
