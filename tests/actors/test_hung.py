"""Nothing that hangs for ever holds a run, its bill, or the end of the process."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.client.call import Fate
from dspex.evaluate.results.outcome import OutcomeKind
from dspex.testing import FakeProvider
from supervisors.testing import ManualClock
from tests.actors.lab import PATIENT, Callers, eventually
from tests.actors.rows import answer, right, rows

ENDS_WITHIN = 10.0
"""Seconds to the end of a process after its last line; measured 0.2 to 0.5."""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer) as running:
        yield running


@pytest.mark.parametrize(
    ("way", "hung"), [("threads", [1, 2]), ("loop", [1, 2, 3]), ("acall", [1, 2])]
)
def test_a_process_in_which_all_hangs_ends_by_itself_after_its_result(
    way: str, hung: list[int]
) -> None:
    command = [sys.executable, "-m", "tests.actors.hung_for_ever", way]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        failed, last = process.stdout.readline(), process.stdout.readline()

        try:
            code = process.wait(ENDS_WITHIN)
        finally:
            process.kill()

    assert failed == f"{hung}\n"
    assert last == "the end\n"
    assert code == 0


def ten_steps(predict: Any, steps: list[str], *, is_async: bool) -> Any:
    """A program that asks a model ten times."""

    def program(question: str) -> Any:
        for _ in range(9):
            predict(question=question)
            steps.append(question)
        return predict(question=question)

    async def aprogram(question: str) -> Any:
        for _ in range(9):
            await predict.acall(question=question)
            steps.append(question)
        return await predict.acall(question=question)

    return aprogram if is_async else program


@pytest.mark.parametrize("is_async", [False, True])
def test_past_its_deadline_after_step_three_ten_steps_cost_at_most_four(
    is_async: bool, provider: FakeProvider
) -> None:
    steps: list[str] = []
    clock = ManualClock()
    with dspex.Runtime(dspex.Config(persist=False), clock=clock):
        lm = dspex.LM("openai/fake", api_base=provider.base_url, cache=False)
        predict = dspex.Predict("question -> answer")
        program = ten_steps(predict, steps, is_async=is_async)

        def evaluate() -> dspex.EvaluationResult:
            with dspex.context(lm=lm):
                return dspex.Evaluate(
                    devset=rows(1), metric=right, timeout=30.0, display_progress=False
                )(program)

        def stop_at_the_fourth() -> None:
            eventually(lambda: len(steps) >= 3)
            provider.pause()

        watch = threading.Thread(target=stop_at_the_fourth)
        running = Callers([evaluate])
        watch.start()
        watch.join(PATIENT)
        provider.wait_for_in_flight(1, PATIENT)
        done = len(steps)
        clock.advance(31.0)
        [result] = running.outcomes()
        provider.resume()
        provider.wait_for_idle(PATIENT)

    (slow,) = result.failures
    assert slow.kind is OutcomeKind.TIMEOUT
    assert len(steps) == done
    assert len(provider.bill) <= done + 1
    assert result.fates()[Fate.CANCELLED] == 1


def test_a_coroutine_given_up_cannot_spend_any_more(provider: FakeProvider) -> None:
    refused = threading.Event()
    with dspex.Runtime(dspex.Config(persist=False)):
        lm = dspex.LM("openai/fake", api_base=provider.base_url)
        predict = dspex.Predict("question -> answer")

        async def stubborn(question: str) -> Any:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            try:
                return await predict.acall(question=question)
            except dspex.LMError:
                refused.set()
                raise

        with dspex.context(lm=lm):
            dspex.Evaluate(
                devset=rows(1), metric=right, timeout=0.2, display_progress=False
            )(stubborn)
        assert refused.wait(PATIENT)

    assert provider.bill == ()
