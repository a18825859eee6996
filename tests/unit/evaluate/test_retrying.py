"""Which outcomes get another attempt."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.errors import ConfigurationError, LMAuthError, LMServerError
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp, note
from dspex.evaluate.scheduling.retrying import (
    AFTER_ANSWER,
    Past,
    RetryRules,
    rules_for,
    with_first_score,
)

STAMP = Stamp(run="r", example=3)
KINDS = st.sampled_from(OutcomeKind)
CHANCES = st.floats(0, 1)


def outcome(kind: OutcomeKind, **facts: Any) -> Outcome:
    return Outcome(stamp=STAMP, kind=kind, **facts)


def attempts(rules: RetryRules, kinds: list[OutcomeKind], last: OutcomeKind) -> int:
    """How many attempts are made when each ends like this, and all others as `last`."""
    past, made = Past(), 0
    while True:
        kind = kinds[made] if made < len(kinds) else last
        made += 1
        again = rules.decide(outcome(kind), past, chance=0.5)
        if again is None:
            return made
        past = again.past


@given(KINDS, CHANCES)
def test_by_default_only_what_got_no_answer_is_tried_again(
    kind: OutcomeKind, chance: float
) -> None:
    again = RetryRules().decide(outcome(kind), Past(), chance=chance)

    assert (again is not None) == (kind is OutcomeKind.INFRASTRUCTURE)


@given(
    st.integers(1, 6),
    st.dictionaries(st.sampled_from(AFTER_ANSWER), st.integers(0, 4)),
    st.lists(KINDS, max_size=20),
    KINDS,
)
def test_the_attempts_of_an_example_are_bounded(
    no_answer: int,
    after_answer: dict[OutcomeKind, int],
    kinds: list[OutcomeKind],
    last: OutcomeKind,
) -> None:
    rules = RetryRules(no_answer=no_answer, after_answer=after_answer)

    made = attempts(rules, kinds, last)

    assert made <= no_answer + max(after_answer.values(), default=0)


@given(st.integers(1, 6))
def test_no_answer_says_how_many_attempts_there_are_in_all(no_answer: int) -> None:
    rules = RetryRules(no_answer=no_answer)

    assert attempts(rules, [], OutcomeKind.INFRASTRUCTURE) == no_answer


@given(st.integers(0, 4), st.sampled_from(AFTER_ANSWER))
def test_one_figure_is_for_every_cause_that_follows_an_answer(
    figure: int, kind: OutcomeKind
) -> None:
    assert attempts(rules_for(figure), [], kind) == 1 + figure


def test_a_cause_that_is_not_named_is_not_tried_again() -> None:
    rules = rules_for({"model": 2})

    assert attempts(rules, [], OutcomeKind.MODEL) == 3
    assert attempts(rules, [], OutcomeKind.PROGRAM) == 1


@given(st.integers(1, 2_000), CHANCES)
def test_waits_grow_and_stay_below_the_longest(failed: int, chance: float) -> None:
    rules = RetryRules(first_wait=1.0, longest_wait=30.0)

    wait = rules.wait(failed, chance)

    assert 0.5 <= wait <= 30.0
    assert rules.wait(failed, 1.0) <= rules.wait(failed + 1, 1.0)


def test_a_low_score_is_never_tried_again() -> None:
    zero = outcome(OutcomeKind.SCORED, score=0.0)

    assert rules_for(5).decide(zero, Past(), chance=0.5) is None


def test_what_began_something_that_is_never_run_again_is_not_tried_again() -> None:
    failed = outcome(OutcomeKind.INFRASTRUCTURE, may_run_again=False)

    assert RetryRules().decide(failed, Past(), chance=0.5) is None


def test_what_would_end_every_attempt_is_not_tried_again() -> None:
    failed = outcome(
        OutcomeKind.INFRASTRUCTURE, error=note(LMAuthError("wrong key"), "program")
    )
    passing = outcome(
        OutcomeKind.INFRASTRUCTURE, error=note(LMServerError("down"), "program")
    )

    assert RetryRules().decide(failed, Past(), chance=0.5) is None
    assert RetryRules().decide(passing, Past(), chance=0.5) is not None


def test_the_score_of_the_first_attempt_stands_beside_that_of_a_later_one() -> None:
    rules = rules_for(2, failure_score=0.25)
    first = rules.decide(outcome(OutcomeKind.MODEL), Past(), chance=0.5)
    assert first is not None
    second = rules.decide(outcome(OutcomeKind.PROGRAM), first.past, chance=0.5)
    assert second is not None

    counted = with_first_score(outcome(OutcomeKind.SCORED, score=1.0), second.past)

    assert (counted.first_score, counted.score) == (0.25, 1.0)


def test_without_a_retry_after_an_answer_there_is_no_first_score() -> None:
    again = RetryRules().decide(outcome(OutcomeKind.INFRASTRUCTURE), Past(), chance=0.5)
    assert again is not None

    counted = with_first_score(outcome(OutcomeKind.SCORED, score=1.0), again.past)

    assert counted.first_score is None


@pytest.mark.parametrize(
    "wrong", [-1, True, 1.5, "model", {"timeout": 1}, {"model": -1}, {"model": True}]
)
def test_a_wrong_word_for_retries_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="retry_answers is"):
        rules_for(wrong)
