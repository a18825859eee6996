"""What an outage costs, whatever is answered, cut off or given up meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from dspex.client.gate import GatePolicy, GateState, Permit, Verdict
from dspex.client.ledger import Lane, OpenAttempt
from dspex.client.options import ClientOptions

EVERY = 5.0
FAILURES = 5
OPTIONS = ClientOptions(gate=GatePolicy(fail_max=FAILURES, reset_after=EVERY))


@dataclass
class World:
    """A provider that is down now and then, and callers who come and go."""

    callers: int
    chance: Random
    are_patient: bool = True
    lane: Lane = field(default_factory=lambda: Lane("m", OPTIONS))
    now: float = 0.0
    out: dict[int, OpenAttempt] = field(default_factory=dict)
    doomed: set[int] = field(default_factory=set)
    sent: int = 0
    is_down: bool = False
    lost: int = 0
    fell_at: float = 0.0

    def send(self) -> None:
        """Send as many as callers, breaker and caution allow."""
        is_quiet = not self.are_patient and self.chance.random() < 0.2
        active = 1 if is_quiet else self.callers
        while len(self.out) < active:
            permit = self.lane.admit(self.now)
            if not isinstance(permit, Permit):
                return
            self.sent += 1
            self.lane.caution.sent(self.sent, self.now)
            self.out[self.sent] = attempt(self.sent, permit)
            self._doom([self.sent] if self.is_down else [])

    def fall(self, share: float) -> None:
        """Cut off a share of what is out, and lose what comes."""
        self.is_down, self.lost, self.fell_at = True, 0, self.now
        self._doom(number for number in self.out if self.chance.random() < share)

    def end(self) -> None:
        """Let one of those that are out return, lost, answered, or given up."""
        number = self.chance.choice(sorted(self.out))
        verdict = Verdict.FAILURE
        if number not in self.doomed:
            is_given_up = not self.are_patient and self.chance.random() < 0.1
            verdict = Verdict.NEUTRAL if is_given_up else Verdict.SUCCESS
        self.lane.caution.returned()
        self.lane.hear(self.out.pop(number), verdict, self.now)

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
    share=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_an_outage_costs_no_more_than_were_out_and_one_look_in_a_while(
    callers: int, lengths: list[int], share: float, seed: int
) -> None:
    chance = Random(seed)
    world = World(callers, chance, are_patient=False)
    for turn, length in enumerate(lengths):
        if turn % 2:
            world.fall(share)
        else:
            world.is_down = False
        for _ in range(length):
            world.send()
            if world.out and chance.random() < 0.9:
                world.end()
            world.now += chance.choice([0.0, 0.01, 0.5])
            # One look at most in so many seconds. A few callers are looks one after
            # another until the breaker opens.
            looks = (world.now - world.fell_at) // EVERY
            assert not world.is_down or world.lost <= max(callers, FAILURES) + looks


@given(callers=st.integers(1, 32), seed=st.integers(0, 2**32))
def test_after_an_outage_all_places_come_back(callers: int, seed: int) -> None:
    world = World(callers, Random(seed))
    world.send()
    world.fall(1.0)
    while world.out:
        world.end()
    world.is_down, world.now = False, EVERY

    for _ in range(3 * callers):
        world.send()
        world.end()

    world.send()
    assert len(world.out) == callers


@given(
    out=st.integers(FAILURES, 256),
    failures=st.integers(1, 255),
    seed=st.integers(0, 2**32),
)
def test_a_few_failures_among_many_answers_do_not_stop_a_provider(
    out: int, failures: int, seed: int
) -> None:
    chance = Random(seed)
    world = World(out, chance)
    world.send()
    world.doomed = set(chance.sample(range(1, out + 1), min(failures, out - 1)))
    row = most = 0
    while world.out:
        number = len(world.doomed & set(world.out))
        world.end()
        row = row + 1 if len(world.doomed & set(world.out)) < number else 0
        most = max(most, row)

    # It is open when so many failed in a row, and for no other reason.
    is_open = world.lane.gate.state(world.now) is not GateState.CLOSED
    assert is_open == (most >= FAILURES)
    assert is_open or isinstance(world.lane.admit(world.now), Permit)
