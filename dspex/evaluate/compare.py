"""Two programs on the same examples: which is better, and how sure that is.

Rows are paired: what counts is by how much an example's score differs. That is a much
finer test than laying two intervals side by side, as what makes an example hard is the
same for both. Pure functions over two results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

from dspex.core.errors import (
    ConfigurationError,
    IncompleteResultError,
    NotBetterError,
)
from dspex.core.example import Example
from dspex.core.rich_text import as_rich
from dspex.core.safe_text import safe_text
from dspex.core.statistics import Interval, PairedDifference, paired_difference
from dspex.evaluate.results.outcome import Outcome
from dspex.evaluate.results.pairing import paired_places
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.results.standing import is_measured
from dspex.evaluate.results.verdict import is_shown, sentence

SHOWN_ROWS = 10
"""Rows that a printed comparison shows."""
WIDEST_ANSWER = 60
"""Characters of an answer that it shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDifference:
    """An example that came out differently."""

    number: int
    """Its place in the first result, from 0."""
    example: Example
    """The example."""
    first: Any
    """What the first program gave."""
    second: Any
    """What the second gave."""
    first_score: float
    """The first's score."""
    second_score: float
    """The second's score."""
    first_outcomes: Sequence[Outcome | None]
    """What came of the first program's trials."""
    second_outcomes: Sequence[Outcome | None]
    """What came of the second's."""

    @property
    def difference(self) -> float:
        """The second's score minus the first's."""
        return self.second_score - self.first_score


class DifferingRows(Sequence[RowDifference]):
    """The examples that came out differently, in order; each is made when it is read.

    Args:
        first: The one result.
        second: The other.
        places: Where each example of the one is in the other.
        numbers: The examples of the one.
    """

    def __init__(
        self,
        first: EvaluationResult,
        second: EvaluationResult,
        places: Sequence[int],
        numbers: Sequence[int],
    ) -> None:
        self._first = first
        self._second = second
        self._places = places
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> RowDifference: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[RowDifference, ...]: ...

    def __getitem__(
        self, index: int | slice
    ) -> RowDifference | tuple[RowDifference, ...]:
        if isinstance(index, slice):
            return tuple(map(self._row, self._numbers[index]))
        return self._row(self._numbers[index])

    def _row(self, number: int) -> RowDifference:
        place = self._places[number]
        return RowDifference(
            number=number,
            example=self._first.examples[number],
            first=self._first.prediction(number),
            second=self._second.prediction(place),
            first_score=self._first.scores[number],
            second_score=self._second.scores[place],
            first_outcomes=self._first.trials_of(number),
            second_outcomes=self._second.trials_of(place),
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison:
    """How a second program differs from a first, on the examples both were measured on.

    `difference` and what is printed are in points, as a result's `score`; the interval
    is a share, as a result's `interval`.
    """

    names: tuple[str, str]
    """What the two are called."""
    confidence: float
    """Of the interval."""
    paired: PairedDifference
    """The paired test over the examples' scores."""
    columns: Mapping[str, PairedDifference]
    """The same for each number of the metric that both results have, over the examples
    where both have it."""
    rows: DifferingRows = field(repr=False)
    """The examples that came out differently."""
    only_first: int
    """Examples left out because only the first program was measured on them."""
    only_second: int
    """Examples left out because only the second was."""
    neither: int
    """Examples left out because neither was."""

    @property
    def n(self) -> int:
        """How many examples were compared."""
        return self.paired.n

    @property
    def difference(self) -> float | None:
        """Points by which the second is better; `None` when nothing was compared."""
        mean = self.paired.difference
        return None if mean is None else 100 * mean

    @property
    def interval(self) -> Interval | None:
        """Confidence interval of the difference, as a share (not points)."""
        return self.paired.interval

    @property
    def p_value(self) -> float | None:
        """How often chance alone would make such a difference."""
        return self.paired.p_value

    @property
    def wins(self) -> int:
        """Examples on which the second is better."""
        return self.paired.wins

    @property
    def losses(self) -> int:
        """Examples on which the first is better."""
        return self.paired.losses

    @property
    def ties(self) -> int:
        """Examples on which they score the same."""
        return self.paired.ties

    @property
    def complete(self) -> bool:
        """Whether every example was compared."""
        return not (self.only_first or self.only_second or self.neither)

    @property
    def verdict(self) -> str:
        """One sentence: which is better, by how much, how sure that is."""
        return safe_text(sentence(self.names, self.paired), keep="")

    def is_better(self, margin: float = 0.0) -> bool:
        """Whether the second is shown to be better by more than `margin` points.

        Its whole interval has to lie above the margin, and unless the margin is below
        zero (then it may be a little worse) the test has to say so too.
        """
        return is_shown(self.paired, margin / 100)

    def report(
        self, path: str | Path, *, title: str | None = None, rows: int = 1_000
    ) -> None:
        """Write a page with the verdict and the rows that differ side by side.

        It is one HTML file, as `EvaluationResult.report` writes it.

        Args:
            path: The file; one that is there is replaced.
            title: What stands above it; the two names by default.
            rows: How many of the rows that differ it shows, those that became worse
                first.

        Raises:
            ConfigurationError: No file can be there.
            OSError: It cannot be written.
        """
        from dspex.evaluate.html.comparison import write_comparison

        write_comparison(self, path, title=title, rows=rows)

    def __rich__(self) -> Any:
        return as_rich(str(self))

    def _repr_html_(self) -> str:
        from dspex.evaluate.html.notebook import comparison_html

        return comparison_html(self)

    def __repr__(self) -> str:
        return f"<Comparison: {self.verdict}>"

    def __str__(self) -> str:
        more = len(self.rows) - SHOWN_ROWS
        lines = [
            *told_beside_rows(self),
            *map(_line, self.rows[:SHOWN_ROWS]),
            *([f"and {more} more"] if more > 0 else []),
        ]
        return "\n  ".join(safe_text(line, keep="") for line in lines)


def compare(
    first: EvaluationResult,
    second: EvaluationResult,
    *,
    names: tuple[str, str] = ("A", "B"),
    confidence: float = 0.95,
) -> Comparison:
    """Compare two results on the same examples, pair by pair.

    Examples are paired by their content, so they may stand in another order. Only those
    that both measured are compared; how many are left out is said. Of several trials
    an example's mean counts.

    Args:
        first: The one program's result.
        second: The other's.
        names: What the two are called in the verdict.
        confidence: Of the interval, strictly between 0 and 1.

    Raises:
        DataError: They are results of different examples.
        ConfigurationError: They were scored by different metrics, count failures
            differently, or `confidence` makes no sense.
    """
    _check_comparable(first, second)
    places = paired_places(first.examples, second.examples)
    of_second = list(_measured(second))
    # By example: of the first, of the second.
    measured = [
        (one, of_second[place])
        for one, place in zip(_measured(first), places, strict=True)
    ]
    both = [
        (number, places[number]) for number, pair in enumerate(measured) if all(pair)
    ]
    columns = {
        name: _paired_column(first, second, name, both, confidence)
        for name in first.columns
        if name in second.columns
    }
    return Comparison(
        names=names,
        confidence=confidence,
        paired=paired_difference(
            [first.scores[number] for number, _ in both],
            [second.scores[place] for _, place in both],
            confidence=confidence,
        ),
        columns=columns,
        rows=DifferingRows(first, second, places, _differing(first, second, both)),
        only_first=measured.count((True, False)),
        only_second=measured.count((False, True)),
        neither=measured.count((False, False)),
    )


def assert_better(
    result: EvaluationResult,
    other: EvaluationResult,
    *,
    margin: float,
    confidence: float,
    names: tuple[str, str],
) -> Comparison:
    """Raise unless a result is shown to be better than another.

    See `EvaluationResult.assert_better_than`, which is this.
    """
    this, that = names
    comparison = compare(other, result, names=(that, this), confidence=confidence)
    for name, one in ((this, result), (that, other)):
        if not one.complete:
            raise IncompleteResultError(
                f"the evaluation of {name} is not complete "
                f"({str(one).splitlines()[0]}), so it cannot be told which is better; "
                "every example measured was expected. Run what is missing again with "
                "resume=, then ask again.",
                result=one,
            )
    if not comparison.is_better(margin):
        raise NotBetterError(
            f"{this} is not shown to be better by more than {margin:g} points: "
            f"{comparison.verdict} An interval above {margin:g} points as a whole was "
            "expected. Improve the program, or evaluate on more examples.",
            comparison=comparison,
        )
    return comparison


def _check_comparable(first: EvaluationResult, second: EvaluationResult) -> None:
    if first.metrics and second.metrics and first.metrics[0] != second.metrics[0]:
        raise ConfigurationError(
            f"the first result was scored by {first.metrics[0]!r} and the second by "
            f"{second.metrics[0]!r}; the same metric was expected. Score one of them "
            "again as the other: result.rescore(metric)."
        )
    for name in ("failure_score", "metric_range"):
        one, other = getattr(first, name), getattr(second, name)
        if one != other:
            raise ConfigurationError(
                f"the first result was counted with {name}={one!r} and the second with "
                f"{other!r}; the same was expected. Evaluate both with the same "
                "metric and settings."
            )


def _measured(result: EvaluationResult) -> Iterator[bool]:
    return (all(map(is_measured, trials)) for trials in result.by_example())


def _paired_column(
    first: EvaluationResult,
    second: EvaluationResult,
    name: str,
    both: Sequence[tuple[int, int]],
    confidence: float,
) -> PairedDifference:
    of_first, of_second = first.columns[name], second.columns[name]
    cells = [(of_first[number], of_second[place]) for number, place in both]
    known = [(a, b) for a, b in cells if a is not None and b is not None]
    return paired_difference(
        [a for a, _ in known], [b for _, b in known], confidence=confidence
    )


def _differing(
    first: EvaluationResult,
    second: EvaluationResult,
    both: Sequence[tuple[int, int]],
) -> list[int]:
    """Say which examples came out differently: a score, a column, or a failure."""
    names = [name for name in first.columns if name in second.columns]

    def came_out(result: EvaluationResult) -> list[tuple[Any, ...]]:
        failed = [
            sum(one is None or one.score is None for one in trials) / len(trials)
            for trials in result.by_example()
        ]
        columns = [result.columns[name] for name in names]
        return list(zip(result.scores, failed, *columns, strict=True))

    one, other = came_out(first), came_out(second)
    return [number for number, place in both if one[number] != other[place]]


def told_beside_rows(comparison: Comparison) -> Iterator[str]:
    """Yield the verdict, what was left out, and a sentence for each column."""
    yield comparison.verdict
    left = _left_out(comparison)
    if left:
        yield left
    for name, paired in comparison.columns.items():
        yield f"{name}: {sentence(comparison.names, paired)}"


def _left_out(comparison: Comparison) -> str:
    first, second = comparison.names
    counts = {
        f"only {first} measured": comparison.only_first,
        f"only {second} measured": comparison.only_second,
        "neither measured": comparison.neither,
    }
    told = [f"{count} that {what}" for what, count in counts.items() if count]
    return f"left out: {', '.join(told)}" if told else ""


def _line(row: RowDifference) -> str:
    return (
        f"example {row.number}: {row.first_score:g} -> {row.second_score:g}  "
        f"{_shown(row.first)} -> {_shown(row.second)}"
    )


def _shown(prediction: Any) -> str:
    if isinstance(prediction, Example):
        items = prediction.items()
        text = ", ".join(f"{name}={value!r}" for name, value in items) or "no answer"
    else:
        text = repr(prediction)
    text = safe_text(text, keep="")
    return text if len(text) <= WIDEST_ANSWER else f"{text[: WIDEST_ANSWER - 3]}..."
