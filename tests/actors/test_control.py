"""A process with a runtime can be asked from outside for as long as one lives."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import dspex
from dspex.control.asking import ask
from dspex.control.door import door
from dspex.control.errors import GoneError, RefusedError
from dspex.control.place import FOLDER, folders, places
from dspex.core.home import home
from dspex.evaluate.running.control import EvaluationRun
from dspex.testing import FakeProvider
from supervisors import Supervisor
from tests.actors.lab import STURDY, client_name, eventually
from tests.actors.rows import right, rows

RESUMED = ("running", "held")
"""A busy machine may not have begun again yet."""
NOBODY = 65534
"""A user that is not this one."""


def there() -> Path:
    """Return the socket of this process."""
    assert door.path is not None
    return door.path


def threads() -> list[str]:
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if name.startswith("dspex control")]


class Held:
    """A program that waits until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go = threading.Event()

    def __call__(self, question: str) -> dspex.Prediction:
        self.began.set()
        assert self.go.wait(60)
        return dspex.Prediction(answer=question.replace("q", "a"))


@pytest.fixture
def held() -> Iterator[Held]:
    program = Held()
    yield program
    program.go.set()


def started(held: Held) -> EvaluationRun:
    evaluate = dspex.Evaluate(devset=rows(6), metric=right, concurrency=2)
    run = evaluate.start(held, run="first")
    assert held.began.wait(60)
    return run


def test_the_socket_is_there_while_any_runtime_is() -> None:
    with dspex.Runtime() as first:
        path = there()
        with dspex.Runtime():
            assert there() == path
        first.close()

        assert door.path is None
        assert not path.exists()
        eventually(lambda: threads() == [])


def test_a_socket_is_opened_by_the_start_and_not_before() -> None:
    runtime = dspex.Runtime()
    assert door.path is None

    runtime.start()

    assert there().parent == home() / FOLDER
    runtime.close()


def test_a_process_that_is_not_to_be_seen_has_no_socket_and_hides_its_runs(
    held: Held,
) -> None:
    with dspex.Runtime(dspex.Config(control=False)), started(held):
        assert door.path is None
        with dspex.Runtime():
            assert ask(there(), "runs") == []
            assert ask(there(), "ps")["trees"] == 1
        held.go.set()


def test_without_persistence_nothing_is_made_in_the_home() -> None:
    with dspex.Runtime(STURDY):
        assert ask(there(), "ps")["pid"] == os.getpid()

    assert not home().exists()


def test_a_mounted_runtime_is_seen_until_its_tree_ends() -> None:
    runtime = dspex.Runtime()

    with Supervisor.start([runtime.child_spec()]):
        told = ask(there(), "tree")

    assert [tree["tree"]["id"] for tree in told["trees"]] == ["dspex"]
    eventually(lambda: door.path is None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a forked child is needed")
def test_a_forked_child_does_not_answer_for_its_parent_nor_take_its_socket() -> None:
    with dspex.Runtime() as runtime:
        go_on, told = os.pipe()
        is_ready, ready = os.pipe()
        child = os.fork()
        if not child:
            os.close(told)
            runtime.close()
            has_none = door.path is None
            os.write(ready, b"!")
            # Ends when the parent says so, or is gone.
            os.read(go_on, 1)
            os._exit(0 if has_none else 1)
        os.close(ready)
        with os.fdopen(told, "wb"), os.fdopen(go_on, "rb"), os.fdopen(is_ready, "rb"):
            assert os.read(is_ready, 1) == b"!"
            path, hidden = there(), there().with_name("kept")
            assert ask(path, "ps")["pid"] == os.getpid()
            os.link(path, hidden)
            runtime.close()
            # The child still runs, and must not keep the parent's socket open.
            with pytest.raises(GoneError):
                ask(hidden, "ps")

    assert os.waitpid(child, 0)[1] == 0


def test_it_answers_while_client_and_coordinator_hang(held: Held) -> None:
    with FakeProvider() as provider, dspex.Runtime(STURDY) as runtime:
        lm = dspex.LM("openai/m", api_base=provider.base_url, cache=False)
        lm("hi")
        with started(held):
            names = (client_name(lm), "run first/coordinator")
            stuck = [runtime.handle(name)._resolved() for name in names]
            for actor in stuck:
                actor.suspend()

            pictures, providers, why = (
                ask(there(), "tree"),
                ask(there(), "providers"),
                ask(there(), "why", {"run": "first"}),
            )
            for actor in stuck:
                actor.resume()
            held.go.set()

    assert json.dumps(pictures).count('"suspended": true') == 2
    assert providers["silent"] == [names[0]]
    assert sorted(why["silent"]) == sorted(names)
    assert "program running for" in why["waiting"][0]["text"]


def test_a_run_is_paused_resumed_and_stopped_from_outside(held: Held) -> None:
    with dspex.Runtime(STURDY), started(held) as run:
        (seen,) = ask(there(), "runs")
        paused = ask(there(), "pause", {"run": "first"})
        states = [run.state]
        resumed = ask(there(), "resume", {"run": "first"})
        eventually(lambda: run.state == "running")
        stopped = ask(there(), "stop", {"run": "first"})

        assert (seen["state"], seen["progress"]) == ("running", "0 of 6")
        assert [paused["state"]] == states == ["paused"]
        assert resumed["state"] in RESUMED
        assert stopped["state"] in ("stopped", "ending")
        assert not run.result(60).complete
        with pytest.raises(RefusedError) as caught:
            ask(there(), "stop", {"run": "first"})
        assert (caught.value.code, caught.value.facts["known"]) == ("no_such_run", [])


def test_a_study_is_paused_and_ends_as_with_ctrl_c(held: Held) -> None:
    class Program(dspex.Program):
        def forward(self, question: str) -> dspex.Prediction:
            return held(question)

    optimiser = dspex.BootstrapFewShotWithRandomSearch(
        right, num_candidate_programs=1, num_threads=1
    )
    ended: list[BaseException] = []

    def work(runtime: dspex.Runtime) -> None:
        try:
            with runtime.use():
                optimiser.compile(
                    Program(), trainset=rows(4), valset=rows(4), run="tuning"
                )
        except BaseException as error:
            ended.append(error)

    with dspex.Runtime(STURDY) as runtime:
        thread = threading.Thread(target=work, args=(runtime,))
        thread.start()
        assert held.began.wait(60)
        runs = {each["run"]: each for each in ask(there(), "runs")}
        part = next(name for name in runs if runs[name]["part_of"] == "tuning")
        with pytest.raises(RefusedError, match="part of the study 'tuning'"):
            ask(there(), "stop", {"run": part})
        states = [
            ask(there(), verb, {"run": "tuning"})["state"]
            for verb in ("pause", "resume", "stop")
        ]
        held.go.set()
        thread.join(60)

    assert runs["tuning"]["kind"] == "BootstrapFewShotWithRandomSearch"
    assert states[0] == "paused"
    assert states[1] in RESUMED
    (error,) = ended
    assert isinstance(error, dspex.EvaluationInterrupted)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root can become another user",
)
def test_another_user_is_sent_away_even_when_the_folder_lets_him_in() -> None:
    with dspex.Runtime(STURDY):
        path = there()
        # As if the rights had been changed by hand; then only the peer's name is left.
        path.parent.chmod(0o777)
        path.chmod(0o666)
        child = os.fork()
        if not child:
            os.setuid(NOBODY)
            with socket.socket(socket.AF_UNIX) as other:
                other.settimeout(60)
                other.connect(str(path))
                try:
                    other.sendall(b'{"dspex": 1, "verb": "ps"}\n')
                    got = other.recv(100)
                except OSError:
                    got = b""
            os._exit(1 if got else 0)

        assert os.waitpid(child, 0)[1] == 0
        assert ask(path, "ps")["pid"] == os.getpid()


def test_a_program_that_ends_without_closing_leaves_no_socket(tmp_path: Path) -> None:
    program = "import os, dspex; dspex.Runtime().start(); print(os.getpid())"
    environ = os.environ | {"DSPEX_HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=environ,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 0, ended.stderr
    # Its path may be too long for the home, and then it is in the short folder.
    there = [place.path for each in folders(tmp_path) for place in places(each)]
    assert there == []
