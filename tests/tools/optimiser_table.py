"""The table of what optimisers did to a program, as it stands in the documentation.

Pure, but for `write`. `python -m tests.model.optimisers --write` measures and writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dspex.core.spoken import duration
from dspex.evaluate.results.verdict import is_worse
from dspex.teleprompt.studies.lift import Lift
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/how-to/choose-an-optimiser.md"
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"

HEADING = (
    "optimiser",
    "given",
    "winner",
    "lift",
    "95 % interval",
    "verdict",
    "calls of the search",
    "seconds",
    "calls for each answer",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one optimiser did."""

    optimiser: str
    """Its name."""
    calls: int
    """Requests of the search; judging its winner is not among them."""
    seconds: float
    """Wall time of the search."""
    given: float | None = None
    """Points of the program that was given, on rows held back."""
    winner: float | None = None
    """Points of the winner there."""
    lift: Lift | None = None
    """How much better that is; `None` when the search ended with an error."""
    calls_each: float | None = None
    """Requests for each answer of the winner."""
    error: str | None = None
    """The class of the error that ended the search."""

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        lift = self.lift
        return {
            "optimiser": self.optimiser,
            "calls": self.calls,
            "seconds": round(self.seconds, 1),
            "given": self.given,
            "winner": self.winner,
            "lift": None if lift is None else lift.points,
            "interval": None
            if lift is None or lift.interval is None
            else [100 * lift.interval.low, 100 * lift.interval.high],
            "shown": None if lift is None else lift.is_shown,
            "verdict": None if lift is None else str(lift),
            "calls_each": self.calls_each,
            "error": self.error,
        }


def table(lines: Iterable[Line]) -> Iterator[str]:
    """Yield the table as lines of Markdown."""
    yield f"| {' | '.join(HEADING)} |"
    yield f"|{' --- |' * len(HEADING)}"
    for line in lines:
        yield f"| {' | '.join(_cells(line))} |"


def written(page: str, told: Sequence[str]) -> str:
    """Return a page with these lines between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    text = "\n".join(told)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def write(told: Sequence[str]) -> None:
    """Write these lines into the page of the documentation."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(written(page, told), encoding="utf-8")


def _cells(line: Line) -> tuple[str, ...]:
    lift = line.lift
    if lift is None:
        told = ("-", "-", "-", "-", f"ended with `{line.error}`")
    else:
        found = lift.interval
        told = (
            _points(line.given),
            _points(line.winner),
            _signed(lift.points),
            "-"
            if found is None
            else f"{_signed(100 * found.low)} to {_signed(100 * found.high)}",
            _verdict(lift),
        )
    each = "-" if line.calls_each is None else f"{line.calls_each:.1f}"
    return (
        f"`{line.optimiser}`",
        *told,
        f"{line.calls:,}",
        duration(line.seconds),
        each,
    )


def _verdict(lift: Lift) -> str:
    if lift.is_shown:
        return "better"
    return "worse" if is_worse(lift.paired) else "none shown"


def _points(points: float | None) -> str:
    return "-" if points is None else f"{points:.1f}"


def _signed(points: float | None) -> str:
    return "-" if points is None else f"{points:+.1f}"
