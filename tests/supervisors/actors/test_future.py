"""A reply that comes exactly once."""

from __future__ import annotations

import queue
import threading
from typing import Any

import pykka
import pytest

from supervisors import ReplyFuture
from supervisors.testing import Probe
from tests.supervisors.actors.parts import WAIT, BoomError


def test_the_first_to_settle_wins() -> None:
    future: ReplyFuture[int] = ReplyFuture()

    assert future.resolve(1)
    assert not future.resolve(2)
    assert not future.reject(BoomError())

    assert future.get() == 1
    assert future.done()


def test_of_many_threads_one_settles_and_all_waiters_see_it() -> None:
    for _ in range(50):
        future: ReplyFuture[int] = ReplyFuture()
        won: list[int] = []
        seen: list[int] = []
        barrier = threading.Barrier(8)

        def settle(
            number: int,
            future: ReplyFuture[int] = future,
            won: list[int] = won,
            barrier: threading.Barrier = barrier,
        ) -> None:
            barrier.wait(WAIT)
            if future.resolve(number):
                won.append(number)

        def wait(
            future: ReplyFuture[int] = future,
            seen: list[int] = seen,
            barrier: threading.Barrier = barrier,
        ) -> None:
            barrier.wait(WAIT)
            seen.append(future.get(timeout=WAIT))

        threads = [
            *(threading.Thread(target=settle, args=(number,)) for number in range(4)),
            *(threading.Thread(target=wait) for _ in range(4)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)

        assert len(won) == 1
        assert seen == won * 4


def test_callbacks_run_once_whenever_they_are_added() -> None:
    probe = Probe()
    future: ReplyFuture[str] = ReplyFuture()
    future.on_done(lambda done: probe(("early", done.get())))

    future.resolve("x")
    future.on_done(lambda done: probe(("late", done.get())))

    assert [probe.expect(), probe.expect()] == [("early", "x"), ("late", "x")]
    probe.expect_nothing()


def test_waiting_has_an_end() -> None:
    future: ReplyFuture[int] = ReplyFuture()

    assert not future.wait(0.001)
    with pytest.raises(pykka.Timeout):
        future.get(timeout=0.001)
    future.resolve(3)
    assert future.wait()
    assert future.get() == 3


def test_pykkas_way_of_settling_works() -> None:
    future: ReplyFuture[int] = ReplyFuture()
    future.set(4)

    assert future.get() == 4
    with pytest.raises(queue.Full):
        future.set(5)
    with pytest.raises(queue.Full):
        future.set_exception((BoomError, BoomError(), None))


def test_the_error_being_handled_is_taken_as_pykka_does() -> None:
    future: ReplyFuture[int] = ReplyFuture()
    try:
        raise BoomError("now")
    except BoomError:
        future.set_exception()

    with pytest.raises(BoomError, match="now"):
        future.get()


def test_an_error_is_taken_apart_or_as_a_class() -> None:
    future: ReplyFuture[int] = ReplyFuture()
    future.set_exception((BoomError, None, None))

    with pytest.raises(BoomError):
        future.get()


def test_pykkas_functions_over_futures_work() -> None:
    first: ReplyFuture[Any] = ReplyFuture()
    second: ReplyFuture[Any] = ReplyFuture()
    both = first.join(second)
    doubled = both.map(lambda values: [value * 2 for value in values])
    first.resolve(1)
    second.resolve(2)

    assert doubled.get(timeout=WAIT) == [2, 4]
    assert pykka.get_all([first, second], timeout=WAIT) == [1, 2]
