"""Ctrl-C ends a wait also when it comes at the unlucky moment before the sleep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pykka
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisors import Actor, ReplyFuture
from supervisors._latches import acquire
from tests.supervisors.actors.parts import WAIT, Scripted, running
from tests.supervisors.signals import Arrived, a_signal_that_wakes_nobody


class Hanging:
    """A message whose handling asks for the signal, then waits for the test."""

    def __init__(self, send: Callable[[], None]) -> None:
        self._send = send
        self.goes_on = threading.Event()
        self.went_on: list[bool] = []

    def __call__(self, _actor: Actor) -> None:
        self._send()
        self.went_on.append(self.goes_on.wait(WAIT))


@pytest.mark.parametrize("timeout", [None, 4 * WAIT])
def test_a_call_ends(timeout: float | None) -> None:
    with running(Scripted) as ref, a_signal_that_wakes_nobody() as send:
        message = Hanging(send)
        with pytest.raises(Arrived):
            ref.call(message, timeout=timeout)
        message.goes_on.set()
    # The signal ended it, and not the reply.
    assert message.went_on == [True]


@pytest.mark.parametrize("timeout", [None, 4 * WAIT])
def test_a_wait_for_a_reply_ends(timeout: float | None) -> None:
    future: ReplyFuture[Any] = ReplyFuture()
    with a_signal_that_wakes_nobody() as send:
        send()
        with pytest.raises(Arrived):
            future.get(timeout=timeout)
    assert future._latches == []


@given(st.floats(-1.0, 0.003) | st.just(0.0))
def test_a_wait_still_ends_in_time(timeout: float) -> None:
    latch = threading.Lock()
    assert acquire(latch, timeout)
    began = time.monotonic()
    assert not acquire(latch, timeout)
    assert time.monotonic() - began >= timeout
    latch.release()
    assert acquire(latch, timeout)


def test_a_wait_of_several_looks_ends_in_time_and_not_before() -> None:
    future: ReplyFuture[Any] = ReplyFuture()
    began = time.monotonic()
    with pytest.raises(pykka.Timeout):
        future.get(timeout=0.5)
    assert time.monotonic() - began >= 0.5
