"""Whoever asks is answered, however and whenever the target dies: the small size.

The full size is `python -m tests.supervisors.race`.
"""

from __future__ import annotations

import pytest

from tests.supervisors.race import ASKS, AWAITS, DEATHS, race, switch_interval


@pytest.mark.parametrize(("asks", "interval"), [(6_000, None), (3_000, 1e-6)])
def test_no_ask_hangs_while_its_target_dies_in_every_way(
    asks: int, interval: float | None
) -> None:
    with switch_interval(interval):
        tally = race(asks)

    assert tally.good(), (tally.hanging, tally.other)
    assert tally.asks() == asks
    assert set(tally.answered) == {*ASKS, *AWAITS}
    assert set(tally.deaths) == set(DEATHS)
    assert tally.ended.total() > 0
