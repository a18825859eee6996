"""What a study found: its candidates, the winner, what it cost. Drawn when printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dspex.client.budget import Spending
from dspex.core.spoken import duration, money
from dspex.teleprompt.candidate import Candidate
from dspex.teleprompt.lift import Lift
from dspex.teleprompt.score_drawing import drawn

Ended = Literal["complete", "budget", "interrupted", "failed", "open"]
"""How a study ended: it is done, its budget is used up, Ctrl-C, or an error. One that
is open goes on, or its process was killed."""

_HOW = {
    "budget": "budget used up",
    "interrupted": "interrupted",
    "failed": "stopped by an error",
    "open": "not ended",
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StudyResult:
    """What an optimiser tried, what it chose, and what that cost."""

    optimiser: str
    """The name of the optimiser."""
    run: str | None
    """The study's name, as `dspex runs` lists it; `None` when it is not recorded."""
    candidates: Sequence[Candidate] = ()
    """What was tried, by number."""
    best: int | None = None
    """The number of the winner; `None` when there is none."""
    ended: Ended = "complete"
    """How it ended."""
    spent: Spending = field(default_factory=Spending)
    """What all its requests cost, those of killed processes included."""
    seconds: float = 0.0
    """Wall time of all its owners."""
    lift: Lift | None = None
    """How much better the winner is on rows it was not chosen on; `None` when there was
    nothing to judge it on."""

    @property
    def winner(self) -> Candidate | None:
        """The candidate that was chosen."""
        found = [each for each in self.candidates if each.number == self.best]
        return found[0] if found else None

    @property
    def scores(self) -> tuple[float | None, ...]:
        """The score of each candidate by number, in points; `None` when not full."""
        return tuple(each.score for each in self.candidates)

    def headline(self) -> str:
        """Return the result in one line."""
        winner, count = self.winner, len(self.candidates)
        tried = f"{count} candidate{'' if count == 1 else 's'}"
        how = "" if self.ended == "complete" else f", {_HOW[self.ended]}"
        words = f"{self.optimiser}: {tried}{how}"
        if winner is None:
            chosen = "none was chosen"
        else:
            score = "" if winner.score is None else f" ({winner.score:.1f})"
            chosen = f"chosen: {winner.label}{score}"
        spent = self.spent
        cost = f", {money(spent.dollars)}" if spent.dollars else ""
        bill = f"{spent.calls:,} calls{cost}, {duration(self.seconds)}"
        return f"{words}; {chosen}; {bill}"

    def __str__(self) -> str:
        lines = [self.headline()]
        if self.lift is not None:
            lines.append(str(self.lift))
        lines += drawn(self.candidates, self.best)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<StudyResult {self.headline()}>"

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        lift = self.lift
        return {
            "optimiser": self.optimiser,
            "run": self.run,
            "ended": self.ended,
            "best": self.best,
            "candidates": [each.plain() for each in self.candidates],
            "calls": self.spent.calls,
            "tokens": self.spent.tokens,
            "dollars": self.spent.dollars,
            "seconds": self.seconds,
            "lift": None if lift is None else {**lift.plain(), "verdict": str(lift)},
        }
