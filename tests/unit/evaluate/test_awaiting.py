"""What is awaited on the running loop, and what gets a thread."""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import Any

import pytest

import dspex
from dspex.core.example import Example
from dspex.core.prediction import Prediction
from dspex.evaluate.metric import ajudge, judge
from dspex.evaluate.working.awaiting import awaited, needs_loop
from dspex.metrics import exact_match, f1

EXAMPLE, PREDICTION = Example(a="Lima"), Prediction(a="lima city")


def here(**_inputs: Any) -> int:
    return threading.get_ident()


async def here_on_loop(**_inputs: Any) -> int:
    await asyncio.sleep(0)
    return threading.get_ident()


class AsyncCall:
    async def __call__(self, **inputs: Any) -> int:
        return await here_on_loop(**inputs)


class Twin:
    """Like a client that has a method for each of the two worlds."""

    def __call__(self, **inputs: Any) -> int:
        return here(**inputs)

    async def acall(self, **inputs: Any) -> int:
        return await here_on_loop(**inputs)


class Sync(dspex.Program):
    def forward(self, **inputs: Any) -> int:
        return here(**inputs)


class OnlyAsync(dspex.Program):
    async def aforward(self, **inputs: Any) -> int:
        return await here_on_loop(**inputs)


class Both(Sync, OnlyAsync):
    """A program for the two worlds."""


@pytest.mark.parametrize(
    ("called", "needs", "is_awaited"),
    [
        (here, False, False),
        (here_on_loop, True, True),
        (functools.partial(here_on_loop, a=1), True, True),
        (AsyncCall(), True, True),
        (Twin(), False, True),
        (Sync(), False, False),
        (OnlyAsync(), True, True),
        (Both(), False, True),
        (functools.partial(here, a=1), False, False),
        (lambda: here_on_loop(), False, True),  # noqa: PLW0108 - a plain function
    ],
)
def test_what_can_be_awaited_runs_on_the_loop_and_the_rest_in_a_thread(
    called: Any, needs: bool, is_awaited: bool
) -> None:
    thread = asyncio.run(awaited(called))

    assert needs_loop(called) is needs
    assert (thread == threading.get_ident()) is is_awaited


def test_a_program_made_synchronous_needs_no_loop() -> None:
    program = OnlyAsync()

    assert needs_loop(program)
    assert not needs_loop(dspex.syncify(program))


def test_one_async_metric_among_several_needs_a_loop() -> None:
    assert needs_loop({"exact": exact_match("a"), "judge": here_on_loop})
    assert not needs_loop({"exact": exact_match("a"), "f1": f1("a")})


def test_a_metric_that_only_computes_gets_no_thread() -> None:
    def normalize(_text: str) -> str:
        threads.append(threading.get_ident())
        return ""

    threads: list[int] = []

    assert asyncio.run(
        awaited(exact_match("a", normalize=normalize), EXAMPLE, PREDICTION)
    )
    assert set(threads) == {threading.get_ident()}


async def long_enough(_example: Example, prediction: Prediction) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"score": len(prediction.a) >= 9, "feedback": "Longer."}


def test_the_async_judge_says_what_the_other_one_says() -> None:
    for metric in (
        exact_match("a"),
        long_enough,
        lambda _example, _prediction: 0.25,
        {"long": long_enough, "f1": f1("a"), "half": lambda *_: 0.5},
    ):
        expected = judge(metric, EXAMPLE, PREDICTION)

        assert asyncio.run(ajudge(metric, EXAMPLE, PREDICTION)) == expected


def test_the_async_judge_refuses_what_the_other_one_refuses() -> None:
    async def nothing(_example: Example, _prediction: Prediction) -> None: ...

    for metric, error in (
        (nothing, TypeError),
        ({"m": nothing}, TypeError),
        (lambda *_: float("nan"), ValueError),
    ):
        with pytest.raises(error) as told:
            judge(metric, EXAMPLE, PREDICTION)
        with pytest.raises(error, match=str(told.value)[:20]):
            asyncio.run(ajudge(metric, EXAMPLE, PREDICTION))


def test_a_metric_that_waits_in_a_thread_leaves_the_loop_running() -> None:
    turned = threading.Event()

    def patient(_example: Example, _prediction: Prediction) -> bool:
        return turned.wait(20)

    async def both() -> float:
        judging = asyncio.create_task(ajudge(patient, EXAMPLE, PREDICTION))
        await asyncio.sleep(0)
        turned.set()
        return (await judging).score

    assert asyncio.run(both()) == 1.0
