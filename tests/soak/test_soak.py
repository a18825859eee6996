"""A small size of `python -m tests.soak`, and the rule it judges by."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.soak.flat import slope, trend
from tests.soak.play import soaked

NUMBERS = st.floats(-1e6, 1e6)


@given(NUMBERS, NUMBERS, st.integers(10, 40), st.data())
def test_the_slope_is_that_of_most_points(
    start: float, rise: float, count: int, data: st.DataObject
) -> None:
    points = [(float(n), start + rise * n) for n in range(count)]
    # A fifth of them: then more than half of the pairs are sound.
    for index in data.draw(st.sets(st.integers(0, count - 1), max_size=count // 5)):
        points[index] = (float(index), data.draw(NUMBERS))

    assert slope(points) == pytest.approx(rise, abs=1e-3)


def test_what_grows_is_not_flat_and_what_jumps_about_is() -> None:
    grows = [(float(n), 100.0 + n) for n in range(90)]
    jumps = [(float(n), 100.0 + 20 * (n % 7 == 0)) for n in range(90)]
    fills = [(float(n), min(100.0, 10.0 * n)) for n in range(90)]

    flat = {
        name: trend(points, share=0.05, amount=1.0).is_flat
        for name, points in {"grows": grows, "jumps": jumps, "fills": fills}.items()
    }

    assert flat == {"grows": False, "jumps": True, "fills": True}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")
def test_a_daemon_that_works_a_while_answers_all_and_ends_in_order(
    tmp_path: Path,
) -> None:
    told = soaked(tmp_path, seconds=3.0, kill_every=0.7, reload_every=0.9)

    assert set(told.answers) == {"right"}
    assert told.exit_code == 0
    assert told.evaluations
    assert told.reloads
    assert told.killed
