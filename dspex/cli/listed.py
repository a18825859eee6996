"""The runs as `dspex runs` lists them: a study is one line, and has its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dspex.cli.units import date_text, size_text
from dspex.core.spoken import money

if TYPE_CHECKING:
    from dspex.cli.processes import RunThere
    from dspex.evaluate.record.entries import Totals
    from dspex.evaluate.record.listing import RunFiles, RunSummary
    from dspex.evaluate.record.place import RunPlace
    from dspex.teleprompt.studies.recorded_study import StudyOutline

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


def listed(there: Sequence[RunFiles], *, with_parts: bool) -> Iterator[Listed]:
    """Yield the lines of a list, in the order given.

    A record is opened when its line, or that of its study, is asked for, so whoever
    wants the first lines does not wait for all.

    Args:
        there: All runs that there are.
        with_parts: Whether parts of studies have lines of their own. One whose study
            is not there any more has one in any case.
    """
    opened = _Opened(there)
    for files in there:
        summary = opened.summary(files.run)
        if with_parts or not opened.has_study(summary):
            yield Listed(
                summary=summary,
                outline=_outline(summary, files.place),
                parts=opened.parts(summary),
            )


class _Opened:
    """What the records say, each opened once, and only when it is asked."""

    def __init__(self, there: Sequence[RunFiles]) -> None:
        self._there = {files.run: files for files in there}
        self._summaries: dict[str, RunSummary] = {}

    def summary(self, run: str) -> RunSummary:
        """Return what its list shows of a run."""
        if run not in self._summaries:
            self._summaries[run] = self._there[run].summary()
        return self._summaries[run]

    def has_study(self, summary: RunSummary) -> bool:
        """Whether a run is a part of a study that is there."""
        owner = _owner(summary)
        return owner in self._there and _is_study(self.summary(owner))

    def parts(self, summary: RunSummary) -> list[RunSummary]:
        """Return the parts of a study; an evaluation has none."""
        if not _is_study(summary):
            return []
        # A part has the name of its study and its own.
        named = [run for run in self._there if run.startswith(f"{summary.run}.")]
        found = [self.summary(run) for run in named]
        return [part for part in found if _owner(part) == summary.run]


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


def _outline(summary: RunSummary, place: RunPlace) -> StudyOutline | None:
    if not _is_study(summary):
        return None
    # Optimisers take a while to load; a list without studies does without them.
    from dspex.core.errors import RecordError, RunNotFoundError
    from dspex.evaluate.record.record import RunRecord
    from dspex.teleprompt.studies.recorded_study import outline_of

    try:
        return outline_of(RunRecord.open(place, owner=False))
    except (RecordError, RunNotFoundError):
        # Somebody deletes it at this moment.
        return None


def _is_study(summary: RunSummary) -> bool:
    return summary.head is not None and summary.head.kind == "study"


def _owner(summary: RunSummary) -> str | None:
    return None if summary.head is None else summary.head.part_of
