"""Programs side by side: order, failures, settings, usage, and giving up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.core.errors import BatchError, MissingInputError, WorkTimeoutError
from dspex.testing import DummyLM

WITHIN = 10.0
"""Seconds after which a wait in these tests counts as a hang."""


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as opened:
        yield opened


def answers(count: int) -> DummyLM:
    return DummyLM([{"output": f"output {number}"} for number in range(count)])


def fails(value: int) -> str:
    if value == 42:
        raise ValueError("no")
    return f"done {value}"


def rows(*values: int) -> list[tuple[Any, dict[str, int]]]:
    return [(fails, {"value": value}) for value in values]


def test_results_keep_the_order_of_the_pairs() -> None:
    last = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert last.wait(WITHIN)
        if number == 3:
            last.set()
        return number

    found = dspex.Parallel(num_threads=4)([(work, (number,)) for number in range(4)])

    assert found == [0, 1, 2, 3]


def test_examples_mappings_tuples_and_nested_pairs_are_unpacked() -> None:
    row = dspex.Example(value=1, label="x").with_inputs("value")
    nested = dspex.Parallel(num_threads=2)

    found = dspex.Parallel(num_threads=2)(
        [
            (fails, row),
            (fails, {"value": 2}),
            (fails, (3,)),
            (nested, rows(4, 5)),
        ]
    )

    assert found == ["done 1", "done 2", "done 3", ["done 4", "done 5"]]


def test_an_example_is_passed_whole_when_asked() -> None:
    row = dspex.Example(value=1).with_inputs("value")

    assert dspex.Parallel(access_examples=False)([(lambda example: example, row)]) == [
        row
    ]


def test_failures_are_none_and_can_be_had_with_their_errors() -> None:
    results, failed, errors = dspex.Parallel(return_failed_examples=True)(
        rows(1, 42, 3)
    )

    assert results == ["done 1", None, "done 3"]
    assert failed == [{"value": 42}]
    assert [str(error) for error in errors] == ["no"]
    assert dspex.Parallel(return_failed_examples=True)(rows(1)) == (["done 1"], [], [])


def test_too_many_failures_end_it_with_what_was_done_and_the_cause() -> None:
    with pytest.raises(BatchError) as caught:
        dspex.Parallel(num_threads=1, max_errors=2)(rows(1, 42, 42, 3))

    assert caught.value.results == ["done 1", None, None, None]
    assert isinstance(caught.value.__cause__, ValueError)


def test_one_that_takes_too_long_has_failed() -> None:
    forever = threading.Event()

    _, _, errors = dspex.Parallel(timeout=0.05, return_failed_examples=True)(
        [(forever.wait, (WITHIN,)), (fails, (1,))]
    )
    forever.set()

    assert [type(error) for error in errors] == [WorkTimeoutError]


def test_each_call_sees_the_settings_and_leaks_none() -> None:
    def work(number: int) -> int:
        seen: int = dspex.settings.max_errors
        dspex.settings.context(max_errors=number).__enter__()
        return seen

    with dspex.context(max_errors=77):
        found = dspex.Parallel(num_threads=2)(
            [(work, (number,)) for number in range(1, 20)]
        )

    assert set(found) == {77}


def test_what_is_spent_is_counted_where_the_caller_counts() -> None:
    class Asks(dspex.Program):
        def __init__(self) -> None:
            super().__init__()
            self.predict = dspex.Predict("input -> output")

        def forward(self) -> Any:
            pair = (self.predict, {"input": "x"})
            return dspex.Parallel(num_threads=2)([pair, pair])

    with dspex.context(lm=answers(2), track_usage=True), dspex.track_usage() as usage:
        found = Asks()()

    assert all(prediction.get_lm_usage() for prediction in found)
    assert set(usage.total()) == {"dummy"}


def test_a_missing_input_is_that_calls_error() -> None:
    with dspex.context(lm=answers(1)):
        _, _, errors = dspex.Parallel(return_failed_examples=True)(
            [(dspex.Predict("input -> output"), {})]
        )

    assert [type(error) for error in errors] == [MissingInputError]


def test_it_can_be_awaited_while_the_loop_goes_on() -> None:
    gate = threading.Event()

    def work() -> str:
        assert gate.wait(WITHIN)
        return "done"

    async def run() -> Any:
        task = asyncio.create_task(dspex.Parallel().acall([(work, ())]))
        await asyncio.sleep(0)
        gate.set()
        return await task

    assert asyncio.run(run()) == ["done"]


def test_a_call_that_is_cancelled_is_given_up() -> None:
    began, forever = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        forever.wait(WITHIN)

    async def run() -> None:
        task = asyncio.create_task(dspex.Parallel().acall([(work, ())]))
        await asyncio.to_thread(began.wait, WITHIN)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    forever.set()
