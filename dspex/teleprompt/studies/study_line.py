"""How far a study is, in one line that changes while it is at work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, TextIO, TypeVar

from dspex.client.budget import Room, Spending
from dspex.core.safe_text import safe_text
from dspex.core.spoken import duration, money
from dspex.evaluate.running.progress import LONGEST_LABEL, screen_for
from dspex.teleprompt.studies.candidate import Candidate, best_of
from dspex.teleprompt.studies.study import Study

T = TypeVar("T")

UNCAPPED: Final = Room(calls=None, tokens=None, dollars=None)
"""What is left where nothing has a cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStanding:
    """All that is told of a study at one moment."""

    label: str
    """The name of the optimiser."""
    candidates: tuple[Candidate, ...]
    """What was tried so far."""
    total: int | None
    """How many there will be; `None` when nobody knows."""
    at_work: tuple[tuple[str, int, int | None], ...]
    """The runs that are open: name, examples done, examples in all."""
    spent: Spending
    """What was spent so far."""
    seconds: float
    """How long it has taken."""
    left: Room | None = None
    """What may still be spent; `None` without a budget."""

    @property
    def done(self) -> int:
        """Candidates that were tried."""
        return len(self.candidates)

    @property
    def share(self) -> float | None:
        """How many of the candidates were tried, from 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else None

    def words(self) -> list[str]:
        """What there is to say, most important first."""
        best = best_of(self.candidates)
        tried = f"{self.done:,}" + (f"/{self.total:,}" if self.total else "")
        told = [
            f"{tried} candidates",
            "" if best is None else f"best {best.score:.1f} ({_short(best.label)})",
            *self._bill(),
            *(_run_words(*run) for run in self.at_work),
            duration(self.seconds),
        ]
        return [safe_text(word, keep="") for word in told if word]

    def _bill(self) -> list[str]:
        """Return what was spent, and what is left of that where there is a cap."""
        spent, left = self.spent, self.left or UNCAPPED
        told = []
        if spent.calls or left.calls is not None:
            told.append(_of(f"{spent.calls:,} calls", left.calls, "{:,}".format))
        if left.tokens is not None:
            told.append(_of(f"{spent.tokens:,} tokens", left.tokens, "{:,}".format))
        if spent.dollars or left.dollars is not None:
            told.append(_of(money(spent.dollars), left.dollars, money))
        return told


def _short(label: str) -> str:
    """Return what a candidate is called; of an instruction its first words."""
    is_long = len(label) > LONGEST_LABEL
    return f"{label[: LONGEST_LABEL - 3]}..." if is_long else label


def _of(spent: str, left: T | None, word: Callable[[T], str]) -> str:
    return spent if left is None else f"{spent} ({word(left)} left)"


def _run_words(name: str, done: int, total: int | None) -> str:
    return f"{name} {done}" + ("" if total is None else f"/{total}")


class StudyLine:
    """Shows a study while it is at work. Use it as a context manager.

    Args:
        study: The study.
        total: How many candidates there will be; `None` when nobody knows.
        show: As for `Evaluate`.
        stream: Where to; standard error unless given.
        now: Seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        study: Study,
        total: int | None,
        *,
        show: bool | None = None,
        stream: TextIO | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._study = study
        self._total = total
        self._now = now
        self._began = now()
        self._screen = screen_for(show, stream)
        self._shown: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._screen is not None:
            # How it ended stays there.
            self()
        if self._screen is not None:
            self._on_screen(self._screen.close)

    def __call__(self) -> None:
        """Show how it stands now, if that tells anything new."""
        if self._screen is None:
            return
        standing = self.standing()
        words = standing.words()
        if words != self._shown:
            self._shown = words
            show = self._screen.show
            self._on_screen(lambda: show(standing))

    def _on_screen(self, step: Callable[[], None]) -> None:
        """Do a step on the screen; one that is gone ends the showing, not the study."""
        try:
            step()
        except (OSError, ValueError):
            # A terminal that was shut, or a stream that somebody closed.
            self._screen = None

    def standing(self) -> StudyStanding:
        """Return how it stands now."""
        study, budget = self._study, self._study.order.budget
        return StudyStanding(
            label=study.order.optimiser,
            candidates=study.candidates,
            total=self._total,
            at_work=study.at_work,
            spent=study.spent,
            seconds=self._now() - self._began,
            left=None if budget is None else budget.left,
        )
