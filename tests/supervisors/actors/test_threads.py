"""Threads that are used again, and what travels with a job."""

from __future__ import annotations

import contextvars
import functools
import subprocess
import sys
import threading

import pytest

from supervisors import _threads
from supervisors._threads import ThreadCache
from tests.supervisors.actors.parts import WAIT

word: contextvars.ContextVar[str] = contextvars.ContextVar("word", default="none")


def idle_again(cache: ThreadCache, at_least: int = 1) -> None:
    """Wait until that many workers rest; each does so just after its job."""
    moment = threading.Event()
    for _ in range(2_000):
        if len(cache._idle) >= at_least:
            return
        moment.wait(0.005)
    pytest.fail("no thread came back")


def run(cache: ThreadCache) -> tuple[int, str]:
    seen: list[tuple[int, str]] = []
    done = threading.Event()

    def job() -> None:
        seen.append((threading.get_ident(), word.get()))
        done.set()

    cache.run(job)
    assert done.wait(WAIT)
    return seen[0]


def test_a_thread_is_used_again() -> None:
    cache = ThreadCache()

    first, _ = run(cache)
    idle_again(cache)
    second, _ = run(cache)

    assert first == second


def test_jobs_that_wait_for_each_other_never_starve() -> None:
    cache = ThreadCache()
    inner = [threading.Event() for _ in range(20)]
    done = [threading.Event() for _ in range(20)]

    def outer(number: int) -> None:
        cache.run(inner[number].set)
        assert inner[number].wait(WAIT)
        done[number].set()

    for number in range(20):
        cache.run(functools.partial(outer, number))

    assert all(event.wait(WAIT) for event in done)


def test_a_job_runs_in_a_copy_of_its_starters_context() -> None:
    cache = ThreadCache()
    token = word.set("mine")
    try:
        _, seen = run(cache)
    finally:
        word.reset(token)
    idle_again(cache)

    assert seen == "mine"
    assert run(cache)[1] == "none"


def test_what_a_job_sets_stays_with_it() -> None:
    cache = ThreadCache()
    done = threading.Event()

    def job() -> None:
        word.set("leak")
        done.set()

    cache.run(job)
    assert done.wait(WAIT)
    idle_again(cache)

    assert run(cache)[1] == "none"


def test_an_idle_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_threads, "IDLE_SECONDS", 0.01)
    cache = ThreadCache()
    threads: list[threading.Thread] = []

    done = threading.Event()

    def job() -> None:
        threads.append(threading.current_thread())
        done.set()

    cache.run(job)
    assert done.wait(WAIT)
    threads[0].join(WAIT)

    assert not threads[0].is_alive()
    assert not cache._idle


def test_a_worker_that_was_promised_a_job_does_not_retire() -> None:
    cache = ThreadCache()
    worker = _threads._Worker(cache)
    cache.rest(worker)

    assert cache.retire(worker)
    assert not cache.retire(worker)


AFTER_FORK = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from supervisors import Actor, Supervisor, ChildSpec
from supervisors import _census
from supervisors._threads import THREADS

class Echo(Actor):
    def on_receive(self, message):
        return message

old = Echo.start()
old.call("warm")
tree = Supervisor.start([ChildSpec(id="e", actor=Echo, name="e")])
# A thread that waits for its next job, which the child must not count on.
Echo.start().shutdown()
while not THREADS._idle:
    pass
child = os.fork()
if child == 0:
    code = 1
    try:
        assert _census.alive() == ()
        new = Echo.start()
        assert new.call("hi") == "hi"
        new.shutdown()
        assert new.wait(10) is not None
        with Supervisor.start([ChildSpec(id="e", actor=Echo, name="e")]) as top:
            assert top.handle("e").call("there") == "there"
        code = 0
    finally:
        os._exit(code)
_, status = os.waitpid(child, 0)
assert old.call("still") == "still"
assert tree.handle("e").call("here") == "here"
tree.stop()
old.shutdown()
assert old.wait(10) is not None
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs os.fork")
def test_a_forked_child_starts_actors_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTER_FORK],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
