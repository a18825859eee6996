"""How long a restart waits."""

from __future__ import annotations

import math
from typing import Any

import pytest

from supervisors.actor import Actor
from supervisors.backoff import Backoff
from supervisors.child_spec import ChildSpec
from supervisors.errors import ConfigError


def _delays(backoff: Backoff, *failures: int, chance: float = 0.0) -> list[float]:
    return [backoff.delay(count, lambda: chance) for count in failures]


def test_each_delay_is_longer_by_the_factor_up_to_the_maximum() -> None:
    backoff = Backoff(initial=0.5, factor=3.0, maximum=10.0)

    assert _delays(backoff, 0, 1, 2, 3, 4) == [0.5, 1.5, 4.5, 10.0, 10.0]


def test_a_factor_of_one_waits_the_same_each_time() -> None:
    assert _delays(Backoff(initial=2.0, factor=1.0), 0, 1, 50) == [2.0, 2.0, 2.0]


def test_a_delay_beyond_all_numbers_is_the_maximum() -> None:
    assert _delays(Backoff(maximum=7.0), 10_000) == [7.0]


@pytest.mark.parametrize(
    ("jitter", "chance", "expected"),
    [(0.0, 0.9, 8.0), (0.5, 0.0, 8.0), (0.5, 0.5, 6.0), (1.0, 0.75, 2.0)],
)
def test_chance_shortens_a_delay_by_at_most_its_jitter(
    jitter: float, chance: float, expected: float
) -> None:
    backoff = Backoff(initial=8.0, jitter=jitter)

    assert _delays(backoff, 0, chance=chance) == [expected]


def test_a_tenth_of_a_second_doubled_up_to_half_a_minute_is_the_default() -> None:
    backoff = Backoff()

    assert _delays(backoff, 0, 1, 9) == [0.1, 0.2, 30.0]
    assert _delays(backoff, 0, chance=1.0) == [0.05]
    assert backoff.reset_after == 60.0


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("initial", 0.0, "above 0"),
        ("initial", -1.0, "above 0"),
        ("initial", math.nan, "above 0"),
        ("maximum", 0.09, "`initial` or more"),
        ("maximum", math.inf, "`initial` or more"),
        ("factor", 0.99, "1 or more"),
        ("factor", math.inf, "1 or more"),
        ("jitter", -0.1, "from 0 to 1"),
        ("jitter", 1.1, "from 0 to 1"),
        ("reset_after", 0.0, "above 0"),
        ("reset_after", math.inf, "above 0"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    option: str, value: float, expected: str
) -> None:
    options: dict[str, Any] = {option: value}

    with pytest.raises(ConfigError) as caught:
        Backoff(**options)

    assert str(caught.value) == (
        f"{option} of a Backoff is {value!r}; expected a finite number {expected}. "
        "Pass one, or leave it out for the default."
    )


def test_the_limits_themselves_make_sense() -> None:
    backoff = Backoff(
        initial=1.0, maximum=1.0, factor=1.0, jitter=1.0, reset_after=0.001
    )

    assert _delays(backoff, 3, chance=0.5) == [0.5]


def test_a_child_does_not_wait_unless_its_spec_says_so() -> None:
    assert ChildSpec(id="w", actor=Actor).backoff is None
