"""Programs that are awaited: they answer as when called, and the loop goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import dspex
from dspex.testing import DummyLM

WITHIN = 10.0
"""Seconds after which a wait in these tests counts as a hang."""

STEPS: list[dict[str, Any]] = [
    {"next_thought": "look", "next_tool_name": "look_up", "next_tool_args": {"at": 1}},
    {"next_thought": "know", "next_tool_name": "finish", "next_tool_args": {}},
    {"reasoning": "I looked", "answer": "Lima"},
]


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as opened:
        yield opened


def react(tool: Any) -> dspex.ReAct:
    return dspex.ReAct("question -> answer", tools=[dspex.Tool(tool, name="look_up")])


def test_react_awaits_async_tools() -> None:
    async def look_up(at: int) -> str:
        await asyncio.sleep(0)
        return f"seen {at}"

    async def run() -> Any:
        with dspex.context(lm=DummyLM(STEPS)):
            return await react(look_up).acall(question="Q?")

    answer = asyncio.run(run())

    assert answer.answer == "Lima"
    assert answer.trajectory["observation_0"] == "seen 1"


def test_a_plain_tool_runs_beside_the_loop() -> None:
    gate = threading.Event()

    def look_up(at: int) -> str:
        return "opened" if gate.wait(WITHIN) else "hung"

    async def run() -> Any:
        with dspex.context(lm=DummyLM(STEPS)):
            asking = asyncio.create_task(react(look_up).acall(question="Q?"))
            # The loop has to go on for anybody to open the gate.
            await asyncio.to_thread(gate.set)
            return await asking

    assert asyncio.run(run()).trajectory["observation_0"] == "opened"


def test_an_error_of_an_async_tool_is_an_observation() -> None:
    async def look_up(at: int) -> str:
        raise ValueError("no such place")

    async def run() -> Any:
        with dspex.context(lm=DummyLM(STEPS)):
            return await react(look_up).acall(question="Q?")

    seen = asyncio.run(run()).trajectory["observation_0"]

    assert seen == "Execution error in look_up: ValueError: no such place"


def test_a_wrapped_async_tool_is_awaited_too() -> None:
    async def inner(at: int) -> str:
        return f"seen {at}"

    def look_up(at: int) -> Any:
        return inner(at)

    async def run() -> Any:
        with dspex.context(lm=DummyLM(STEPS)):
            return await react(look_up).acall(question="Q?")

    assert asyncio.run(run()).trajectory["observation_0"] == "seen 1"


def test_a_react_that_is_cancelled_in_a_tool_ends() -> None:
    began = threading.Event()

    async def look_up(at: int) -> None:
        began.set()
        await asyncio.Event().wait()

    async def run() -> None:
        with dspex.context(lm=DummyLM(STEPS)):
            asking = asyncio.create_task(react(look_up).acall(question="Q?"))
            await asyncio.to_thread(began.wait, WITHIN)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking

    asyncio.run(run())


def test_best_of_n_awaits_program_and_reward() -> None:
    async def length(args: dict[str, Any], prediction: Any) -> int:
        await asyncio.sleep(0)
        return len(prediction.answer)

    async def run() -> Any:
        lm = DummyLM([{"answer": text} for text in ("a", "abc", "ab")])
        best = dspex.BestOfN(dspex.Predict("q -> answer"), 3, length, threshold=9)
        with dspex.context(lm=lm):
            return await best.acall(q="Q?")

    assert asyncio.run(run()).answer == "abc"


def test_refine_awaits_program_reward_and_advice() -> None:
    async def is_short(args: dict[str, Any], prediction: Any) -> bool:
        return len(prediction.answer) == 1

    lm = DummyLM(
        [
            {"answer": "abc"},
            {"discussion": "too long", "advice": {"self": "One letter."}},
            {"answer": "a"},
        ]
    )

    async def run() -> Any:
        refine = dspex.Refine(dspex.Predict("q -> answer"), 3, is_short, threshold=1)
        with dspex.context(lm=lm):
            return await refine.acall(q="Q?")

    assert asyncio.run(run()).answer == "a"
    assert "One letter." in lm.history[-1]["messages"][-1]["content"]


def test_chains_are_compared_in_a_coroutine() -> None:
    async def run() -> Any:
        compare = dspex.MultiChainComparison("q -> answer", M=1)
        with dspex.context(lm=DummyLM([{"rationale": "sure", "answer": "a"}])):
            return await compare.acall([{"answer": "a"}], q="Q?")

    assert asyncio.run(run()).answer == "a"


def asking(lm: dspex.LM) -> dspex.Predict:
    program = dspex.Predict("question -> answer")
    program.set_lm(lm)
    return program


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda lm: asking(lm).acall(question="?"), id="call"),
        pytest.param(lambda lm: anext(lm.astream("?")), id="stream"),
        pytest.param(
            lambda lm: anext(dspex.streamify(asking(lm))(question="?")), id="streamify"
        ),
        pytest.param(
            lambda lm: dspex.asyncify(asking(lm))(question="?"), id="asyncify"
        ),
    ],
)
def test_a_coroutine_on_no_loop_of_asyncio_says_what_to_write(
    call: Callable[[dspex.LM], Coroutine[Any, Any, Any]],
) -> None:
    # As trio runs coroutines: nobody here has a loop of asyncio.
    coroutine = call(dspex.LM("openai/gpt-4o-mini", api_key="any"))

    with pytest.raises(dspex.ConfigurationError, match=r"to_thread\.run_sync"):
        coroutine.send(None)
