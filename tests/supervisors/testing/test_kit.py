"""The test kit itself: a wound clock, a probe, the census."""

from __future__ import annotations

import pytest

from supervisors.clock import SYSTEM_CLOCK
from supervisors.testing import (
    ManualClock,
    Probe,
    ProbeActor,
    assert_no_actor_left,
    living,
)


def test_a_manual_clock_pokes_its_subscribers_until_they_leave() -> None:
    clock = ManualClock(5.0)
    seen: list[float] = []
    leave = clock.subscribe(lambda: seen.append(clock.monotonic()))

    clock.advance(1.0)
    leave()
    leave()
    clock.advance(1.0)

    assert seen == [6.0]
    assert clock.monotonic() == 7.0


def test_the_systems_clock_goes_by_itself_and_never_pokes() -> None:
    seen: list[int] = []
    leave = SYSTEM_CLOCK.subscribe(lambda: seen.append(1))
    before = SYSTEM_CLOCK.monotonic()
    leave()

    assert SYSTEM_CLOCK.monotonic() >= before
    assert seen == []


def test_a_probe_says_when_nothing_came_and_when_something_did() -> None:
    probe = Probe()
    probe.expect_nothing()
    with pytest.raises(AssertionError, match=r"no event within 0\.001 s"):
        probe.expect(timeout=0.001)

    probe("news")

    with pytest.raises(AssertionError, match="nobody expected: 'news'"):
        probe.expect_nothing()


def test_the_census_names_who_is_left() -> None:
    before = living()
    probe = Probe()
    ref = ProbeActor.start(probe)

    with pytest.raises(AssertionError, match=r"still alive: \['ProbeActor'\]"):
        assert_no_actor_left(timeout=0.001, besides=before)

    assert living() - before == {ref.life}
    ref.cast("m")
    assert probe.expect() == "m"
    ref.shutdown()
    assert_no_actor_left(besides=before)
