"""The open runs of a study: they share its hands, and pause and end with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dspex.client.budget import Spending
from dspex.core.errors import EvaluationError
from dspex.evaluate.running.control import EvaluationRun
from dspex.teleprompt.studies.hands import shares
from dspex.teleprompt.studies.spending import added, spending_of


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """One of them."""

    name: str
    """What it is called in the study."""
    total: int
    """How many examples it has."""
    pieces: tuple[object, ...]
    """The pieces of the search it works for, outermost first."""


class OpenRuns:
    """The open runs of one study. Its methods may be called in any thread.

    Args:
        concurrency: The hands of the study.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        # Protects all below.
        self._lock = threading.RLock()
        self._open: dict[EvaluationRun, OpenRun] = {}
        self._bills: dict[str, Spending] = {}
        self._is_paused = False

    @property
    def spent(self) -> Spending:
        """What those that have ended cost."""
        with self._lock:
            return added(list(self._bills.values()))

    @property
    def at_work(self) -> tuple[tuple[str, int, int | None], ...]:
        """The runs that are open, the oldest first: name, examples done, and in all."""
        with self._lock:
            return tuple(
                (each.name, run.tally.accepted, each.total)
                for run, each in self._open.items()
            )

    @property
    def is_paused(self) -> bool:
        """Whether they begin nothing."""
        return self._is_paused

    def pause(self, *, paused: bool) -> None:
        """Have them begin nothing, those to come too; or go on."""
        with self._lock:
            self._is_paused = paused
            for run in self._open:
                if paused:
                    run.pause()
                else:
                    run.resume()

    def next_share(self) -> int:
        """Return how many hands one more would have."""
        with self._lock:
            return shares(self._concurrency, len(self._open) + 1)[-1]

    @contextmanager
    def holding(self, run: EvaluationRun, told: OpenRun) -> Iterator[None]:
        """Count a run among them while the block runs, and end it then."""
        with self._lock:
            self._open[run] = told
            if self._is_paused:
                run.pause()
            self._share_hands()
        try:
            yield
        finally:
            self._end(run, told.name)
            with self._lock:
                del self._open[run]
                self._share_hands()

    def end(self, piece: object = None) -> None:
        """End those that work for a piece of the search, by default all."""
        with self._lock:
            runs = [
                (run, each.name)
                for run, each in self._open.items()
                if piece is None or piece in each.pieces
            ]
        for run, name in runs:
            self._end(run, name)

    def _share_hands(self) -> None:
        if self._open:
            hands = shares(self._concurrency, len(self._open))
            for run, share in zip(self._open, hands, strict=True):
                run.concurrency = share

    def _end(self, run: EvaluationRun, name: str) -> None:
        """End a run, if it has not ended, and take down what it has spent."""
        run.stop()
        try:
            result = run.result()
        except EvaluationError as error:
            result = error.result
        with self._lock:
            self._bills[name] = spending_of(result)
