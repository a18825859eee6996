"""What a study found: its candidates, the winner, what it cost. Drawn when printed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dspex.client.budget import Spending
from dspex.core.rich_text import as_rich
from dspex.core.safe_text import safe_text
from dspex.core.spoken import duration, money
from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.lift import Lift
from dspex.teleprompt.studies.score_drawing import Look, drawn, look_for
from dspex.teleprompt.studies.searched import Searched

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
    """What an optimiser tried, what it chose, and what that cost.

    Printed, it is a sentence and a drawing of the scores; in a notebook it draws
    itself.
    """

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
    searched: Searched | None = None
    """What it was a search of; `None` in a record that does not tell it."""

    @property
    def winner(self) -> Candidate | None:
        """The candidate that was chosen."""
        found = [each for each in self.candidates if each.number == self.best]
        return found[0] if found else None

    @property
    def scores(self) -> tuple[float | None, ...]:
        """The score of each candidate by number, in points; `None` when not full."""
        return tuple(each.score for each in self.candidates)

    @property
    def line_on(self) -> str | None:
        """The line of code that goes on; `None` of one that is done, or not kept."""
        if self.run is None or self.ended == "complete":
            return None
        return f"{self.optimiser}(...).compile(..., run={self.run!r})"

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
            chosen = f"chosen: {safe_text(winner.label, keep='')}{score}"
        spent = self.spent
        cost = f", {money(spent.dollars)}" if spent.dollars else ""
        bill = f"{spent.calls:,} calls{cost}, {duration(self.seconds)}"
        return f"{words}; {chosen}; {bill}"

    def drawn(self, look: Look | None = None) -> str:
        """Return it drawn: the result in a line, its lift, and all scores.

        Args:
            look: What it is drawn for; 80 columns with blocks unless given.
        """
        lines = [self.headline()]
        if self.lift is not None:
            lines.append(str(self.lift))
        return "\n".join([*lines, *drawn(self.candidates, self.best, look)])

    def save_csv(self, path: str | Path, *, raw: bool = False) -> None:
        """Write a line of cells for each candidate, whole or not at all.

        Args:
            path: The file; one that is there is replaced.
            raw: Whether texts that a spreadsheet would take for formulas are left as
                they are. By default they get an apostrophe in front.

        Raises:
            ConfigurationError: No file can be there.
            OSError: It cannot be written.
        """
        from dspex.teleprompt.studies.candidate_files import save_csv

        save_csv(self, path, raw=raw)

    def save_jsonl(self, path: str | Path) -> None:
        """Write a line of JSON for each candidate, whole or not at all.

        Each has all that `plain` tells of it; its `state` can be given to `load_state`
        of a program.

        Args:
            path: The file; one that is there is replaced.

        Raises:
            ConfigurationError: No file can be there.
            OSError: It cannot be written.
        """
        from dspex.teleprompt.studies.candidate_files import save_jsonl

        save_jsonl(self, path)

    def report(
        self, path: str | Path, *, title: str | None = None, candidates: int = 1_000
    ) -> None:
        """Write a page to look at: scores, candidates, the winner. Whole or not at all.

        It is one HTML file that reaches for nothing outside. Whatever a model or a row
        of data says is shown as text.

        Args:
            path: The file; one that is there is replaced.
            title: What stands above it; the optimiser's name unless given.
            candidates: How many it lists, the best first.

        Raises:
            ConfigurationError: No file can be there.
            OSError: It cannot be written.
        """
        from dspex.teleprompt.studies.study_page import write_page

        write_page(self, path, title=title or self.optimiser, candidates=candidates)

    def _repr_html_(self) -> str:
        from dspex.teleprompt.studies.study_page import notebook_html

        return notebook_html(self)

    def __rich__(self) -> Any:
        return as_rich(self.drawn())

    def __str__(self) -> str:
        # Drawn for where print() puts it.
        stream = sys.stdout
        text, encoding = self.drawn(look_for(stream)), getattr(stream, "encoding", None)
        return text.encode(encoding or "utf-8", "backslashreplace").decode(
            encoding or "utf-8"
        )

    def __repr__(self) -> str:
        return f"<StudyResult {self.headline()}>"

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        lift = self.lift
        return {
            "optimiser": self.optimiser,
            "run": self.run,
            "ended": self.ended,
            "searched": None if self.searched is None else self.searched.plain(),
            "best": self.best,
            "candidates": [each.plain() for each in self.candidates],
            "calls": self.spent.calls,
            "tokens": self.spent.tokens,
            "dollars": self.spent.dollars,
            "seconds": self.seconds,
            "lift": None if lift is None else {**lift.plain(), "verdict": str(lift)},
        }
