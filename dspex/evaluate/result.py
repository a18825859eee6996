"""What an evaluation found, and what its number covers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from dspex.client.call import AttemptRecord, Fate
from dspex.core import defaults, statistics
from dspex.core.example import Example
from dspex.core.lm import Usage
from dspex.core.prediction import Prediction
from dspex.core.scored import Scored
from dspex.core.statistics import Interval
from dspex.evaluate.outcome import Outcome, OutcomeKind

Row = tuple[Example, Any, float]
"""An example, what the program gave for it, and its score."""


@dataclass(frozen=True, kw_only=True)
class EvaluationResult(Scored):
    """The outcome of every example, and the numbers that follow from them.

    `score` is DSPy's: 100 times the mean over all examples, failures and what was not
    measured taken as `failure_score`. It is a lower bound while `complete` is false. A
    result compares and counts as that number.
    """

    examples: Sequence[Example]
    """What was evaluated, in order."""
    outcomes: tuple[Outcome | None, ...]
    """One for each example, in order; `None` for those never begun."""
    failure_score: float = 0.0
    """What an example without a score adds."""
    metric_range: tuple[float, float] = defaults.METRIC_RANGE
    """The lowest and the highest score the metric gives."""
    requests: Mapping[str, AttemptRecord] = field(default_factory=dict, repr=False)
    """Every request made, by the id its provider saw, with its fate."""
    seconds: float = 0.0
    """Wall time of the run."""
    restarts: int = 0
    """Parts of the tree that were restarted meanwhile."""
    refused: int = 0
    """Outcomes that came late or twice and were not counted."""

    @cached_property
    def scores(self) -> tuple[float, ...]:
        """One for each example, in order, failures as `failure_score`."""
        return tuple(
            self.failure_score if o is None or o.score is None else o.score
            for o in self.outcomes
        )

    @cached_property
    def columns(self) -> Mapping[str, tuple[float | None, ...]]:
        """Each number of a metric that gave several, by name, one for each example.

        `None` where an example has none. Empty for a metric with one number.
        """
        measured = [{} if o is None else o.columns for o in self.outcomes]
        # In the order in which they were first seen, which is the metric's own.
        names = dict.fromkeys(name for columns in measured for name in columns)
        return {name: tuple(each.get(name) for each in measured) for name in names}

    @property
    def column_scores(self) -> dict[str, float]:
        """Percent for each of the `columns`, as `score` is counted."""
        return {
            name: self._percent(
                [self.failure_score if one is None else one for one in column]
            )
            for name, column in self.columns.items()
        }

    @property
    def n(self) -> int:
        """How many examples there are."""
        return len(self.outcomes)

    @property
    def score(self) -> float:
        """Percent: 100 times the mean over all examples, rounded to two digits."""
        return self._percent(self.scores)

    @property
    def stderr(self) -> float | None:
        """Standard error of `score` in percent; `None` below two examples."""
        error = statistics.standard_error(self.scores)
        return None if error is None else 100 * error

    @property
    def interval(self) -> Interval | None:
        """95 % confidence interval of the mean, as a share (not percent)."""
        return statistics.interval(self.scores)

    @property
    def results(self) -> list[Row]:
        """(example, prediction, score) in input order, as in DSPy."""
        return [
            (example, _prediction(outcome), score)
            for example, outcome, score in zip(
                self.examples, self.outcomes, self.scores, strict=True
            )
        ]

    @property
    def not_measured(self) -> Counter[str]:
        """Examples about which nothing is known, by the reason."""
        return Counter(
            "not begun" if o is None else o.kind.value
            for o in self.outcomes
            if o is None or not o.kind.is_final
        )

    @property
    def complete(self) -> bool:
        """Whether every example was measured."""
        return not self.not_measured

    @property
    def score_measured(self) -> float | None:
        """Percent over the examples that were measured; `None` when none was."""
        measured = [
            score
            for score, outcome in zip(self.scores, self.outcomes, strict=True)
            if outcome is not None and outcome.kind.is_final
        ]
        mean = statistics.mean(measured)
        return None if mean is None else round(100 * mean, 2)

    @property
    def score_at_best(self) -> float:
        """Percent if everything not measured had scored 1."""
        missing = sum(self.not_measured.values()) * (1.0 - self.failure_score)
        return round(100 * (sum(self.scores) + missing) / self.n, 2) if self.n else 0.0

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """Outcomes without a score, in order."""
        return tuple(
            o
            for o in self.outcomes
            if o is not None and o.kind is not OutcomeKind.SCORED
        )

    @property
    def usage(self) -> Usage:
        """Tokens of all requests made, as the provider counted them."""
        total = Usage()
        for record in self.requests.values():
            total = total + record.usage
        return total

    @property
    def calls(self) -> int:
        """Requests that were sent."""
        return len(self.requests)

    def fates(self) -> Counter[Fate]:
        """How many requests met which fate."""
        return Counter(record.fate for record in self.requests.values())

    def failure_summary(self) -> tuple[str, ...]:
        """One line per cause: how many, of whose making, and the first example."""
        groups: dict[tuple[str, str], list[Outcome]] = {}
        for outcome in self.failures:
            kind = outcome.error.type if outcome.error else outcome.kind.value
            groups.setdefault((outcome.kind.value, kind), []).append(outcome)
        return tuple(
            _cause(kind, error, group) for (kind, error), group in groups.items()
        )

    def save_csv(self, path: str | Path, *, raw: bool = False) -> None:
        """Write the rows to a file for spreadsheets, whole or not at all.

        Fields of the example stand under `example.` and their name, those of the
        prediction under `prediction.`, further numbers of the metric under `columns.`.

        Args:
            path: The file; one that is there is replaced.
            raw: Whether texts that a spreadsheet would take for formulas are left as
                they are. By default they get an apostrophe in front.

        Raises:
            ConfigurationError: No file can be there.
            OSError: It cannot be written.
        """
        from dspex.evaluate.export import save_csv

        save_csv(self, path, raw=raw)

    def save_jsonl(self, path: str | Path) -> None:
        """Write the rows to a file as lines of JSON, whole or not at all.

        A value that JSON cannot hold is written as an object with its type's name
        under `$type`, and its `fields`, `items` or `text`.

        Args:
            path: The file; one that is there is replaced.

        Raises:
            ConfigurationError: No file can be there.
            OSError: It cannot be written.
        """
        from dspex.evaluate.export import save_jsonl

        save_jsonl(self, path)

    def report(
        self, path: str | Path, *, title: str = "Evaluation", rows: int = 1_000
    ) -> None:
        """Write a page to look at: drawings, failures, rows. Whole or not at all.

        It is one HTML file that reaches for nothing outside and works without its
        script. Whatever a model or a row of data says is shown as text.

        Args:
            path: The file; one that is there is replaced.
            title: What stands above it.
            rows: How many rows it shows, the worst first.

        Raises:
            ConfigurationError: No file can be there.
            OSError: It cannot be written.
        """
        from dspex.evaluate.html.report import write_report

        write_report(self, path, title=title, rows=rows)

    def _repr_html_(self) -> str:
        from dspex.evaluate.html.notebook import notebook_html

        return notebook_html(self)

    @staticmethod
    def _percent(numbers: Sequence[float]) -> float:
        return round(100 * (statistics.mean(numbers) or 0.0), 2)

    def __float__(self) -> float:
        return self.score

    def __str__(self) -> str:
        line = f"{self.score:.1f}"
        if not self.complete:
            causes = ", ".join(f"{n} {why}" for why, n in self.not_measured.items())
            line += (
                f", could be up to {self.score_at_best:.1f}: "
                f"{sum(self.not_measured.values())} of {self.n} not measured ({causes})"
            )
        else:
            line += f" ± {self.stderr:.1f}" if self.stderr is not None else ""
            line += f" ({self.n} examples)"
        told = [f"{name} {score:.1f}" for name, score in self.column_scores.items()]
        more = [", ".join(told)] if told else []
        return "\n  ".join((line, *more, *self.failure_summary()))

    def __repr__(self) -> str:
        state = "" if self.complete else ", incomplete"
        return f"EvaluationResult(score={self.score}, n={self.n}{state})"


def _prediction(outcome: Outcome | None) -> Any:
    if outcome is None or outcome.prediction is None:
        return Prediction()
    return outcome.prediction


def _cause(kind: str, error: str, group: list[Outcome]) -> str:
    first = group[0]
    text = "" if first.error is None else first.error.message.strip()
    line = text.splitlines()[0][:200] if text else "no text"
    return (
        f"{len(group)} failed by {kind} ({error}), first example "
        f"{first.stamp.example}: {line}"
    )
