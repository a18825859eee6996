"""A program or a metric may do anything; it costs its own example only (S23)."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

import dspex
from dspex.client.client import Client
from dspex.client.gate import GateState
from dspex.evaluate.results.outcome import OutcomeKind
from dspex.testing import FakeProvider
from tests.actors.lab import PATIENT, client_name, echo

HUGE: Final = 5_000_000
"""Characters of what says too much."""


class Huge:
    """Says too much of itself."""

    def __repr__(self) -> str:
        return "x" * HUGE


def leaves() -> Any:
    sys.exit(3)


def interrupts() -> Any:
    raise KeyboardInterrupt


def recurses() -> Any:
    return recurses()


def raises_much() -> Any:
    raise ValueError("x" * HUGE)


def raises_what_says_much() -> Any:
    raise ValueError(Huge())


def nothing() -> float:
    return 1.0


MISDEEDS: Final = (leaves, interrupts, recurses, raises_much, raises_what_says_much)


@pytest.mark.parametrize("misdeed", MISDEEDS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("stage", ["program", "metric"])
@pytest.mark.parametrize("persist", [False, True], ids=["in memory", "recorded"])
def test_code_that_misbehaves_fails_its_example_alone(
    persist: bool, stage: str, misdeed: Callable[[], Any], tmp_path: Path
) -> None:
    def at(here: str, question: str) -> Any:
        return misdeed() if (here, question) == (stage, "1") else 1.0

    def program(question: str) -> dspex.Prediction:
        at("program", question)
        return dspex.Prediction(answer=question)

    def metric(example: dspex.Example, _prediction: Any, _trace: Any = None) -> float:
        return float(at("metric", example.question))

    rows = [dspex.Example(question=str(n)).with_inputs("question") for n in range(4)]

    with dspex.Runtime(dspex.Config(persist=persist, home=tmp_path)) as runtime:
        result = dspex.Evaluate(devset=rows, metric=metric, persist=persist)(program)
        restarts = runtime.restarts

    kinds = [outcome.kind for outcome in result.outcomes if outcome is not None]
    failed = OutcomeKind.PROGRAM if stage == "program" else OutcomeKind.METRIC
    scored = OutcomeKind.SCORED
    assert kinds == [scored, failed, scored, scored]
    assert len(repr(result.outcomes[1])) < 10_000
    assert (result.score, restarts) == (75.0, 0)
    kept = sum(path.stat().st_size for path in tmp_path.rglob("*.sqlite"))
    assert kept < 1_000_000


@pytest.mark.parametrize("misdeed", MISDEEDS, ids=lambda one: one.__name__)
def test_a_tool_that_misbehaves_harms_no_call_after_it(
    misdeed: Callable[[], Any],
) -> None:
    tool = dspex.Tool(misdeed)
    with dspex.Runtime(dspex.Config(persist=False)) as runtime:
        with pytest.raises(BaseException):  # noqa: B017 - SystemExit is one of them
            tool()
        restarts = runtime.restarts

    assert restarts == 0


def test_ctrl_c_opens_no_breaker() -> None:
    config = dspex.Config(persist=False, breaker_failures=2)
    with FakeProvider(answer=echo) as provider, dspex.Runtime(config) as runtime:
        lm = dspex.LM("openai/m", api_base=provider.base_url, num_retries=0)
        for number in range(5):
            provider.pause()
            hand = threading.Thread(target=_press_ctrl_c, args=(provider,))
            hand.start()
            with pytest.raises(KeyboardInterrupt):
                lm(f"question {number}")
            hand.join(PATIENT)
            provider.resume()
            provider.wait_for_idle(PATIENT)

        view = Client(runtime.handle(client_name(lm)), lambda: None).view()
        assert [lane.gate.state for lane in view.lanes] == [GateState.CLOSED]
        assert lm("after") == ["re: after"]
        assert runtime.restarts == 0


def _press_ctrl_c(provider: FakeProvider) -> None:
    provider.wait_for_in_flight(1, PATIENT)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
