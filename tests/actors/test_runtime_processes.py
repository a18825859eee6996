"""What a runtime means for its process: forks, exits, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from dspex.testing import FakeProvider
from tests.actors.lab import PATIENT, echo


def run(program: str, provider: FakeProvider, *, timeout: float = PATIENT) -> str:
    """Run a program with the provider's address as its argument; what it printed."""
    done = start(program, provider)
    out, err = done.communicate(timeout=timeout)
    assert done.returncode == 0, err
    assert err == ""
    return out


def start(program: str, provider: FakeProvider) -> subprocess.Popen[str]:
    options = ["-W", "ignore::DeprecationWarning:__main__"]  # 3.12 warns of any fork
    code = textwrap.dedent(PREAMBLE) + textwrap.dedent(program)
    return subprocess.Popen(
        [sys.executable, *options, "-c", code, provider.base_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


PREAMBLE = """
import os, sys, threading
import dspex
lm = dspex.LM("openai/m", api_base=sys.argv[1])

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
"""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@needs_fork
def test_default_runtime_starts_afresh_in_a_forked_child(
    provider: FakeProvider,
) -> None:
    out = run(
        """
        print(lm("parent"))
        in_child(lambda: print(lm("child"), lm("parent")))
        print(lm("parent"), lm("after"))
        """,
        provider,
    )

    assert out.splitlines() == [
        "['re: parent']",
        "['re: child'] ['re: parent']",
        "['re: parent'] ['re: after']",
    ]
    # The child finds the parent's answer on disk, unless the disk is slow that moment.
    assert len(provider.bill) in {3, 4}


@needs_fork
def test_explicit_runtime_refuses_to_work_in_a_forked_child(
    provider: FakeProvider,
) -> None:
    out = run(
        """
        def child():
            try:
                lm("child")
            except dspex.DspexError as error:
                print(type(error).__name__, "forked" in str(error))
            with dspex.Runtime():
                print(lm("own"))

        with dspex.Runtime() as runtime:
            print(lm("parent"))
            in_child(child)
            print(lm("after"))
        """,
        provider,
    )

    assert out.splitlines() == [
        "['re: parent']",
        "RuntimeClosedError True",
        "['re: own']",
        "['re: after']",
    ]


def test_program_that_ends_after_its_calls_prints_nothing_more(
    provider: FakeProvider,
) -> None:
    assert run('print(lm("hi"))', provider) == "['re: hi']\n"


IN_FLIGHT = """
def ask(question):
    try:
        lm(question)
    except dspex.DspexError:
        pass

for number in range(20):
    threading.Thread(target=ask, args=(str(number),), daemon=True).start()
sys.stdin.readline()
"""


@pytest.mark.parametrize(("ending", "code"), [("pass", 0), ("sys.exit(3)", 3)])
def test_program_ends_promptly_and_quietly_with_calls_in_flight(
    provider: FakeProvider, ending: str, code: int
) -> None:
    provider.pause()
    program = start(IN_FLIGHT + ending, provider)
    provider.wait_for_in_flight(20, PATIENT)

    out, err = program.communicate("go\n", timeout=PATIENT)

    assert (program.returncode, out, err) == (code, "", "")
    provider.wait_for_idle(PATIENT)


def test_ctrl_c_in_a_call_ends_the_program_promptly(provider: FakeProvider) -> None:
    provider.pause()
    program = start('lm("hi")', provider)
    provider.wait_for_in_flight(1, PATIENT)

    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=PATIENT)

    assert program.returncode == -signal.SIGINT
    assert out == ""
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert err.count("Traceback") == 1
    assert "closed" not in err


def test_explicit_runtime_that_nobody_closed_ends_with_the_program(
    provider: FakeProvider,
) -> None:
    out = run('dspex.Runtime().__enter__(); print(lm("hi"))', provider)

    assert out == "['re: hi']\n"
