"""Which outcomes get another attempt, and when.

An attempt that got no answer (a provider or a part of ours failed) measured nothing, so
it is made again. One that had an answer is a measurement: to draw again until it suits
would report a better number than the program has. That is done only for those who ask
for it, and the first attempt's score then stands beside.

Holds no clock and no actor; the chance that spreads waits comes as an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dspex.core.errors import ConfigurationError, LMTimeoutError
from dspex.evaluate.results.outcome import Outcome, OutcomeKind

AFTER_ANSWER: Final = (OutcomeKind.MODEL, OutcomeKind.PROGRAM, OutcomeKind.METRIC)
"""Failures that may have come of an answer: one that does not fit or is a refusal, and
an error in the program's or the metric's own code. A low score is no failure."""

RetryAnswers = int | Mapping[str, int]
"""Further attempts after a failure that followed an answer: one figure for all three
causes, or one for each of "model", "program" and "metric"."""

_MOST_DOUBLINGS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What earlier attempts at an example came to."""

    unanswered: int = 0
    """Those that got no answer and are charged to it."""
    answered: int = 0
    """Those that failed after an answer."""
    doubted: int = 0
    """Those that were out of time while nobody had an answer."""
    first_score: float | None = None
    """What the first of the latter counts; `None` while there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """The example is tried once more."""

    wait: float
    """Seconds until then."""
    past: Past
    """What is known of it now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    """How often an example is tried.

    Example:
        >>> from dspex.evaluate.results.outcome import Stamp
        >>> stamp = Stamp(run="r", example=3)
        >>> down = Outcome(stamp=stamp, kind=OutcomeKind.INFRASTRUCTURE)
        >>> again = RetryRules().decide(down, Past(), chance=1.0)
        >>> again.wait, again.past.unanswered
        (1.0, 1)
        >>> broken = Outcome(stamp=stamp, kind=OutcomeKind.PROGRAM)
        >>> RetryRules().decide(broken, Past(), chance=1.0) is None
        True
    """

    no_answer: int = 5
    """Attempts in all that may get no answer, the last of which counts."""
    in_doubt: int = 2
    """Further attempts after one that was out of time while nobody had an answer."""
    after_answer: Mapping[OutcomeKind, int] = field(default_factory=dict)
    """Further attempts after a failure of that kind which followed an answer."""
    first_wait: float = 1.0
    """Seconds before the second attempt, at most; it doubles from one to the next."""
    longest_wait: float = 30.0
    """The most it grows to."""
    failure_score: float = 0.0
    """What a failed first attempt counts, beside the one that replaces it."""

    def decide(self, outcome: Outcome, past: Past, *, chance: float) -> Again | None:
        """Say whether another attempt follows; `None` when this outcome counts.

        Args:
            outcome: What the attempt came to.
            past: What was known of its example before it.
            chance: A random number in [0, 1], which spreads the waits.
        """
        if outcome.is_fatal or not outcome.may_run_again:
            return None
        if outcome.kind is OutcomeKind.INFRASTRUCTURE:
            charged = replace(past, unanswered=past.unanswered + 1)
            may = charged.unanswered < self.no_answer
            wait = self.wait(charged.unanswered, chance)
            return Again(wait=wait, past=charged) if may else None
        if _is_in_doubt(outcome) and past.doubted < self.in_doubt:
            charged = replace(past, doubted=past.doubted + 1)
            return Again(wait=self.wait(charged.doubted, chance), past=charged)
        if past.answered >= self.after_answer.get(outcome.kind, 0):
            return None
        first = self.failure_score if past.first_score is None else past.first_score
        charged = replace(past, answered=past.answered + 1, first_score=first)
        return Again(wait=0.0, past=charged)

    def wait(self, failed: int, chance: float) -> float:
        """Seconds until the attempt that follows `failed` ones without an answer.

        Between half of the bound and all of it, so that those who failed together do
        not come back together.
        """
        doublings = min(failed - 1, _MOST_DOUBLINGS)
        bound = min(self.longest_wait, self.first_wait * 2.0**doublings)
        return bound * (0.5 + 0.5 * chance)


def _is_in_doubt(outcome: Outcome) -> bool:
    """Whether it is out of time, and that may be the provider's doing."""
    error = None if outcome.error is None else outcome.error.error
    is_slow = outcome.kind is OutcomeKind.TIMEOUT
    return is_slow and isinstance(error, LMTimeoutError) and error.in_doubt


def with_first_score(outcome: Outcome, past: Past) -> Outcome:
    """The outcome that counts, with what the first attempt would have counted."""
    if past.first_score is None:
        return outcome
    return replace(outcome, first_score=past.first_score)


def rules_for(
    retry_answers: RetryAnswers | None, *, failure_score: float = 0.0
) -> RetryRules:
    """The rules of a run, from what its user says.

    Args:
        retry_answers: See `RetryAnswers`; `None` and 0 never try again after an answer.
        failure_score: What a failed example counts.

    Raises:
        ConfigurationError: A figure or a cause that makes no sense.

    Example:
        >>> {kind.value: n for kind, n in rules_for({"model": 2}).after_answer.items()}
        {'model': 2}
    """
    return RetryRules(after_answer=_figures(retry_answers), failure_score=failure_score)


def _figures(retry_answers: Any) -> Mapping[OutcomeKind, int]:
    if retry_answers is None:
        return {}
    names = tuple(kind.value for kind in AFTER_ANSWER)
    given = retry_answers
    if not isinstance(given, Mapping):
        given = dict.fromkeys(names, given)
    are_counts = all(type(figure) is int and figure >= 0 for figure in given.values())
    if not are_counts or not given.keys() <= set(names):
        raise ConfigurationError(
            f"retry_answers is {retry_answers!r}; expected how many further attempts "
            "an example gets that failed after an answer: a whole number from 0 on, or "
            f"one by cause, the causes being {', '.join(names)}. Write "
            "retry_answers={'model': 1}, or leave it out for none."
        )
    return {kind: given[kind.value] for kind in AFTER_ANSWER if kind.value in given}
