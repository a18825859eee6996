"""What a list of scores tells: mean, standard error, intervals, paired differences.

Pure functions on the standard library. What a list is too short to tell is `None`,
never a guessed number:

| scores | `mean` | `standard_error` | `interval` |
| --- | --- | --- | --- |
| none | `None` | `None` | `None` |
| one, 0 or 1 | itself | `None` | Wilson's |
| one, other | itself | `None` | `None` |
| all equal, 0 or 1 | itself | 0 | Wilson's, which has a width |
| all equal, other | itself | 0 | of width 0 |

A list too long to hold is told by its `Moments`: its length, its mean and its spread.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from dspex.core._distributions import fair_coin_two_sided, t_quantile, t_two_sided
from dspex.core._resampling import bootstrap_ends
from dspex.core.errors import ConfigurationError, DataError

Method = Literal["auto", "wilson", "t", "bootstrap"]
"""How an interval is computed; `auto` is Wilson's for 0/1 scores, else t."""

RESAMPLES = 2_000
"""Lists that the bootstrap draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A confidence interval."""

    low: float
    """Its lower end."""
    high: float
    """Its upper end."""
    confidence: float
    """The share of such intervals that hold the true value, such as 0.95."""
    method: Literal["wilson", "newcombe", "t", "bootstrap"]
    """How it was computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """How the second of two score lists differs from the first, pair by pair."""

    n: int
    """How many pairs."""
    difference: float | None
    """Mean of second minus first; positive when the second is better."""
    standard_error: float | None
    """Standard error of that mean."""
    interval: Interval | None
    """Interval of the difference, by Newcombe's method or t; `None` if unknown."""
    wins: int
    """Pairs in which the second is better."""
    losses: int
    """Pairs in which the first is better."""
    ties: int
    """Pairs without a difference."""
    p_value: float | None
    """Two-sided: how often chance alone would differ so much; `None` without pairs."""
    test: Literal["mcnemar", "t", "sign"] | None
    """The test the p-value comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What there is to know of a list of scores without holding it.

    Example:
        >>> few = Moments.of([1, 1, 0, 1])
        >>> few == Moments.of_sums(4, total=3, squares=3, binary=True)
        True
    """

    n: int
    """How many scores."""
    mean: float | None
    """Their mean; `None` of none."""
    standard_error: float | None
    """Standard error of the mean; `None` of fewer than two."""
    binary: bool
    """Whether each is 0 or 1."""

    @classmethod
    def of(cls, scores: Sequence[float]) -> Self:
        """Take them from the scores.

        Raises:
            DataError: When a score is not a finite number.
        """
        checked = _checked(scores)
        if _is_binary(checked):
            # Their sums are exact, and quicker than what is exact for all numbers.
            ones = math.fsum(checked)
            return cls.of_sums(len(checked), total=ones, squares=ones, binary=True)
        return cls(
            n=len(checked),
            mean=_mean(checked),
            standard_error=_standard_error(checked) if len(checked) > 1 else None,
            binary=False,
        )

    @classmethod
    def of_sums(cls, n: int, *, total: float, squares: float, binary: bool) -> Self:
        """Take them from what a database can add up.

        Args:
            n: How many scores.
            total: Their sum.
            squares: The sum of their squares.
            binary: Whether each is 0 or 1.
        """
        if n == 0:
            return cls(n=0, mean=None, standard_error=None, binary=True)
        error = None
        if n > 1:
            # Rounding may carry the spread of equal scores below nothing.
            spread = max(0.0, squares - total * total / n)
            error = math.sqrt(spread / (n - 1) / n)
        return cls(n=n, mean=total / n, standard_error=error, binary=binary)

    def interval(self, confidence: float = 0.95) -> Interval | None:
        """Return Wilson's interval of 0/1 scores, else t's, as `interval()` does."""
        _check_confidence(confidence)
        if self.mean is None:
            return None
        if self.binary:
            return _wilson(round(self.mean * self.n), self.n, confidence)
        return self.t_interval(confidence)

    def t_interval(self, confidence: float = 0.95) -> Interval | None:
        """Return t's interval, whatever the scores are."""
        if self.mean is None or self.standard_error is None:
            return None
        reach = t_quantile(confidence, self.n - 1) * self.standard_error
        return Interval(
            low=self.mean - reach,
            high=self.mean + reach,
            confidence=confidence,
            method="t",
        )


def mean(scores: Sequence[float]) -> float | None:
    """Return the mean, or `None` of no scores."""
    checked = _checked(scores)
    return _mean(checked) if checked else None


def standard_error(scores: Sequence[float]) -> float | None:
    """Return the standard error of the mean, or `None` of fewer than two scores.

    It is the sample's standard deviation (divisor n - 1) over the root of n.
    """
    checked = _checked(scores)
    return _standard_error(checked) if len(checked) > 1 else None


def interval(
    scores: Sequence[float],
    *,
    confidence: float = 0.95,
    method: Method = "auto",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """Return a confidence interval of the mean.

    Wilson's score interval when every score is 0 or 1, else Student's t with n - 1
    degrees of freedom, which takes the mean of the scores to be roughly normal and is
    not cut off at 0 or 1. The bootstrap takes nothing of the kind and stays within the
    scores; it wants some 20 of them, and takes about a second for 2,000 scores.

    Args:
        scores: The scores, finite numbers or truth values.
        confidence: Strictly between 0 and 1.
        method: How it is computed.
        resamples: Lists that the bootstrap draws.
        seed: Where its drawing starts; the same seed gives the same interval.

    Returns:
        The interval, or `None` where the table of this module says so; the bootstrap
        and t have none of fewer than two scores.

    Raises:
        DataError: When a score is not a finite number, or Wilson's interval is asked of
            scores other than 0 and 1.
        ConfigurationError: When `confidence`, `method` or `resamples` makes no sense.

    Example:
        >>> found = interval([1, 1, 0, 1])
        >>> found.method, round(found.low, 3), round(found.high, 3)
        ('wilson', 0.301, 0.954)
    """
    checked = _checked(scores)
    _check_confidence(confidence)
    match method:
        case "auto":
            return Moments.of(checked).interval(confidence)
        case "wilson":
            return _asked_for_wilson(checked, confidence)
        case "t":
            return Moments.of(checked).t_interval(confidence)
        case "bootstrap":
            return _bootstrap(checked, confidence, resamples, seed)
        case _:
            raise ConfigurationError(
                f"method={method!r} makes no interval; 'auto', 'wilson', 't' or "
                "'bootstrap' was expected. Leave it out for 'auto'."
            )


def paired_difference(
    first: Sequence[float], second: Sequence[float], *, confidence: float = 0.95
) -> PairedDifference:
    """Compare two score lists of the same examples, pair by pair.

    When every score is 0 or 1: Newcombe's interval for paired proportions (his method
    10) and the exact McNemar test. Else Student's t over the differences for both;
    where the differences do not vary, t has nothing to go by and the p-value is that
    of the exact sign test.

    The interval and the p-value of 0/1 scores are computed in different ways, so near
    the edge one may call a difference certain and the other not.

    Args:
        first: Scores of the one program.
        second: Scores of the other, in the same order.
        confidence: Strictly between 0 and 1.

    Raises:
        DataError: When the lists differ in length or a score is not a finite number.
        ConfigurationError: When `confidence` makes no sense.
    """
    before, after = _checked(first), _checked(second)
    _check_confidence(confidence)
    if len(before) != len(after):
        raise DataError(
            f"the first list has {len(before)} scores and the second {len(after)}; "
            "one of each per example was expected. Score the same examples twice."
        )
    differences = [b - a for a, b in zip(before, after, strict=True)]
    wins = sum(difference > 0 for difference in differences)
    losses = sum(difference < 0 for difference in differences)
    binary = bool(before) and _is_binary(before) and _is_binary(after)
    p_value, test = _test(differences, wins, losses, binary=binary)
    return PairedDifference(
        n=len(differences),
        difference=mean(differences),
        standard_error=standard_error(differences),
        interval=_newcombe(before, after, confidence)
        if binary
        else Moments.of(differences).t_interval(confidence),
        wins=wins,
        losses=losses,
        ties=len(differences) - wins - losses,
        p_value=p_value,
        test=test,
    )


def _checked(scores: Sequence[float]) -> list[float]:
    checked = []
    for position, score in enumerate(scores):
        try:
            value = float(score)
        except (TypeError, ValueError, OverflowError) as error:
            raise _no_score(position, score) from error
        if not math.isfinite(value):
            raise _no_score(position, score)
        checked.append(value)
    return checked


def _no_score(position: int, score: object) -> DataError:
    return DataError(
        f"score {position} is {score!r}; a finite number was expected. Let the metric "
        "return a number, True or False."
    )


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ConfigurationError(
            f"confidence={confidence!r} makes no interval; a number between 0 and 1 "
            "was expected. Write confidence=0.95."
        )


def _is_binary(scores: Sequence[float]) -> bool:
    return all(score in (0.0, 1.0) for score in scores)


def _mean(scores: Sequence[float]) -> float:
    # Rounding may carry the mean of equal scores past them.
    return min(max(statistics.fmean(scores), min(scores)), max(scores))


def _standard_error(scores: Sequence[float]) -> float:
    return statistics.stdev(scores) / math.sqrt(len(scores))


def _asked_for_wilson(scores: Sequence[float], confidence: float) -> Interval | None:
    if not _is_binary(scores):
        other = next(score for score in scores if score not in (0.0, 1.0))
        raise DataError(
            f"Wilson's interval was asked of scores such as {other!r}; it is one of 0 "
            "and 1 alone. Use method='t' or method='bootstrap'."
        )
    return Moments.of(scores).interval(confidence)


def _bootstrap(
    scores: Sequence[float], confidence: float, resamples: int, seed: int
) -> Interval | None:
    if resamples < 1:
        raise ConfigurationError(
            f"resamples={resamples!r} draws nothing; a number above zero was expected. "
            f"Leave it out for {RESAMPLES:,}."
        )
    if len(scores) < 2:
        return None
    low, high = bootstrap_ends(
        scores, confidence=confidence, resamples=resamples, seed=seed
    )
    return Interval(low=low, high=high, confidence=confidence, method="bootstrap")


def _wilson(successes: float, n: int, confidence: float) -> Interval:
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / n
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    reach /= 1 + z * z / n
    # At the ends the formula gives 0 and 1 exactly, but floats do not.
    return Interval(
        low=max(0.0, min(center - reach, share)) if successes else 0.0,
        high=min(1.0, max(center + reach, share)) if successes < n else 1.0,
        confidence=confidence,
        method="wilson",
    )


def _newcombe(
    before: Sequence[float], after: Sequence[float], confidence: float
) -> Interval:
    n = len(before)
    share_before, share_after = sum(before) / n, sum(after) / n
    wilson_before = _wilson(sum(before), n, confidence)
    wilson_after = _wilson(sum(after), n, confidence)
    phi = _correlation(before, after)

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one**2 - 2 * phi * one * other + other**2))

    difference = share_after - share_before
    below = reach(share_after - wilson_after.low, wilson_before.high - share_before)
    above = reach(wilson_after.high - share_after, share_before - wilson_before.low)
    return Interval(
        low=max(-1.0, difference - below),
        high=min(1.0, difference + above),
        confidence=confidence,
        method="newcombe",
    )


def _correlation(before: Sequence[float], after: Sequence[float]) -> float:
    """Return phi of two 0/1 lists, with Newcombe's correction where it is positive."""
    n, ones_before, ones_after = len(before), sum(before), sum(after)
    both = sum(a * b for a, b in zip(before, after, strict=True))
    product = ones_before * (n - ones_before) * ones_after * (n - ones_after)
    if product == 0:
        return 0.0
    covariance = n * both - ones_before * ones_after
    if covariance > 0:
        covariance = max(0.0, covariance - n / 2)
    return covariance / math.sqrt(product)


def _test(
    differences: Sequence[float], wins: int, losses: int, *, binary: bool
) -> tuple[float | None, Literal["mcnemar", "t", "sign"] | None]:
    if not differences:
        return None, None
    if binary:
        return fair_coin_two_sided(wins, losses), "mcnemar"
    if not _vary(differences):
        return fair_coin_two_sided(wins, losses), "sign"
    t = _mean(differences) / _standard_error(differences)
    return t_two_sided(t, len(differences) - 1), "t"


def _vary(values: Sequence[float]) -> bool:
    # What is left of subtracting equal steps (0.3 and 0.1 + 0.2) is no variation.
    return max(values) - min(values) > 1e-9 * max(map(abs, values))
