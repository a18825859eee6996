"""The open runs of a study: real ones, whose examples wait until the test goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import dspex
from dspex.evaluate.running.control import EvaluationRun
from dspex.teleprompt.studies.open_runs import OpenRun, OpenRuns
from tests.actors.rows import rows


@pytest.fixture
def goes_on() -> Iterator[threading.Event]:
    """Set, it lets the examples end."""
    event = threading.Event()
    with dspex.Runtime(dspex.Config(persist=False)):
        yield event
        event.set()


def begun(goes_on: threading.Event) -> EvaluationRun:
    def wait(**_: Any) -> None:
        goes_on.wait(20)

    evaluate = dspex.Evaluate(devset=rows(4), metric=lambda *_: 1.0, concurrency=1)
    return evaluate.start(wait)


def told(name: str, *pieces: object) -> OpenRun:
    return OpenRun(name=name, total=4, pieces=pieces)


def test_the_end_of_a_piece_ends_its_runs_and_no_others(
    goes_on: threading.Event,
) -> None:
    mine, other = object(), object()
    runs, one, two = OpenRuns(8), begun(goes_on), begun(goes_on)

    with runs.holding(one, told("one", mine)), runs.holding(two, told("two", other)):
        runs.end(mine)

        assert one.wait(20)
        assert not two.wait(0)
        assert [name for name, _, _ in runs.at_work] == ["one", "two"]
    assert two.wait(20)
    assert runs.at_work == ()


def test_a_run_that_comes_while_they_are_paused_is_paused(
    goes_on: threading.Event,
) -> None:
    runs, one, two = OpenRuns(8), begun(goes_on), begun(goes_on)

    with ExitStack() as stack:
        stack.enter_context(runs.holding(one, told("one")))
        runs.pause(paused=True)
        stack.enter_context(runs.holding(two, told("two")))
        assert (one.state, two.state) == ("paused", "paused")

        runs.pause(paused=False)
        # The coordinator lets go a moment later; until then they are held.
        assert "paused" not in (one.state, two.state)
        runs.end()


def test_they_share_the_hands_of_the_study(goes_on: threading.Event) -> None:
    runs, one, two = OpenRuns(8), begun(goes_on), begun(goes_on)

    with runs.holding(one, told("one")):
        assert (one.concurrency, runs.next_share()) == (8, 4)
        with runs.holding(two, told("two")):
            assert one.concurrency + two.concurrency == 8
            runs.end()
        assert one.concurrency == 8
