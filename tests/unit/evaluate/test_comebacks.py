"""What comes back to be tried again, and what counts in the end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.errors import CircuitOpenError, LMRateLimitError
from dspex.evaluate.results.outcome import ErrorNote, Outcome, OutcomeKind, Stamp
from dspex.evaluate.running.comebacks import Comeback, Comebacks
from dspex.evaluate.scheduling.outage import Sign
from dspex.evaluate.scheduling.retrying import RetryRules, rules_for

DOWN = Sign(what="openai/m", text="down")


def outcome(attempt: int, kind: OutcomeKind, **facts: Any) -> Outcome:
    return Outcome(stamp=Stamp(run="r", example=3, attempt=attempt), kind=kind, **facts)


@given(
    st.lists(
        st.tuples(st.sampled_from(OutcomeKind), st.booleans()), min_size=1, max_size=30
    ),
    st.integers(0, 3),
)
def test_an_outcome_that_is_judged_twice_is_judged_the_same(
    ends: list[tuple[OutcomeKind, bool]], allowed: int
) -> None:
    comebacks = Comebacks(rules_for(allowed))
    for attempt, (kind, down) in enumerate(ends, 1):
        sign = DOWN if down else None
        first = comebacks.judge(outcome(attempt, kind), sign, chance=0.5)
        second = comebacks.judge(outcome(attempt, kind), sign, chance=0.9)

        assert first == second
        if isinstance(first, Outcome):
            break


@given(st.integers(1, 50))
def test_what_failed_for_an_outage_is_charged_to_nobody(times: int) -> None:
    comebacks = Comebacks(RetryRules(no_answer=2))
    for attempt in range(1, times + 1):
        judged = comebacks.judge(
            outcome(attempt, OutcomeKind.INFRASTRUCTURE), DOWN, chance=0.5
        )

        assert isinstance(judged, Comeback)
        assert (judged.past.unanswered, judged.wait) == (0, 0.0)

    after = comebacks.judge(
        outcome(times + 1, OutcomeKind.INFRASTRUCTURE), None, chance=0.5
    )

    assert isinstance(after, Comeback)
    assert after.past.unanswered == 1


def test_what_must_not_be_run_again_counts_even_in_an_outage() -> None:
    failed = outcome(1, OutcomeKind.INFRASTRUCTURE, may_run_again=False)

    assert Comebacks(RetryRules()).judge(failed, DOWN, chance=0.5) is failed


def test_the_outcome_that_counts_has_the_score_of_the_first_attempt() -> None:
    comebacks = Comebacks(rules_for({"model": 1}))
    comebacks.judge(outcome(1, OutcomeKind.MODEL), None, chance=0.5)

    counted = comebacks.judge(
        outcome(2, OutcomeKind.SCORED, score=1.0), None, chance=0.5
    )

    assert isinstance(counted, Outcome)
    assert (counted.score, counted.first_score) == (1.0, 0.0)


def test_what_has_its_outcome_is_forgotten() -> None:
    comebacks = Comebacks(RetryRules())
    comebacks.judge(outcome(1, OutcomeKind.INFRASTRUCTURE), None, chance=0.5)
    assert list(comebacks.latest) == [(3, 0)]

    comebacks.forget((3, 0))
    comebacks.forget((3, 0))

    assert not comebacks.latest


def put_off(attempt: int, *, attempts: int) -> Outcome:
    error = LMRateLimitError("busy", retry_after=3600.0, attempts=attempts)
    error.puts_off = True
    note = ErrorNote(
        stage="program", type="LMRateLimitError", message="", where="", error=error
    )
    return outcome(attempt, OutcomeKind.INFRASTRUCTURE, error=note)


def waited(attempt: int, *, only: bool = True, calls: int = 0) -> Outcome:
    error = CircuitOpenError("down", only_waited=only)
    note = ErrorNote(
        stage="program", type="CircuitOpenError", message="", where="", error=error
    )
    return outcome(attempt, OutcomeKind.INFRASTRUCTURE, error=note, calls=calls)


def test_who_only_waited_for_an_outage_to_end_has_nothing_to_show() -> None:
    comebacks = Comebacks(RetryRules())

    comebacks.judge(waited(1), DOWN, chance=0.5)
    comebacks.judge(waited(2), DOWN, chance=0.5)
    comebacks.judge(put_off(3, attempts=0), DOWN, chance=0.5)

    assert comebacks.latest
    assert not comebacks.begun


@pytest.mark.parametrize(
    "first",
    [
        outcome(1, OutcomeKind.INFRASTRUCTURE),
        waited(1, only=False),
        waited(1, calls=1),
        put_off(1, attempts=1),
    ],
)
def test_who_lost_a_request_or_had_an_answer_has_begun_whatever_follows(
    first: Outcome,
) -> None:
    comebacks = Comebacks(RetryRules())

    comebacks.judge(first, DOWN, chance=0.5)
    comebacks.judge(waited(2), DOWN, chance=0.5)

    assert comebacks.begun == comebacks.latest
