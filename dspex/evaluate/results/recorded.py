"""A result whose rows lie in the record of its run: views, in flat memory.

What is asked for is read then, in any thread, also after the run. The record has to
stay where it is as long as somebody holds the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar, overload

from dspex.core.errors import RunNotFoundError
from dspex.core.example import Example
from dspex.core.home import home as default_home
from dspex.evaluate.record.entries import Bill, Totals
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.reader import RecordReader
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.record.requests import RecordedRequests
from dspex.evaluate.results.causes import Survey, survey
from dspex.evaluate.results.counted import columns_of
from dspex.evaluate.results.money import Latency, Money
from dspex.evaluate.results.outcome import Outcome
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.results.standing import Standing
from dspex.runtime.runtime import current_runtime

T = TypeVar("T")


def recorded_result(
    record: RecordReader,
    *,
    seconds: float | None = None,
    restarts: int | None = None,
) -> EvaluationResult:
    """Return the result of a run, as a view on its record.

    Args:
        record: The record, open; nothing is written to it.
        seconds: Wall time of the run; by default what its owners took together.
        restarts: Parts of the tree restarted; by default those of all its owners.
    """
    head, totals = record.head, record.totals()
    many = record.count
    worked = record.worked
    return RecordedResult(
        run=None if record.place.path is None else head.run,
        metrics=head.metrics,
        record=record,
        totals=totals,
        examples=RecordedExamples(record, many),
        outcomes=RecordedOutcomes(record, many * head.trials),
        failure_score=head.failure_score,
        metric_range=head.metric_range,
        trials=head.trials,
        requests=RecordedRequests(record),
        seconds=worked.seconds if seconds is None else seconds,
        restarts=worked.restarts if restarts is None else restarts,
        refused=totals.refused,
    )


def load_run(name: str, *, home: str | Path | None = None) -> EvaluationResult:
    """Return the result of a recorded run, finished or not, as a view on its record.

    It is of the moment: load it again to see how far a run has come since.

    Args:
        name: The run's name, as `dspex runs` lists it.
        home: The folder of all that dspex writes; by default the current runtime's,
            else `DSPEX_HOME` or the platform's.

    Raises:
        RunNotFoundError: There is no such run, or it is an optimiser's study; see
            `load_study`.
        RecordError: Its record cannot be read.
        ConfigurationError: It is no name of a run.
    """
    chosen = home or current_runtime().config.home or default_home()
    place = RunPlace(run=name, home=Path(chosen))
    record = RunRecord.open(place, owner=False)
    if record.head.kind == "study":
        raise RunNotFoundError(
            f"the run {name!r} is an optimiser's study; expected an evaluation. Load "
            "it with dspex.load_study(); its evaluations are runs of their own, whose "
            f"names begin with {f'{name}.'!r}.",
            run=name,
        )
    return recorded_result(record)


@dataclass(frozen=True, kw_only=True, repr=False)
class RecordedResult(EvaluationResult):
    """The result of a recorded run; the database adds up what it can."""

    record: RecordReader = field(repr=False, compare=False)
    """The record."""
    totals: Totals = field(repr=False, compare=False)
    """What its outcomes came to when the result was made."""

    @cached_property
    def survey(self) -> Survey:
        """What one look at the outcomes that did not merely score finds."""
        found = survey(self.record.unusual())
        missing = len(self.outcomes) - self.totals.n
        # A run that goes on may have begun more since.
        unfinished = min(missing, len(self.unfinished))
        return replace(found, never_begun=missing - unfinished, unfinished=unfinished)

    @cached_property
    def unfinished(self) -> frozenset[tuple[int, int]]:
        """As of any result; looked up once."""
        is_whole = len(self.outcomes) == self.totals.n
        return frozenset() if is_whole else self.record.begun()

    @cached_property
    def columns(self) -> Mapping[str, tuple[float | None, ...]]:
        """As of any result; all rows are read when there are columns."""
        return columns_of(self.outcomes, self.trials) if self._has_columns else {}

    @cached_property
    def money(self) -> Money:
        """As of any result, added up by the database."""
        totals = self.totals
        return Money(
            usage=totals.usage,
            cost=totals.cost,
            unpriced=totals.unpriced,
            calls=totals.calls,
            cached=totals.cached,
        )

    @property
    def bill(self) -> Bill:
        """As of any result, added up by the database."""
        return self.totals.bill

    @property
    def latency(self) -> Latency | None:
        """As of any result."""
        return Latency.of_seconds(self.record.latencies())

    @property
    def _has_columns(self) -> bool:
        return self.record.has_columns()

    @cached_property
    def _trial_scores(self) -> tuple[float, ...]:
        scores = self.record.scores(len(self.outcomes))
        return tuple(self.failure_score if one is None else one for one in scores)

    @cached_property
    def _standing(self) -> Standing:
        if self.trials > 1:
            # Only the rows tell which trials are of one example.
            return Standing.of(self.outcomes, self._rules)
        return Standing.of_totals(self.totals, n=self.n, rules=self._rules)


class _View(Sequence[T]):
    """Rows of a record, by number."""

    def __init__(self, record: RecordReader, length: int) -> None:
        self._record = record
        self._length = length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...

    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return tuple(map(self._row, range(self._length)[index]))
        return self._row(range(self._length)[index])

    def __iter__(self) -> Iterator[T]:
        return map(self._row, range(self._length))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(
            one == another for one, another in zip(self, other, strict=True)
        )

    __hash__ = None  # type: ignore[assignment] # as of a list

    def __repr__(self) -> str:
        return f"<{self._length} rows in the record of {self._record.place.run!r}>"

    def _row(self, number: int) -> T:
        raise NotImplementedError


class RecordedOutcomes(_View[Outcome | None]):
    """The outcomes of a run, those of an example side by side."""

    def __iter__(self) -> Iterator[Outcome | None]:
        return self._record.outcomes(stop=self._length)

    def _row(self, number: int) -> Outcome | None:
        return self._record.outcome(*divmod(number, self._record.head.trials))


class RecordedExamples(_View[Example]):
    """The examples of a run; one that was never begun was not kept, and is empty."""

    def digest(self, number: int) -> str | None:
        """Return the digest of an example; `None` when it was never begun."""
        return self._record.digest(number)

    def _row(self, number: int) -> Example:
        kept = self._record.example(number)
        return Example() if kept is None else kept
