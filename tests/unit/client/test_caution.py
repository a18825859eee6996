"""Failures take places away until something sent after them is answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.caution import Caution
from dspex.client.gate import GatePolicy, Permit, Verdict
from dspex.client.ledger import Lane, OpenAttempt
from dspex.client.options import ClientOptions

EVERY = 5.0
FAILURES = 5
OPTIONS = ClientOptions(gate=GatePolicy(fail_max=FAILURES, reset_after=EVERY))


def out(caution: Caution, numbers: range, now: float = 0.0) -> None:
    for number in numbers:
        assert caution.wait(now) == 0.0
        caution.sent(number, now)


def test_without_a_failure_any_number_may_be_out() -> None:
    caution = Caution(EVERY)

    out(caution, range(1, 1_000))

    assert caution.in_doubt == 0


def test_a_failure_takes_one_place_until_one_sent_after_it_is_answered() -> None:
    caution = Caution(EVERY)
    out(caution, range(1, 5))
    caution.returned()
    caution.failed(0.1)

    assert caution.wait(0.1) == EVERY

    caution.returned()
    caution.answered(2)  # sent before it failed: the provider may be down since

    out(caution, range(5, 6), 0.2)
    assert caution.wait(0.2) > 0

    caution.returned()
    caution.answered(5)

    assert caution.in_doubt == 0
    out(caution, range(6, 20), 0.3)


def test_with_nothing_out_one_may_look() -> None:
    caution = Caution(EVERY)
    out(caution, range(1, 2))
    caution.returned()
    caution.failed(0.0)

    assert caution.wait(0.0) == 0.0

    caution.sent(2, 0.0)

    assert caution.wait(1.0) == pytest.approx(EVERY - 1.0)


def test_what_never_returns_does_not_keep_others_from_looking_for_ever() -> None:
    caution = Caution(EVERY)
    out(caution, range(1, 4))
    caution.returned()
    caution.failed(1.0)

    assert caution.wait(1.0 + EVERY) == 0.0

    caution.sent(4, 1.0 + EVERY)

    assert caution.wait(1.0 + EVERY) == EVERY


def test_whether_it_may_be_down_is_told_by_what_was_sent_later() -> None:
    caution = Caution(EVERY)
    out(caution, range(1, 4))
    caution.returned()
    caution.answered(2)

    assert not caution.may_be_down_since(1)
    assert caution.may_be_down_since(3)


@dataclass
class World:
    """A provider that is down now and then, and callers who ask all the time."""

    callers: int
    lane: Lane = field(default_factory=lambda: Lane("m", OPTIONS))
    out: dict[int, OpenAttempt] = field(default_factory=dict)
    doomed: set[int] = field(default_factory=set)
    sent: int = 0
    is_down: bool = False
    lost: int = 0
    fell_at: float = 0.0

    def send(self, now: float) -> None:
        """Send as many as callers, breaker and caution allow."""
        while len(self.out) < self.callers:
            permit = self.lane.admit(now)
            if not isinstance(permit, Permit):
                return
            self.sent += 1
            self.lane.caution.sent(self.sent, now)
            self.out[self.sent] = attempt(self.sent, permit)
            self._doom([self.sent] if self.is_down else [])

    def fall(self, now: float) -> None:
        """Cut off what is out, and lose what comes."""
        self.is_down, self.lost, self.fell_at = True, 0, now
        self._doom(self.out)

    def end(self, number: int, now: float) -> None:
        """Let one of those that are out return."""
        is_lost = number in self.doomed
        verdict = Verdict.FAILURE if is_lost else Verdict.SUCCESS
        self.lane.caution.returned()
        self.lane.hear(self.out.pop(number), verdict, now)

    def _doom(self, numbers: Iterable[int]) -> None:
        fresh = set(numbers) - self.doomed
        self.doomed |= fresh
        self.lost += len(fresh)


def attempt(number: int, permit: Permit) -> OpenAttempt:
    return OpenAttempt(
        request_id=str(number),
        number=number,
        permit=permit,
        started=0.0,
        configuration=1,
    )


@given(
    callers=st.integers(1, 32),
    lengths=st.lists(st.integers(1, 60), min_size=2, max_size=8),
    seed=st.integers(0, 2**32),
)
def test_an_outage_costs_no_more_than_was_out_and_the_looks(
    callers: int, lengths: list[int], seed: int
) -> None:
    world, now, chance = World(callers), 0.0, Random(seed)
    for turn, length in enumerate(lengths):
        if turn % 2:
            world.fall(now)
        else:
            world.is_down = False
        for _ in range(length):
            world.send(now)
            if world.out and chance.random() < 0.9:
                number = chance.choice(sorted(world.out))
                world.end(number, now)
            now += chance.choice([0.0, 0.01, 0.5])
        # One look at most in so many seconds; few callers are looks one after another
        # until the breaker opens.
        looks = (now - world.fell_at) // EVERY
        most = max(callers, FAILURES) + looks
        assert not world.is_down or world.lost <= most


@given(callers=st.integers(1, 32), seed=st.integers(0, 2**32))
def test_after_an_outage_all_places_come_back(callers: int, seed: int) -> None:
    world, now, chance = World(callers), 0.0, Random(seed)
    world.send(now)
    world.fall(now)
    for number in list(world.out):
        world.end(number, now)
    world.is_down, now = False, EVERY

    for _ in range(3 * callers):
        world.send(now)
        world.end(chance.choice(sorted(world.out)), now)

    world.send(now)
    assert len(world.out) == callers
