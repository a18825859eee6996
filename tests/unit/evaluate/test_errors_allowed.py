"""How many failures a run stands."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.errors import ConfigurationError
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp
from dspex.evaluate.scheduling.errors_allowed import (
    LEAST_JUDGED,
    ErrorLimit,
    counts_as_error,
)


@given(st.integers(1, 50), st.integers(0, 100), st.integers(0, 100))
def test_a_count_is_reached_at_that_many_failures(
    limit: int, errors: int, others: int
) -> None:
    reached = ErrorLimit(limit).is_reached(errors=errors, settled=errors + others)

    assert reached == (errors >= limit)


@given(
    st.floats(0, 1, exclude_min=True, exclude_max=True),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_a_share_is_judged_only_when_enough_is_settled(
    share: float, errors: int, others: int
) -> None:
    settled = errors + others

    reached = ErrorLimit(share).is_reached(errors=errors, settled=settled)

    if settled < LEAST_JUDGED:
        assert not reached
    else:
        assert reached == (errors >= share * settled)


@given(st.integers(0, 10**9))
def test_without_a_limit_nothing_is_too_much(errors: int) -> None:
    assert not ErrorLimit(math.inf).is_reached(errors=errors, settled=errors)


@pytest.mark.parametrize("figure", [0, -1, 2.5, math.nan, True, "10", None])
def test_a_figure_that_is_no_limit_is_refused(figure: object) -> None:
    with pytest.raises(ConfigurationError, match="max_errors is"):
        ErrorLimit(figure)  # type: ignore[arg-type]  # that is the test


def test_a_limit_is_shown_as_it_was_given() -> None:
    limits = (ErrorLimit(10), ErrorLimit(0.05), ErrorLimit(math.inf))

    assert [str(limit) for limit in limits] == ["10", "5 %", "inf"]


def test_an_answer_that_does_not_fit_is_no_error_of_the_evaluation() -> None:
    stamp = Stamp(run="r", example=0)

    counted = {
        kind for kind in OutcomeKind if counts_as_error(Outcome(stamp=stamp, kind=kind))
    }

    assert counted == set(OutcomeKind) - {OutcomeKind.SCORED, OutcomeKind.MODEL}
