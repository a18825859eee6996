"""Attempts that came to an end which does not count: their examples are tried again.

The aggregator judges each outcome here, once, before it counts it. What is judged
twice, because whoever heard of it died, is judged the same. Holds no clock, no actor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dspex.core.errors import CircuitOpenError, LMRateLimitError
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp
from dspex.evaluate.scheduling.outage import Sign
from dspex.evaluate.scheduling.retrying import Past, RetryRules, with_first_score

Key = tuple[int, int]
"""An example and its trial."""

_NO_PAST = Past()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comeback:
    """An attempt whose example is tried once more."""

    outcome: Outcome
    """What it came to. It counts only if no other attempt is made."""
    past: Past
    """What is known of its example now."""
    wait: float = 0.0
    """Seconds until the next attempt."""
    sign: Sign | None = None
    """The outage that it failed for, which is charged to nobody."""
    only_waited: bool = False
    """Whether all attempts at its example only waited for an outage to end: the model
    was asked nothing, so the example is as good as not begun."""

    @property
    def stamp(self) -> Stamp:
        """Which attempt it was."""
        return self.outcome.stamp


class Comebacks:
    """The examples of one run that are being tried again.

    Args:
        rules: How often an example is tried.

    Example:
        >>> from dspex.evaluate.results.outcome import OutcomeKind
        >>> comebacks = Comebacks(RetryRules(no_answer=2))
        >>> first, second = Stamp(run="r", example=3), Stamp(
        ...     run="r", example=3, attempt=2
        ... )
        >>> failed = Outcome(stamp=first, kind=OutcomeKind.INFRASTRUCTURE)
        >>> comebacks.judge(failed, None, chance=1.0).wait
        1.0
        >>> scored = Outcome(stamp=second, kind=OutcomeKind.SCORED, score=1.0)
        >>> comebacks.judge(scored, None, chance=1.0) is scored
        True
    """

    def __init__(self, rules: RetryRules) -> None:
        self._rules = rules
        self._latest: dict[Key, Comeback] = {}

    @property
    def latest(self) -> Mapping[Key, Comeback]:
        """The latest of each example that has no outcome yet."""
        return self._latest

    @property
    def begun(self) -> Mapping[Key, Comeback]:
        """The same, without those that only waited: they have nothing to show."""
        return {
            key: comeback
            for key, comeback in self._latest.items()
            if not comeback.only_waited
        }

    def judge(
        self, outcome: Outcome, sign: Sign | None, *, chance: float
    ) -> Comeback | Outcome:
        """Say what becomes of an outcome.

        Args:
            outcome: What an attempt came to.
            sign: The outage that it failed for, if it did.
            chance: A random number in [0, 1], which spreads the waits.

        Returns:
            The outcome, as it counts; or that the example is tried once more.
        """
        key = outcome.stamp.key
        latest = self._latest.get(key)
        if latest is None and outcome.kind is OutcomeKind.SCORED:
            # Nearly all of them.
            return outcome
        if latest is not None and latest.stamp.attempt >= outcome.stamp.attempt:
            return latest
        past = _NO_PAST if latest is None else latest.past
        comeback = self._comeback(outcome, sign, past, chance)
        if comeback is not None and _only_waited(outcome):
            only_waited = latest is None or latest.only_waited
            comeback = replace(comeback, only_waited=only_waited)
        if comeback is None:
            return with_first_score(outcome, past)
        self._latest[key] = comeback
        return comeback

    def forget(self, key: Key) -> None:
        """Keep nothing of an example that has its outcome. Harmless else."""
        self._latest.pop(key, None)

    def _comeback(
        self, outcome: Outcome, sign: Sign | None, past: Past, chance: float
    ) -> Comeback | None:
        if sign is not None and outcome.may_run_again:
            return Comeback(outcome=outcome, past=past, sign=sign)
        again = self._rules.decide(outcome, past, chance=chance)
        if again is None:
            return None
        return Comeback(outcome=outcome, past=again.past, wait=again.wait)


def _only_waited(outcome: Outcome) -> bool:
    error = None if outcome.error is None else outcome.error.error
    match error:
        case CircuitOpenError():
            is_unasked = error.only_waited
        case LMRateLimitError():
            is_unasked = error.puts_off and not error.attempts
        case _:
            is_unasked = False
    return is_unasked and not outcome.calls
