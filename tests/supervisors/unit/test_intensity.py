"""How many restarts are too many."""

from __future__ import annotations

import pytest

from supervisors._intensity import RestartLog
from supervisors.child_spec import Intensity


def _allowed(times: list[float], *, most: int, within: float, precise: bool) -> str:
    log = RestartLog(Intensity(max_restarts=most, within=within), precise=precise)
    return "".join("y" if log.allow(at) else "n" for at in times)


def test_no_restart_is_allowed_when_the_limit_is_zero() -> None:
    assert _allowed([0.0], most=0, within=5.0, precise=False) == "n"


def test_the_restart_after_the_limit_is_refused() -> None:
    assert _allowed([0.0, 0.0, 0.0], most=2, within=5.0, precise=False) == "yyn"


def test_a_restart_exactly_as_old_as_the_window_still_counts() -> None:
    assert _allowed([0.0, 1.0, 2.0], most=2, within=2.0, precise=False) == "yyn"
    assert _allowed([0.0, 1.0, 2.0], most=2, within=2.0, precise=True) == "yyn"


def test_a_restart_older_than_the_window_is_forgotten() -> None:
    assert _allowed([0.0, 1.0, 3.0], most=2, within=2.0, precise=False) == "yyy"


@pytest.mark.parametrize(
    ("times", "whole_seconds", "precise"),
    [
        # 0.9 s apart on the clock, but one second by OTP's count.
        ([0.95, 1.85], "yn", "yn"),
        # Just under two seconds apart: still inside OTP's window of one.
        ([1.0, 2.9], "yn", "yy"),
        # Two by OTP's count, 1.1 s for real.
        ([0.9, 2.0], "yy", "yy"),
        # The same second, whatever the fraction.
        ([3.0, 3.99], "yn", "yn"),
    ],
)
def test_whole_seconds_are_the_default_and_real_ones_an_option(
    times: list[float], whole_seconds: str, precise: str
) -> None:
    assert _allowed(times, most=1, within=1.0, precise=False) == whole_seconds
    assert _allowed(times, most=1, within=1.0, precise=True) == precise


def test_a_refused_restart_is_counted_too() -> None:
    # At 6.0 the one of 0.0 has left the window; the refused one of 1.0 has not.
    assert _allowed([0.0, 1.0, 6.0], most=1, within=5.0, precise=False) == "ynn"


def test_time_before_zero_counts_like_any_other() -> None:
    # Rounding towards zero would put -0.5 and 0.5 into one second.
    assert _allowed([-1.5, 0.5], most=1, within=1.0, precise=False) == "yy"


def test_two_logs_do_not_share_their_restarts() -> None:
    first, second = (RestartLog(Intensity(max_restarts=1)) for _ in range(2))
    assert first.allow(0.0)

    assert second.allow(0.0)


def test_a_log_counts_whole_seconds_unless_told_otherwise() -> None:
    log = RestartLog(Intensity(max_restarts=1, within=1.0))
    assert log.allow(1.0)

    assert not log.allow(2.9)
