"""The runs as `dspex runs` lists them: a study is one line, and has its parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dspex.cli.units import date_text, size_text
from dspex.core.spoken import money

if TYPE_CHECKING:
    from dspex.cli.processes import RunThere
    from dspex.evaluate.record.entries import Totals
    from dspex.evaluate.record.listing import RunSummary
    from dspex.teleprompt.recorded_study import StudyOutline

HEADING = ("run", "kind", "state", "score", "measured", "failed", "cost", "written")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One line of the list."""

    summary: RunSummary
    """The run."""
    outline: StudyOutline | None = None
    """What it has found, when it is a study."""
    parts: Sequence[RunSummary] = ()
    """The evaluations that a study is made of."""

    live: RunThere | None = None
    """Where it goes on and how, as its process says; `None` when that was not asked."""

    @property
    def state(self) -> str:
        """How it stands."""
        return self.summary.state if self.live is None else self.live.facts["state"]

    @property
    def run(self) -> str:
        """Its name."""
        return self.summary.run

    @property
    def kind(self) -> str:
        """What it is: an evaluation, or the optimiser whose study it is."""
        if self.outline is not None:
            return self.outline.optimiser
        return "-" if self.summary.head is None else self.summary.head.kind

    @property
    def score(self) -> float | None:
        """Its score in points; of a study the winner's, or the best so far."""
        return self.summary.score if self.outline is None else self.outline.score

    @property
    def cost(self) -> float | None:
        """US dollars; of a study, those of its parts."""
        totals = self.summary.totals
        if self.outline is None:
            return None if totals is None else totals.cost
        known = [part.totals.cost for part in self.parts if part.totals is not None]
        told = [cost for cost in known if cost is not None]
        return sum(told) if told else None

    @property
    def size(self) -> int:
        """Bytes of its files, those of its parts included."""
        return self.summary.size + sum(part.size for part in self.parts)


def listed(found: Sequence[RunSummary], *, with_parts: bool) -> list[Listed]:
    """Return the lines of a list, in the order given.

    Args:
        found: All runs that there are.
        with_parts: Whether parts of studies have lines of their own. One whose study
            is not there any more has one in any case.
    """
    studies = {each.run for each in found if _is_study(each)}
    parts: dict[str, list[RunSummary]] = defaultdict(list)
    for each in found:
        if (owner := _owner(each)) in studies:
            parts[owner].append(each)
    return [
        Listed(summary=each, outline=_outline(each), parts=parts[each.run])
        for each in found
        if with_parts or _owner(each) not in studies
    ]


def with_live(lines: Sequence[Listed], there: Sequence[RunThere]) -> list[Listed]:
    """Return lines with what their processes say of those that go on."""
    by_name = {run.name: run for run in there}
    return [
        replace(line, live=by_name.get(line.run)) if line.state == "running" else line
        for line in lines
    ]


def plain(line: Listed) -> dict[str, Any]:
    """Return a line as JSON values."""
    summary, outline = line.summary, line.outline
    head, totals = summary.head, summary.totals
    return {
        "run": summary.run,
        "kind": None if head is None else head.kind,
        "optimiser": None if outline is None else outline.optimiser,
        "part_of": None if head is None else head.part_of,
        "state": line.state,
        "pid": None if line.live is None else line.live.process.pid,
        "score": line.score,
        "candidates": None if outline is None else outline.candidates,
        "parts": [part.run for part in line.parts],
        "examples": None if head is None else head.total,
        "trials": None if head is None else head.trials,
        "outcomes": None if totals is None else totals.n,
        "measured": None if totals is None else measured_of(totals),
        "scored": None if totals is None else totals.scored,
        "cost": line.cost,
        "metrics": [] if head is None else list(head.metrics),
        "created": None if head is None else head.created,
        "written": summary.written,
        "bytes": line.size,
        "path": str(summary.path),
        "trouble": summary.trouble,
    }


def measured_of(totals: Totals) -> int:
    """Return how many outcomes say something of the program, as in a result."""
    return sum(many for kind, many in totals.by_kind.items() if kind.is_final)


def table(lines: Sequence[Listed]) -> Iterator[str]:
    """Yield lines as a table."""
    rows = [(*HEADING, "size"), *map(_cells, lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells, line in zip(rows, (None, *lines), strict=True):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield "  ".join(padded).rstrip()
        if line is not None and line.summary.trouble is not None:
            yield f"  {line.summary.trouble}"


def _cells(line: Listed) -> tuple[str, ...]:
    return (
        line.run,
        line.kind,
        line.state,
        "-" if line.score is None else f"{line.score:.1f}",
        *_measured(line),
        "-" if line.cost is None else money(line.cost),
        date_text(line.summary.written),
        size_text(line.size),
    )


def _measured(line: Listed) -> tuple[str, str]:
    """Return what is measured, and how much of it failed."""
    head, totals = line.summary.head, line.summary.totals
    if head is None or totals is None:
        return "-", "-"
    if line.outline is not None:
        many = line.outline.candidates
        return f"{many} candidate{'' if many == 1 else 's'}", "-"
    whole = "" if head.total is None else f" of {head.total * head.trials}"
    measured = measured_of(totals)
    return f"{measured}{whole}", str(measured - totals.scored)


def _outline(summary: RunSummary) -> StudyOutline | None:
    from dspex.core.errors import RecordError, RunNotFoundError
    from dspex.core.home import home
    from dspex.evaluate.record.place import RunPlace
    from dspex.evaluate.record.record import RunRecord
    from dspex.teleprompt.recorded_study import outline_of

    if not _is_study(summary):
        return None
    try:
        place = RunPlace(run=summary.run, home=home())
        return outline_of(RunRecord.open(place, owner=False))
    except (RecordError, RunNotFoundError):
        # Somebody deletes it at this moment.
        return None


def _is_study(summary: RunSummary) -> bool:
    return summary.head is not None and summary.head.kind == "study"


def _owner(summary: RunSummary) -> str | None:
    return None if summary.head is None else summary.head.part_of
