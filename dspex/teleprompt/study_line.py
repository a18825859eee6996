"""How far a study is, in one line that changes while it is at work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TextIO

from dspex.client.budget import Spending
from dspex.core.safe_text import safe_text
from dspex.core.spoken import duration, money
from dspex.evaluate.progress import screen_for
from dspex.teleprompt.candidate import Candidate, best_of
from dspex.teleprompt.study import Study


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
        best, spent = best_of(self.candidates), self.spent
        tried = f"{self.done}" + (f"/{self.total}" if self.total else "")
        told = [
            f"{tried} candidates",
            "" if best is None else f"best {best.score:.1f} ({best.label})",
            f"{spent.calls:,} calls" if spent.calls else "",
            money(spent.dollars) if spent.dollars else "",
            *(_run_words(*run) for run in self.at_work),
            duration(self.seconds),
        ]
        return [safe_text(word, keep="") for word in told if word]


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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._screen is not None:
            self._screen.close()

    def __call__(self) -> None:
        """Show how it stands now."""
        if self._screen is not None:
            self._screen.show(self.standing())

    def standing(self) -> StudyStanding:
        """Return how it stands now."""
        study = self._study
        return StudyStanding(
            label=study.order.optimiser,
            candidates=study.candidates,
            total=self._total,
            at_work=study.at_work,
            spent=study.spent,
            seconds=self._now() - self._began,
        )
