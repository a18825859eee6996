"""`BaseLM`: a home-made model is treated as a provider is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

import dspex
from dspex.client.budget import Budget
from dspex.client.gate import GateState
from dspex.core.errors import (
    BudgetExceededError,
    ConfigurationError,
    LMError,
    LMRateLimitError,
    LMServerError,
    LMTimeoutError,
)
from dspex.core.lm import Message, Reply, Usage
from dspex.runtime.base_lm import BaseLM
from tests.actors.lab import STURDY, Record, ask, client_name, kill, wire_name


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(STURDY) as runtime:
        yield runtime


class Counting(BaseLM):
    """Says what it was asked, and counts how often."""

    def __init__(self, model: str = "mine", **options: Any) -> None:
        super().__init__(model, **options)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def forward(self, messages: list[dict[str, Any]], **settings: Any) -> Any:
        self.asked.append((messages[-1]["content"], settings))
        return f"re: {messages[-1]['content']}"


class Async(BaseLM):
    async def aforward(self, messages: list[dict[str, Any]], **settings: Any) -> Any:
        await asyncio.sleep(0)
        return [f"{messages[-1]['content']} {n}" for n in range(settings.get("n", 1))]


class Scripted(BaseLM):
    """Does what a list says, the last of it again and again."""

    def __init__(self, *steps: Callable[[], Any], **options: Any) -> None:
        super().__init__("scripted", cache=False, **options)
        self.steps = list(steps)
        self.calls = 0

    def forward(self, messages: list[dict[str, Any]], **settings: Any) -> Any:
        step = self.steps[min(self.calls, len(self.steps) - 1)]
        self.calls += 1
        return step()


def raising(error: BaseException) -> Callable[[], Any]:
    def step() -> Any:
        raise error

    return step


def test_one_method_makes_a_language_model(runtime: dspex.Runtime) -> None:
    lm = Counting(temperature=0.5, cache=False)

    with dspex.context(lm=lm, adapter="line"):
        prediction = dspex.Predict("country -> capital")(country="Peru")

    assert "Peru" in prediction.capital
    asked, settings = lm.asked[0]
    assert "Peru" in asked
    assert settings["temperature"] == 0.5
    assert runtime.restarts == 0


@pytest.mark.usefixtures("runtime")
def test_coroutine_method_is_awaited_from_threads_and_tasks() -> None:
    lm = Async("x/mine", n=2)

    in_thread = lm("hi")
    in_task = asyncio.run(lm.acall("ho"))

    assert in_thread == ["hi 0", "hi 1"]
    assert in_task == ["ho 0", "ho 1"]


@pytest.mark.usefixtures("runtime")
def test_equal_calls_are_answered_from_the_cache_and_rollouts_are_not() -> None:
    lm = Counting()

    replies = [lm.complete([Message("user", "hi")]) for _ in range(2)]
    lm("hi", rollout_id=1)

    assert [reply.cached for reply in replies] == [False, True]
    assert lm.asked == [("hi", {}), ("hi", {})]


@pytest.mark.usefixtures("runtime")
def test_what_dump_state_tells_keeps_answers_apart() -> None:
    class Versioned(Counting):
        version = 1

        def dump_state(self) -> dict[str, Any]:
            return {**super().dump_state(), "version": self.version}

    lm = Versioned()
    lm("hi")
    lm.version = 2
    lm("hi")

    assert len(lm.asked) == 2


@pytest.mark.usefixtures("runtime")
def test_patience_does_not_keep_answers_apart() -> None:
    class Told(Counting):
        told: ClassVar[list[str]] = []

        def forward(self, messages: Any, **settings: Any) -> str:
            self.told.append(messages[-1]["content"])
            return "yes"

    Told(num_retries=1)("hi")
    Told(num_retries=5)("hi")

    assert Told.told == ["hi"]


@pytest.mark.usefixtures("runtime")
def test_an_override_of_the_call_is_a_way_to_answer() -> None:
    class ByCall(BaseLM):
        def __call__(self, prompt: Any = None, **settings: Any) -> list[str]:
            return ["[[ ## b ## ]]\nby call"]

    predict = dspex.Predict("a -> b")
    lm = ByCall("mine")

    assert predict(a="x", lm=lm).b == "by call"
    assert asyncio.run(predict.acall(a="x", lm=lm)).b == "by call"


def test_no_setting_passes_for_the_class() -> None:
    lm = Counting(**{dspex.LM_CLASS_STATE_KEY: "evil_module.Evil"})

    kind = lm.dump_state()[dspex.LM_CLASS_STATE_KEY]

    assert kind == f"{Counting.__module__}.Counting"


@pytest.mark.usefixtures("runtime")
def test_state_that_is_no_json_is_refused_with_the_way_out() -> None:
    class Odd(Counting):
        def dump_state(self) -> dict[str, Any]:
            return {"weights": object()}

    with pytest.raises(ConfigurationError, match="pass cache=False"):
        Odd()("hi")

    assert Odd(cache=False)("hi") == ["re: hi"]


@pytest.mark.usefixtures("runtime")
def test_passing_errors_are_tried_again_and_own_ones_are_not() -> None:
    passing = Scripted(raising(ConnectionError()), lambda: "at last")
    own = Scripted(raising(KeyError("x")))

    answer = passing("hi")
    with pytest.raises(LMError, match="'scripted' raised KeyError") as failed:
        own("hi")

    assert (answer, passing.calls) == (["at last"], 2)
    assert own.calls == 1
    assert isinstance(failed.value.__cause__, KeyError)
    assert failed.value.model == "scripted"


def test_rate_limit_it_raises_is_waited_for(runtime: dspex.Runtime) -> None:
    record = Record(runtime.events)
    busy = LMRateLimitError("busy", retry_after=0.01)
    lm = Scripted(raising(busy), lambda: "at last")

    assert lm("hi") == ["at last"]
    assert [attempt.error for attempt in record.attempts if attempt.error] == [
        "LMRateLimitError"
    ]


def test_model_that_is_down_opens_its_breaker(runtime: dspex.Runtime) -> None:
    lm = Scripted(raising(LMServerError("down")), num_retries=0)

    for _ in range(5):
        with pytest.raises(LMServerError):
            lm("hi")

    lane = lm._client(runtime).view().lanes[0]
    assert lane.gate.state is GateState.OPEN
    assert lm.calls == 5


@pytest.mark.usefixtures("runtime")
def test_answer_that_does_not_come_in_time_is_given_up() -> None:
    go_on = threading.Event()
    lm = Scripted(lambda: go_on.wait(20.0), timeout=0.02, num_retries=0)

    with pytest.raises(LMTimeoutError, match=r"no answer after 0\.02 s"):
        lm("hi")
    go_on.set()


@pytest.mark.usefixtures("runtime")
def test_no_more_answers_at_a_time_than_allowed() -> None:
    lock, now, most = threading.Lock(), [0], [0]
    together = threading.Barrier(2)

    class Busy(BaseLM):
        def forward(self, messages: list[dict[str, Any]], **settings: Any) -> Any:
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            together.wait(20.0)
            with lock:
                now[0] -= 1
            return "done"

    lm = Busy("busy", max_in_flight=2)

    answers = ask(lm, map(str, range(8))).outcomes()

    assert answers == ["done"] * 8
    assert most == [2]


def test_deaths_of_client_and_wire_lose_no_caller(runtime: dspex.Runtime) -> None:
    go_on, began = threading.Event(), threading.Event()

    class Slow(BaseLM):
        def forward(self, messages: list[dict[str, Any]], **settings: Any) -> Any:
            began.set()
            go_on.wait(20.0)
            return f"re: {messages[-1]['content']}"

    lm = Slow("slow")
    callers = ask(lm, ["a", "b"])
    assert began.wait(20.0)

    kill(runtime, client_name(lm))
    kill(runtime, wire_name(lm))
    go_on.set()

    assert callers.outcomes() == ["re: a", "re: b"]


@pytest.mark.usefixtures("runtime")
def test_usage_it_tells_counts_for_budgets() -> None:
    usage = Usage(prompt_tokens=30, completion_tokens=20)
    budget = Budget(tokens=100)
    lm = Scripted(lambda: Reply(texts=("a",), usage=usage), max_tokens=20)

    with budget:
        lm("hi")
    with budget, pytest.raises(BudgetExceededError):
        lm("hi", max_tokens=90)

    assert budget.spent.tokens == 50
    assert lm.calls == 1


def test_class_without_a_method_is_refused_when_it_is_made() -> None:
    class Empty(BaseLM):
        pass

    with pytest.raises(ConfigurationError, match=r"Write def forward\(self, messages"):
        Empty("empty")


def test_address_and_key_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="Keep them in that code"):
        Counting(api_base="http://127.0.0.1:1/v1")


def test_it_shows_its_class_name_and_settings() -> None:
    assert repr(Counting(temperature=0)) == "Counting('mine', temperature=0)"


def test_saved_program_never_makes_it_again(tmp_path: Path) -> None:
    program = dspex.Predict("a -> b")
    program.lm = Counting()
    program.save(tmp_path / "program.json")
    loaded = dspex.Predict("a -> b")

    with pytest.warns(UserWarning, match=r"home-made model 'mine' of the class .*Coun"):
        loaded.load(tmp_path / "program.json")

    assert loaded.lm is None
