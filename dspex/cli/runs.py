"""`dspex runs`: the evaluations that are recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from dspex.cli.console import json_option, show, show_json, traceback_option
from dspex.cli.units import date_text, size_text
from dspex.core.spoken import money

if TYPE_CHECKING:
    from dspex.evaluate.record.listing import RunSummary

HEADING = ("run", "state", "score", "examples", "failed", "cost", "written", "size")


@click.command()
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show the N written last only.",
)
@json_option
@traceback_option
def runs(limit: int | None, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """List the evaluations that are recorded, the one written last first.

    A state is how a run was left (complete, stopped, interrupted, killed), that it is
    running, or that its record cannot be read (unreadable).

    \b
      dspex runs --limit 5
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    from dspex.evaluate.record.listing import runs as recorded

    found = recorded()[:limit]
    if as_json:
        show_json([plain(summary) for summary in found])
    elif found:
        show("\n".join(table(found)))
    else:
        show("no run is recorded yet; dspex evaluate begins one")


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
        "scored": None if totals is None else totals.scored,
        "cost": None if totals is None else totals.cost,
        "metrics": [] if head is None else list(head.metrics),
        "created": None if head is None else head.created,
        "written": summary.written,
        "bytes": summary.size,
        "path": str(summary.path),
        "trouble": summary.trouble,
    }


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
    return (
        summary.run,
        summary.state,
        "-" if summary.score is None else f"{summary.score:.1f}",
        f"{totals.n}{whole}",
        str(totals.n - totals.scored),
        "-" if totals.cost is None else money(totals.cost),
        written,
        size,
    )
