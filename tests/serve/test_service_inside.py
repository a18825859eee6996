"""Services and runtimes inside processes and loops that are somebody else's."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest

import dspex
from dspex.core.errors import RuntimeClosedError
from dspex.runtime.runtime import Runtime, current_runtime
from tests.serve.lab import PATIENT, STURDY

FORKED = """
import asyncio, os, sys
import dspex
from dspex.serve.service import Service
from dspex.testing import DummyLM
from tests.serve.lab import served

def ask(service):
    async def main():
        async with served(service) as client:
            reply = await client.post("/", {"country": "Peru"})
            return reply.json.get("capital") or (reply.status, reply.error["type"])
    return asyncio.run(main())

def in_child(work):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            work()
            sys.stdout.flush()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

dspex.configure(lm=DummyLM([{"capital": "Lima"}] * 9))
program = dspex.Predict("country -> capital")
default = Service({"capital": program})
runtime = dspex.Runtime(dspex.Config(persist=False))
explicit = Service({"capital": program}, runtime=runtime)

print("unused before:", end=" ")
in_child(lambda: print(ask(default)))
print("used before:", ask(default), end=" ")
in_child(lambda: print(ask(default)))
print("explicit:", ask(explicit), end=" ")
def refused():
    try:
        ask(explicit)
    except dspex.RuntimeClosedError as error:
        print(type(error).__name__, "forked from" in str(error))
in_child(refused)
print("parent:", ask(default), ask(explicit))
runtime.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_service_made_before_a_fork_answers_in_the_child() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning:__main__", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=PATIENT * 2,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "unused before: Lima",
        "used before: Lima Lima",
        "explicit: Lima RuntimeClosedError True",
        "parent: Lima Lima",
    ]


def test_a_lifespan_is_a_runtime_for_the_block_and_closes_it() -> None:
    async def main() -> Runtime:
        async with dspex.lifespan(STURDY) as runtime:
            assert current_runtime() is runtime
            assert "evaluations" in str(runtime)
        return runtime

    runtime = asyncio.run(main())

    with pytest.raises(RuntimeClosedError):
        runtime.start()


def test_a_lifespan_gives_an_application_its_runtime_as_state() -> None:
    async def main() -> None:
        lifespan = dspex.lifespan(STURDY)
        async with lifespan(object()) as first, lifespan(object()) as second:
            assert list(first) == ["runtime"]
            # Each start has one of its own: nothing is kept for the process.
            assert first["runtime"] is not second["runtime"]

    asyncio.run(main())


def test_a_lifespan_touches_no_signal_handler() -> None:
    wanted = (signal.SIGINT, signal.SIGTERM)
    assert threading.current_thread() is threading.main_thread()

    async def main() -> None:
        before = [signal.getsignal(each) for each in wanted]
        async with dspex.lifespan(STURDY):
            assert [signal.getsignal(each) for each in wanted] == before

    asyncio.run(main())


def test_a_lifespan_closes_its_runtime_when_the_application_fails() -> None:
    runtimes = []

    async def main() -> None:
        async with dspex.lifespan(STURDY) as runtime:
            runtimes.append(runtime)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())

    with pytest.raises(RuntimeClosedError):
        runtimes[0].start()
