"""What the outcomes of a run come to: its score, what that covers, what it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from dspex.client.call import AttemptRecord, Fate
from dspex.core import defaults, statistics
from dspex.core.lm import Usage
from dspex.core.scored import Scored
from dspex.core.statistics import Interval, Method
from dspex.evaluate.record.entries import Bill
from dspex.evaluate.results.causes import Cause, Survey, not_measured, survey
from dspex.evaluate.results.money import Latency, Money, Resilience
from dspex.evaluate.results.outcome import Outcome, OutcomeKind
from dspex.evaluate.results.standing import Rules, Standing, score_of
from dspex.evaluate.results.trials import by_example, means, means_of_known, pass_at_k


@dataclass(frozen=True, kw_only=True)
class Counted(Scored):
    """The outcomes of a run, and the numbers that follow from them.

    `EvaluationResult` is this with the examples, and with what people do with it.
    """

    outcomes: Sequence[Outcome | None]
    """One for each trial of each example, those of an example side by side; `None` for
    those never begun. Of a run whose rows lie in its record, a view on that."""
    failure_score: float = defaults.FAILURE_SCORE
    """What an example without a score adds."""
    metric_range: tuple[float, float] = defaults.METRIC_RANGE
    """The lowest and the highest score the metric gives."""
    trials: int = 1
    """How often each example was run."""
    requests: Mapping[str, AttemptRecord] = field(default_factory=dict, repr=False)
    """Every request made, by the id its provider saw, with its fate."""
    seconds: float = 0.0
    """Wall time of the run."""
    restarts: int = 0
    """Parts of the tree that were restarted meanwhile."""
    refused: int = 0
    """Outcomes that came late or twice and were not counted."""

    # The score.

    @property
    def n(self) -> int:
        """How many examples there are."""
        return len(self.outcomes) // self.trials

    @property
    def score(self) -> float:
        """Points: 100 times the mean over all examples, rounded to two digits."""
        return _points(self._standing.moments.mean or 0.0)

    @property
    def stderr(self) -> float | None:
        """Standard error of `score` in points; `None` below two examples."""
        error = self._standing.moments.standard_error
        return None if error is None else 100 * error

    @property
    def standard_error(self) -> float | None:
        """The same as `stderr`."""
        return self.stderr

    @property
    def interval(self) -> Interval | None:
        """95 % confidence interval of the mean, as a share (not points).

        Wilson's for scores of 0 and 1, else Student's t.
        """
        return self._standing.moments.interval()

    def confidence_interval(
        self,
        *,
        method: Method = "auto",
        confidence: float = 0.95,
        seed: int = 0,
    ) -> Interval | None:
        """Return a confidence interval of the mean, as a share (not points).

        Args:
            method: `auto` is that of `interval`; `bootstrap` needs no bell curve.
            confidence: Strictly between 0 and 1.
            seed: Of the bootstrap, which is the same each time for the same seed.

        Raises:
            DataError: Wilson's interval of scores other than 0 and 1.
            ConfigurationError: An argument makes no sense.
        """
        if method == "auto":
            return self._standing.moments.interval(confidence)
        return statistics.interval(
            self.scores, confidence=confidence, method=method, seed=seed
        )

    @property
    def score_measured(self) -> float | None:
        """Points over what was measured; `None` when nothing was."""
        mean = self._standing.measured
        return None if mean is None else _points(mean)

    @property
    def score_range(self) -> tuple[float, float]:
        """Between what points the score lies once everything is measured.

        Whatever is missing may then have the lowest or the highest score of
        `metric_range`, or fail and add `failure_score`.
        """
        return _points(self._standing.low), _points(self._standing.high)

    @property
    def score_at_best(self) -> float:
        """Points if everything not measured had the best score there is."""
        return self.score_range[1]

    @property
    def score_first_attempt(self) -> float:
        """Points if no attempt with an answer had been replaced by a later one.

        The same as `score` unless retries after an answer were allowed.
        """
        first = [
            score_of(one, self.failure_score)
            if one is None or one.first_score is None
            else one.first_score
            for one in self.outcomes
        ]
        return _points(statistics.mean(means(first, self.trials)) or 0.0)

    # Row by row.

    def trials_of(self, number: int) -> Sequence[Outcome | None]:
        """Return the outcomes of an example, one for each trial."""
        start = number * self.trials
        return self.outcomes[start : start + self.trials]

    def by_example(self) -> Iterator[Sequence[Outcome | None]]:
        """Yield the outcomes of each example, one for each trial, in order."""
        return by_example(self.outcomes, self.trials)

    @cached_property
    def scores(self) -> tuple[float, ...]:
        """One for each example, in order: the mean of its trials."""
        return means(self._trial_scores, self.trials)

    @property
    def trial_scores(self) -> tuple[tuple[float, ...], ...]:
        """For each example the score of each trial, failures as `failure_score`."""
        return tuple(by_example(self._trial_scores, self.trials))

    def pass_at(self, k: int = 1, *, threshold: float | None = None) -> float:
        """Return how probably at least one of k trials passes, in points.

        The unbiased estimate from all trials of an example, averaged over examples. A
        trial without a score did not pass, so this is a lower bound unless `complete`.

        Args:
            k: How many trials one has; at most `trials`.
            threshold: The least score that passes; the highest there is by default.

        Raises:
            ConfigurationError: There are fewer than k trials.
        """
        least = self.metric_range[1] if threshold is None else threshold
        passed = [
            one is not None and one.score is not None and one.score >= least
            for one in self.outcomes
        ]
        shares = [
            pass_at_k(sum(each), self.trials, k)
            for each in by_example(passed, self.trials)
        ]
        return _points(statistics.mean(shares) or 0.0)

    @cached_property
    def columns(self) -> Mapping[str, tuple[float | None, ...]]:
        """Each number of a metric that gave several, by name, one for each example.

        `None` where an example has none. Empty for a metric with one number.
        """
        return columns_of(self.outcomes, self.trials)

    @property
    def column_scores(self) -> dict[str, float]:
        """Points for each of the `columns`, as `score` is counted."""
        return {
            name: _points(
                statistics.mean(
                    [self.failure_score if one is None else one for one in column]
                )
                or 0.0
            )
            for name, column in self.columns.items()
        }

    # What is missing, and what failed.

    @property
    def unfinished(self) -> frozenset[tuple[int, int]]:
        """What was begun and has no outcome, as (example, trial).

        Only the record of a run that goes on, or whose process was killed, knows such.
        """
        return frozenset()

    @property
    def not_measured(self) -> Counter[str]:
        """What nothing is known about, by a word for the reason."""
        return not_measured(self.survey)

    @property
    def complete(self) -> bool:
        """Whether every trial of every example was measured."""
        return not self.not_measured

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """Outcomes without a score, in order."""
        return tuple(
            o
            for o in self.outcomes
            if o is not None and o.kind is not OutcomeKind.SCORED
        )

    @cached_property
    def survey(self) -> Survey:
        """What one look at all outcomes finds."""
        return survey(self.outcomes)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Each cause of failure, with its first example."""
        return self.survey.causes

    @property
    def failure_lines(self) -> tuple[str, ...]:
        """One line per cause: how many, of whose making, and the first example."""
        return tuple(map(str, self.causes))

    def failure_summary(self) -> tuple[str, ...]:
        """Return the `failure_lines`; an older name."""
        return self.failure_lines

    # What it took.

    @cached_property
    def money(self) -> Money:
        """Tokens, dollars and answers of what counts, and how many were cached.

        What `resilience` cost is not in it; in `usage` and `cost` it is.
        """
        return Money.of(self.outcomes)

    @property
    def bill(self) -> Bill:
        """Tokens and dollars of all requests made, whatever became of them."""
        return Bill.of(self.requests.values())

    @property
    def cost(self) -> float | None:
        """Dollars for all that `usage` says, as far as prices are known."""
        billed = self.bill.cost
        return self.money.cost if billed is None else billed

    @property
    def cached(self) -> int:
        """Answers that came from the cache."""
        return self.money.cached

    @property
    def usage(self) -> Usage:
        """Tokens of all requests made, as the provider counted them.

        A model that makes no requests of ours, such as one for tests, is taken at its
        own word.
        """
        return self.bill.usage if self.requests else self.money.usage

    @property
    def calls(self) -> int:
        """Requests that were sent."""
        return len(self.requests)

    def fates(self) -> Counter[Fate]:
        """How many requests met which fate."""
        return Counter(record.fate for record in self.requests.values())

    @property
    def latency(self) -> Latency | None:
        """Seconds an example took, those with answers from the cache left out."""
        return Latency.of(self.outcomes)

    @property
    def resilience(self) -> Resilience:
        """What it took to get over faults: requests, tokens, attempts, restarts."""
        return Resilience.of(
            self.requests.values(),
            self.outcomes,
            restarts=self.restarts,
            refused=self.refused,
        )

    def __float__(self) -> float:
        return self.score

    # What the numbers are made of.

    @cached_property
    def _trial_scores(self) -> tuple[float, ...]:
        return tuple(score_of(one, self.failure_score) for one in self.outcomes)

    @cached_property
    def _standing(self) -> Standing:
        return Standing.of(self.outcomes, self._rules)

    @property
    def _rules(self) -> Rules:
        return Rules(
            failure_score=self.failure_score,
            metric_range=self.metric_range,
            trials=self.trials,
        )


def _points(mean: float) -> float:
    return round(100 * mean, 2)


def columns_of(
    outcomes: Iterable[Outcome | None], trials: int
) -> Mapping[str, tuple[float | None, ...]]:
    """Return each column of the outcomes by name, one number for each example."""
    # In the order in which they were first seen, which is the metric's own.
    found: dict[str, list[float | None]] = {}
    for seen, outcome in enumerate(outcomes):
        given = {} if outcome is None else outcome.columns
        for name in given:
            found.setdefault(name, [None] * seen)
        for name, column in found.items():
            column.append(given.get(name))
    return {name: means_of_known(column, trials) for name, column in found.items()}
