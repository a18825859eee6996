"""A model that dspex serves itself: real weights, a real server, real deaths."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import dspex
from dspex.client.call import Fate
from dspex.client.local.models import resolve_local
from dspex.core.errors import RuntimeClosedError
from dspex.core.home import home
from supervisors.testing import ManualClock
from tests.actors.lab import (
    Callers,
    Record,
    eventually,
    kill,
    ledger_of,
    wait_for_open_calls,
)

pytestmark = pytest.mark.model

PATIENT = 60.0
PROMPT = (
    "Country: Peru\nCapital: Lima\n\n---\n\nCountry: Japan\nCapital: Tokyo\n\n---\n\n"
)
COUNTRIES = ["France", "Italy", "Spain", "Egypt", "Cuba", "Norway", "Chile", "Kenya"]


@pytest.fixture(scope="module", autouse=True)
def _assembled() -> None:
    """Put the weights together once, and not inside a test's patience."""
    resolve_local("gemma-3-270m").prepare(home())


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime() as runtime:
        yield runtime


@pytest.fixture
def lm() -> dspex.LM:
    return dspex.LM("local/gemma-3-270m", max_tokens=8, stop=["\n"])


def capital_of(lm: dspex.LM, country: str) -> str:
    answer: str = lm(f"{PROMPT}Country: {country}\nCapital:")[0]
    return answer.strip()


def server_of(runtime: dspex.Runtime, lm: dspex.LM) -> int | None:
    """The process id of the model server, or `None` while there is none."""
    ref = runtime.start().registry.whereis(f"{lm._place.branch_id}/server")
    actor = ref._actor_weakref() if ref is not None else None
    return None if actor is None else actor.pid


def is_running(pid: int) -> bool:
    """Whether there is such a process that is not merely waited for."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        # No such folder on macOS, where the first line has told already.
        return not Path("/proc").exists()
    return status.rpartition(")")[2].split()[0] != "Z"


def test_it_answers_the_same_each_time_and_keeps_to_its_slots(
    runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    answer = capital_of(lm, "France")
    fresh = dspex.LM("local/gemma-3-270m", cache=False, max_tokens=8, stop=["\n"])

    assert answer == "Paris"
    assert capital_of(fresh, "France") == answer
    assert lm.adapter == "line"
    assert ledger_of(runtime, lm).in_flight == 0


def test_killed_server_costs_no_caller_its_answer(
    runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    record = Record(runtime.events)
    expected = [capital_of(lm, country) for country in COUNTRIES]
    long = dspex.LM("local/gemma-3-270m", cache=False, max_tokens=24)
    writers = Callers([partial(long, f"Once upon a time in {c}") for c in COUNTRIES])
    wait_for_open_calls(runtime, lm, len(COUNTRIES))
    eventually(lambda: ledger_of(runtime, lm).in_flight == 4, "4 requests out")
    first = server_of(runtime, lm)
    assert first is not None

    os.kill(first, signal.SIGKILL)
    stories = writers.outcomes(PATIENT)

    assert all(isinstance(story, list) and story[0] for story in stories)
    assert server_of(runtime, lm) not in (None, first)
    assert runtime.restarts == 1
    assert record.count(Fate.RESTARTED) >= 1
    assert record.count(Fate.ANSWERED) == 2 * len(COUNTRIES)
    runtime.cache.clear()
    assert [capital_of(lm, country) for country in COUNTRIES] == expected


def test_server_killed_twice_is_restarted_twice(
    runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    for _ in range(2):
        assert capital_of(lm, "France") == "Paris"
        runtime.cache.clear()
        pid = server_of(runtime, lm)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    assert capital_of(lm, "France") == "Paris"
    assert runtime.restarts == 2


def test_client_that_dies_while_the_server_starts_learns_where_it_is(
    runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    caller = Callers([partial(capital_of, lm, "France")])
    wait_for_open_calls(runtime, lm, 1)

    for _ in range(3):
        kill(runtime, f"{lm._place.branch_id}/client")

    assert caller.outcomes(PATIENT) == ["Paris"]


def test_it_sleeps_when_idle_and_wakes_for_the_next_call(lm: dspex.LM) -> None:
    clock = ManualClock()
    config = dspex.Config(local_idle=600.0, persist=False)
    with dspex.Runtime(config, clock=clock) as runtime:
        assert capital_of(lm, "France") == "Paris"
        first = server_of(runtime, lm)
        assert first is not None

        clock.advance(599.0)
        still_there = is_running(first)
        clock.advance(1.0)
        eventually(lambda: server_of(runtime, lm) is None, "sleep")
        runtime.cache.clear()

        assert still_there
        assert not is_running(first)
        assert capital_of(lm, "France") == "Paris"
        assert server_of(runtime, lm) not in (None, first)
        assert runtime.restarts == 0


def test_it_also_sleeps_when_it_was_only_prepared(lm: dspex.LM) -> None:
    clock = ManualClock()
    config = dspex.Config(local_idle=600.0, persist=False)
    with dspex.Runtime(config, clock=clock) as runtime:
        lm.prepare()
        eventually(lambda: ledger_of(runtime, lm).server_address, "a ready server")

        clock.advance(600.0)

        eventually(lambda: server_of(runtime, lm) is None, "sleep")


def test_closing_leaves_no_process_and_answers_who_waits(lm: dspex.LM) -> None:
    with dspex.Runtime() as runtime:
        assert capital_of(lm, "France") == "Paris"
        long = dspex.LM("local/gemma-3-270m", cache=False, max_tokens=400)
        writer = Callers([partial(long, "Once upon a time")])
        eventually(lambda: ledger_of(runtime, lm).in_flight == 1)
        pid = server_of(runtime, lm)
        assert pid is not None

    assert not is_running(pid)
    assert isinstance(writer.outcomes()[0], RuntimeClosedError)


PROGRAM = """
import sys, dspex
from tests.model.test_local_model import capital_of, server_of
lm = dspex.LM("local/gemma-3-270m", max_tokens=8, stop=["\\n"])
with dspex.Runtime() as runtime:
    print(capital_of(lm, "France"), server_of(runtime, lm), flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("ending", ["orderly", "kill"])
def test_no_process_outlives_ours_however_it_ends(ending: str) -> None:
    ours = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert ours.stdout is not None
    answer, pid = ours.stdout.readline().split()
    assert answer == "Paris"
    assert is_running(int(pid))

    if ending == "kill":
        ours.kill()
    _out, err = ours.communicate("go\n" if ending == "orderly" else None, PATIENT)

    eventually(lambda: not is_running(int(pid)), "the server's end")
    assert err == ""
    assert ours.returncode == (0 if ending == "orderly" else -signal.SIGKILL)


def test_file_that_no_server_can_load_ends_in_an_error_that_says_so(
    tmp_path: Path,
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))

    with dspex.Runtime(dspex.Config(branch_restarts=1)):
        lm = dspex.LM(f"local/{broken}")
        with pytest.raises(RuntimeClosedError, match=r"broken\.gguf"):
            lm("hi")
