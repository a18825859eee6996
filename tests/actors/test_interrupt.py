"""Ctrl-C, for real: a process that evaluates gets SIGINT."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

import dspex
from dspex.testing import FakeProvider, Hang
from tests.actors.rows import right, rows
from tests.supervisors.signals import Arrived, a_signal_that_wakes_nobody


def test_ctrl_c_keeps_what_was_measured_and_the_tree_goes_on() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.actors.interrupted"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    done, complete, score = out.split()
    assert err == ""
    assert 10 <= int(done) < 50
    assert complete == "False"
    assert score == "100.0"
    assert process.returncode == 130


# A signal that comes just before the main thread sleeps wakes nobody.


@pytest.fixture
def hanging() -> Iterator[FakeProvider]:
    with FakeProvider() as provider, dspex.Runtime(dspex.Config(persist=False)):
        provider.misbehave(Hang())
        lm = dspex.LM("openai/fake", api_base=provider.base_url, num_retries=0)
        with dspex.context(lm=lm):
            yield provider


def when_asked(provider: FakeProvider, send: Callable[[], None]) -> threading.Thread:
    def wait() -> None:
        provider.wait_for_in_flight(1, 20)
        send()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def call() -> None:
    dspex.Predict("question -> answer")(question="1")


def call_in_a_running_loop() -> None:
    program = dspex.syncify(dspex.Predict("question -> answer"))

    async def cell() -> None:
        program(question="1")

    asyncio.run(cell())


def read_a_stream() -> None:
    streamed = dspex.streamify(
        dspex.Predict("question -> answer"), async_streaming=False
    )
    for _ in streamed(question="1"):
        pass


def evaluate() -> None:
    dspex.Evaluate(devset=rows(2), metric=right)(dspex.Predict("question -> answer"))


def wait_for_a_run() -> None:
    evaluate = dspex.Evaluate(devset=rows(2), metric=right)
    run = evaluate.start(dspex.Predict("question -> answer"))
    try:
        run.result()
    finally:
        run.stop()


@pytest.mark.parametrize(
    "work", [call, call_in_a_running_loop, read_a_stream, evaluate, wait_for_a_run]
)
def test_a_signal_that_wakes_nobody_ends_the_waiting(
    work: Callable[[], None], hanging: FakeProvider
) -> None:
    with a_signal_that_wakes_nobody() as send:
        watching = when_asked(hanging, send)
        with pytest.raises(Arrived):
            work()
        watching.join(20)
    hanging.wait_for_idle(20)
