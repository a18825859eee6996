"""Whether work may be handed out while something that all need is not there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.standing import OpenBreaker
from dspex.core.errors import (
    CircuitOpenError,
    LMConnectionError,
    LMInvalidRequestError,
    LMRateLimitError,
    LMServerError,
    LMTimeoutError,
)
from dspex.evaluate.scheduling.outage import (
    LOOK_EVERY,
    LOOK_WITHIN,
    OutageWatch,
    Sign,
    sign_of,
)

DOWN = Sign(what="openai/m", text="down", retry_in=5.0)
LANE = ("openai at https://api.openai.com/v1", "m")
BREAKERS = {LANE: OpenBreaker(model="m", open_for=2.0, retry_in=3.0)}


def test_without_an_outage_there_is_always_room() -> None:
    watch = OutageWatch(30.0)
    watch.begins(1, 0.0)

    assert watch.room(0.0) == 0.0
    assert not watch.is_on
    assert watch.too_long(1e9) is None


def test_the_first_failure_pauses_until_it_makes_sense_to_look() -> None:
    watch = OutageWatch(30.0)

    watch.failed(1, DOWN, 100.0)

    assert watch.room(100.0) == 5.0
    assert watch.room(105.0) == 0.0


def test_one_attempt_at_a_time_looks() -> None:
    watch = OutageWatch(30.0)
    watch.failed(1, DOWN, 100.0)
    watch.begins(1, 105.0)

    assert watch.room(106.0) == math.inf

    watch.failed(1, DOWN, 107.0)

    assert watch.room(107.0) == 5.0


def test_an_attempt_from_before_does_not_end_an_outage() -> None:
    watch = OutageWatch(30.0)
    watch.begins(2, 99.0)
    watch.failed(1, DOWN, 100.0)

    watch.ended(2)

    assert watch.is_on


def test_the_attempt_that_looked_ends_it_unless_it_died() -> None:
    watch = OutageWatch(30.0)
    watch.failed(1, DOWN, 100.0)
    watch.begins(1, 105.0)
    watch.lost(1)

    assert watch.is_on
    assert watch.room(105.0) == 0.0

    watch.begins(2, 105.0)
    watch.ended(2)

    assert not watch.is_on


LONG_DOWN = Sign(what="openai/m", text="down", down_for=29.0)


def test_an_outage_counts_from_when_it_began_and_not_from_when_it_was_noticed() -> None:
    watch = OutageWatch(30.0)
    watch.failed(1, LONG_DOWN, 100.0)
    watch.begins(1, 100.5)
    watch.failed(1, Sign(what="openai/m", text="down", down_for=29.6), 100.6)

    assert watch.ends_run_at == 101.0
    assert watch.too_long(100.9) is None
    outage = watch.too_long(101.0)
    assert outage is not None
    assert outage.what == "openai/m"


def test_an_outage_of_before_the_run_ends_it_only_after_somebody_looked() -> None:
    watch = OutageWatch(30.0)

    watch.failed(1, Sign(what="openai/m", text="down", down_for=600.0), 100.0)

    assert watch.too_long(129.0) is None
    assert watch.too_long(130.0) is not None


def test_a_failed_look_does_not_begin_it_anew() -> None:
    watch = OutageWatch(30.0)
    watch.failed(1, DOWN, 100.0)
    watch.begins(1, 105.0)
    watch.failed(1, DOWN, 106.0)

    assert watch.ends_run_at == 130.0


def test_what_somebody_else_watches_ends_by_its_word_alone() -> None:
    watch = OutageWatch(30.0)
    watch.hold(Sign(what="the record", text="the disk is full"), 100.0)
    watch.begins(1, 100.0)
    watch.ended(1)

    assert watch.room(120.0) == math.inf

    watch.release("the record")

    assert watch.room(120.0) == 0.0


def test_looks_are_not_closer_than_they_may_be() -> None:
    watch = OutageWatch(30.0)

    watch.failed(1, Sign(what="openai/m", text="down"), 100.0)

    assert watch.room(100.0) == pytest.approx(LOOK_EVERY)


@dataclass
class World:
    """Workers, a provider that is down for a while, and a hand-out that asks."""

    workers: int
    watch: OutageWatch = field(default_factory=lambda: OutageWatch(1e6))
    open: set[int] = field(default_factory=set)
    looks: int = 0
    extra: int = 0

    def hand_out(self, waiting: list[int], now: float) -> None:
        while waiting and len(self.open) < self.workers and not self.watch.room(now):
            self.looks += self.watch.is_on
            key = waiting.pop(0)
            self.watch.begins(key, now)
            self.open.add(key)


@given(
    workers=st.integers(1, 8),
    down=st.tuples(st.integers(0, 30), st.integers(1, 30)),
    order=st.randoms(use_true_random=False),
)
def test_an_outage_costs_no_more_than_the_workers_and_the_looks(
    workers: int, down: tuple[int, int], order: object
) -> None:
    world, waiting, done, now = World(workers), list(range(40)), 0, 0.0
    first, length = down
    while done < 40:
        world.hand_out(waiting, now)
        key = order.choice(sorted(world.open)) if world.open else None  # type: ignore[attr-defined]  # hypothesis does not name its type
        now += 0.5
        if key is None:
            continue
        world.open.discard(key)
        if first <= now < first + length:
            world.extra += 1
            world.watch.failed(key, Sign(what="m", text="down"), now)
            waiting.append(key)
        else:
            done += 1
            world.watch.ended(key)

    assert world.extra <= workers + world.looks
    assert not world.watch.is_on


def test_an_open_circuit_is_a_sign_with_the_facts_of_the_error() -> None:
    error = CircuitOpenError("down", model="openai/m", retry_in=4.0, down_for=31.0)

    sign = sign_of(error, {})

    assert sign == Sign(what="openai/m", text=str(error), down_for=31.0, retry_in=4.0)


@pytest.mark.parametrize("kind", [LMConnectionError, LMServerError, LMTimeoutError])
def test_a_failed_call_is_a_sign_only_while_the_breaker_is_open(
    kind: type[LMServerError],
) -> None:
    error = kind("down", model="openai/m")
    error.lane = LANE

    assert sign_of(error, {}) is None
    assert sign_of(error, BREAKERS) == Sign(
        what="openai/m", text=str(error), down_for=2.0, retry_in=3.0
    )


def test_another_provider_or_another_error_is_no_sign() -> None:
    other = LMServerError("down", model="anthropic/m")
    other.lane = ("anthropic at https://api.anthropic.com/v1", "m")
    wrong = LMInvalidRequestError("too long", model="openai/m")
    wrong.lane = LANE
    unasked = LMServerError("down", model="openai/m")
    others = (other, wrong, unasked, ValueError("down"), None)

    assert [sign_of(error, BREAKERS) for error in others] == [None] * 5


def put_off(seconds: float) -> Sign:
    error = LMRateLimitError("busy", model="openai/m", retry_after=seconds)
    error.puts_off = True
    sign = sign_of(error, {})
    assert sign is not None
    return sign


def test_a_short_rate_limit_is_no_sign() -> None:
    assert sign_of(LMRateLimitError("busy", retry_after=3.0), {}) is None


def test_a_provider_that_is_back_within_the_patience_is_waited_for_and_looked_at() -> (
    None
):
    watch = OutageWatch(4000.0)
    watch.failed(1, put_off(3600.0), 100.0)

    assert watch.too_long(3699.0) is None
    assert watch.room(100.0) == 3600.0

    watch.begins(1, 3700.0)
    watch.ended(1)

    assert not watch.is_on


@given(patience=st.floats(0, 3000), asked=st.floats(3001, 1e6))
def test_one_that_is_not_ends_the_run_when_what_is_out_had_time_to_come(
    patience: float, asked: float
) -> None:
    watch = OutageWatch(patience)

    watch.failed(1, put_off(asked), 100.0)

    assert watch.ends_run_at == 100.0 + min(patience, LOOK_WITHIN)
    # Those that come back later with the rest of it do not put the end off.
    watch.failed(2, put_off(asked), 100.1)
    assert watch.ends_run_at == 100.0 + min(patience, LOOK_WITHIN)
