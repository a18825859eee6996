from __future__ import annotations

import sys
import threading

from hypothesis import given
from hypothesis import strategies as st

from dspex.core.history import Exchanged, History
from dspex.core.lm import Message, Reply, Usage


def call(number: int) -> Exchanged:
    return Exchanged(
        model="m",
        messages=(Message("user", f"question {number}"),),
        settings={"temperature": 0},
        reply=Reply(texts=(str(number),), usage=Usage(prompt_tokens=3)),
        adapter="chat",
    )


@given(st.lists(st.integers(min_value=0, max_value=5), max_size=20))
def test_a_history_holds_the_latest_calls_and_no_more_than_it_may(
    limits: list[int],
) -> None:
    history = History(99)

    for number, most in enumerate(limits):
        history.add(call(number), most)

        shown = [int(entry["outputs"][0]) for entry in history]
        assert len(shown) <= most
        assert shown == list(range(number + 1))[len(range(number + 1)) - len(shown) :]


def test_an_entry_has_dspys_shape_and_is_the_same_each_time() -> None:
    history = History(9)
    history.add(call(1))

    entry = history[-1]
    assert entry is history[0] is history[:][0]
    assert entry["messages"] == [{"role": "user", "content": "question 1"}]
    assert entry["outputs"] == ["1"]
    assert entry["usage"]["prompt_tokens"] == 3
    assert (entry["model"], entry["adapter"]) == ("m", "chat")


def test_a_history_equals_the_list_of_its_entries() -> None:
    first, second = History(9), History(5)
    one = call(1)
    first.add(one)

    assert first == [one.entry] != second
    assert second == [] == History(1)
    assert first != "text"
    first.clear()
    assert first == second
    assert repr(first) == "<History of 0 calls>"


def test_threads_that_add_at_once_break_nothing() -> None:
    history = History(0)
    errors: list[BaseException] = []
    start = threading.Barrier(4)

    def add() -> None:
        start.wait(10)
        try:
            for number in range(500):
                history.add(call(number), number % 2)
        except BaseException as error:
            errors.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    finally:
        sys.setswitchinterval(before)

    assert errors == []
    assert len(history) <= 1
