"""The plan of a stream under any interleaving of ends, time and demands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisors._stream_plan import StreamPlan

steps = st.lists(
    st.one_of(
        st.tuples(st.just("end"), st.integers(0, 50)),
        st.tuples(st.just("wind"), st.integers(1, 4)),
        st.tuples(st.just("take"), st.just(0)),
        st.tuples(st.just("start"), st.just(0)),
    ),
    max_size=200,
)


class Driven:
    """A plan, and what its driver knows; every step checks what must always hold."""

    def __init__(
        self, *, slots: int, ordered: bool, ahead: int, inputs: int, timeout: float
    ) -> None:
        self.plan: StreamPlan[str] = StreamPlan(
            max_concurrency=slots, ordered=ordered, timeout=timeout, max_ahead=ahead
        )
        self.slots, self.ahead, self.inputs = slots, ahead, inputs
        self.timeout = timeout
        self.now = 0.0
        self.began: dict[int, float] = {}
        self.running: list[int] = []
        self.results: dict[int, str] = {}
        self.handed_out: list[int] = []

    def start(self) -> bool:
        if not self.plan.wants_input():
            return False
        if len(self.began) == self.inputs:
            self.plan.exhausted()
            return True
        position = self.plan.started(self.now)
        assert position not in self.began
        self.began[position] = self.now
        self.running.append(position)
        assert len(self.running) <= self.slots
        assert len(self.began) - len(self.handed_out) <= self.ahead
        return True

    def end(self, which: int) -> None:
        if not self.running:
            return
        position = self.running[which % len(self.running)]
        in_time = self.now <= self.began[position] + self.timeout
        assert self.plan.ended(position, f"value {position}", self.now) is in_time
        if in_time:
            self.running.remove(position)
            self.results[position] = f"value {position}"

    def wind(self, seconds: float) -> None:
        self.now += seconds
        late = self.plan.overdue(self.now)
        assert list(late) == [
            position
            for position in self.running
            if self.now >= self.began[position] + self.timeout
        ]
        for position in late:
            self.plan.settle(position, f"late {position}")
            self.running.remove(position)
            self.results[position] = f"late {position}"
        due = self.plan.next_due()
        assert due == min(
            (self.began[position] + self.timeout for position in self.running),
            default=None,
        )

    def take(self) -> bool:
        finished = self.plan.take()
        if finished is None:
            return False
        assert finished.result == self.results.pop(finished.position)
        self.handed_out.append(finished.position)
        return True

    def to_the_end(self) -> None:
        for _ in range(10 * self.inputs + 20):
            while self.take():
                pass
            if self.plan.over():
                return
            if not self.start():
                self.end(0)
                if self.running and self.now > self.began[self.running[0]]:
                    self.wind(self.timeout)
        pytest.fail("the plan does not come to its end")


@given(
    steps=steps,
    slots=st.integers(1, 5),
    ordered=st.booleans(),
    more_ahead=st.integers(0, 6),
    inputs=st.integers(0, 30),
)
def test_any_interleaving_keeps_the_promises_of_a_stream(
    steps: list[tuple[str, int]],
    slots: int,
    ordered: bool,
    more_ahead: int,
    inputs: int,
) -> None:
    driven = Driven(
        slots=slots,
        ordered=ordered,
        ahead=slots + more_ahead,
        inputs=inputs,
        timeout=5.0,
    )

    for name, number in steps:
        step: Any = getattr(driven, name)
        step(number) if name in ("end", "wind") else step()
    driven.to_the_end()

    if ordered:
        assert driven.handed_out == list(range(inputs))
    assert sorted(driven.handed_out) == list(range(inputs))
    assert not driven.results


def test_a_slow_head_stops_the_starting_at_the_bound() -> None:
    plan: StreamPlan[int] = StreamPlan(
        max_concurrency=2, ordered=True, timeout=None, max_ahead=4
    )

    plan.started(0.0)
    for position in range(1, 4):
        plan.started(0.0)
        plan.ended(position, position, 0.0)

    assert not plan.wants_input()
    plan.ended(0, 0, 0.0)
    assert [plan.take() is not None for _ in range(5)] == [True] * 4 + [False]
    assert plan.wants_input()


def test_nothing_is_started_while_a_result_can_be_handed_out() -> None:
    plan: StreamPlan[int] = StreamPlan(
        max_concurrency=2, ordered=False, timeout=None, max_ahead=4
    )
    plan.started(0.0)
    plan.ended(0, 0, 0.0)

    assert not plan.wants_input()


def test_a_task_without_a_timeout_is_never_due() -> None:
    plan: StreamPlan[int] = StreamPlan(
        max_concurrency=1, ordered=True, timeout=None, max_ahead=1
    )
    plan.started(0.0)

    assert plan.next_due() is None
    assert plan.overdue(1e12) == ()
