"""Bootstrapping many examples at a time gives what one at a time would give."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dspex
from dspex.teleprompt.few_shot.forecast import AHEAD
from tests.bootstrap_reference import one_by_one, scenarios
from tests.tools import bootstrap_side
from tests.tools.bootstrap_side import Scenario

SECONDS = 30.0


class AnyOrder:
    """Lets answers out one at a time, drawn from all that wait."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        # Protects the two below; told of each change.
        self._changed = threading.Condition()
        self._waiting: list[threading.Event] = []
        self._over = False

    def pass_through(self) -> None:
        """Wait for one's turn."""
        mine = threading.Event()
        with self._changed:
            if self._over:
                return
            self._waiting.append(mine)
            self._changed.notify_all()
        assert mine.wait(SECONDS)

    def _let_out(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._over)
                if self._over:
                    for each in self._waiting:
                        each.set()
                    return
                chosen = self._rng.randrange(len(self._waiting))
                self._waiting.pop(chosen).set()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let answers out meanwhile."""
        thread = threading.Thread(target=self._let_out)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()
            thread.join(SECONDS)


@pytest.fixture(scope="module")
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime() as running:
        yield running


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios(most_rows=20), st.integers(1, 8), st.integers(0, 2**16))
def test_demos_and_errors_are_those_of_the_search_one_by_one(
    runtime: dspex.Runtime, scenario: Scenario, threads: int, seed: int
) -> None:
    order = AnyOrder(seed)
    optimiser = bootstrap_side.optimiser(
        dspex, scenario, num_threads=threads, display_progress=False
    )

    with order.running():
        demos = bootstrap_side.search(dspex, scenario, optimiser, order.pass_through)

    expected = one_by_one(scenario)
    assert demos == expected.demos
    assert optimiser.result.needed == expected.needed
    assert optimiser.result.not_needed.examples < AHEAD * threads
