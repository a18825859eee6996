"""The end of a program, and its forks: trees stop in order and nothing starts."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

WITHIN = 60.0
"""Seconds after which a program counts as hanging."""

PREAMBLE = """
import atexit, os, sys, threading
from supervisors import *

class Told(Actor):
    def on_start(self):
        print("start", self.surroundings.path[-1], flush=True)
    def on_end(self, reason):
        print("end", self.surroundings.path[-1], reason, flush=True)
    def on_receive(self, message):
        return message(self) if callable(message) else message

def told(child_id, **more):
    return ChildSpec(id=child_id, actor=Told, name=child_id, **more)
"""


def run(program: str, *, timeout: float = WITHIN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_a_program_that_ends_stops_its_trees_in_order() -> None:
    done = run(
        """
        first = Supervisor.start([told("a"), told("b")])
        second = Supervisor.start([told("c")])
        print("main is over", flush=True)
        """
    )

    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "start a",
        "start b",
        "start c",
        "main is over",
        "end c shutdown",
        "end b shutdown",
        "end a shutdown",
    ]


def test_a_program_that_raises_stops_its_trees_as_well() -> None:
    done = run(
        """
        top = Supervisor.start([told("a")])
        raise RuntimeError("main failed")
        """
    )

    assert "RuntimeError: main failed" in done.stderr
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["start a", "end a shutdown"]


def test_a_stuck_child_does_not_keep_the_program() -> None:
    done = run(
        """
        from supervisors import _leaving
        _leaving.EXIT_DEADLINE = 0.3
        top = Supervisor.start([told("a"), told("stuck", shutdown="infinity")])
        entered = threading.Event()
        def hang(actor):
            entered.set()
            threading.Event().wait()
        top.registry.resolve("stuck").cast(hang)
        entered.wait()
        """
    )

    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == ["start a", "start stuck"]


def test_nothing_starts_while_the_program_ends() -> None:
    done = run(
        """
        class Restless(Told):
            def on_end(self, reason):
                super().on_end(reason)
                try:
                    Told.start()
                except StartError as error:
                    print(str(error).split(":")[0], flush=True)
                # And a sibling that dies now is not started again.
                self.surroundings.registry.resolve("a").kill()

        top = Supervisor.start(
            [told("a"), ChildSpec(id="r", actor=Restless, name="r")],
            intensity=Intensity(max_restarts=100),
        )
        """
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "start a",
        "start r",
        "end r shutdown",
        "'Told' was not started",
    ]


def test_a_tree_that_was_stopped_leaves_nothing_for_the_end() -> None:
    done = run(
        """
        from supervisors import _leaving
        with Supervisor.start([told("a")]):
            pass
        assert _leaving._roots.order == []
        """
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == ["start a", "end a shutdown"]


def test_what_does_not_start_at_the_end_leaves_no_name_behind() -> None:
    done = run(
        """
        class Restless(Told):
            def on_end(self, reason):
                names = self.surroundings.registry
                late = Told()
                names.register("late", late.actor_ref)
                from supervisors._launch import launch
                try:
                    launch(late, timeout=None)
                except StartError as error:
                    print(error.reason, names.whereis("late"), flush=True)

        top = Supervisor.start([ChildSpec(id="r", actor=Restless)])
        """
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "start r",
        "shutdown: the program is ending None",
    ]


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@needs_fork
def test_in_a_forked_child_refs_are_dead_and_nobody_hangs() -> None:
    done = run(
        """
        top = Supervisor.start([told("a")])
        ref, handle = top.registry.resolve("a"), top.handle("a")
        ref.call(1)
        pid = os.fork()
        if pid == 0:
            try:
                try:
                    ref.call("in the child", timeout=30)
                except ActorDownError as error:
                    print("child:", error.reason, ref.is_alive(), flush=True)
                try:
                    handle.call("in the child", timeout=30)
                except ActorDownError as error:
                    print("child:", error.reason, flush=True)
                own = Supervisor.start([told("own")])
                print("child:", own.handle("own").call("lives"), flush=True)
                own.stop()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        print("parent:", handle.call("lives"), flush=True)
        top.stop()
        """
    )

    assert "Error" not in done.stderr
    assert done.stdout.splitlines() == [
        "start a",
        "child: no process False",
        "child: no process",
        "start own",
        "child: lives",
        "end own shutdown",
        "parent: lives",
        "end a shutdown",
    ]


@needs_fork
def test_a_forked_child_that_ends_does_not_stop_the_parents_trees() -> None:
    done = run(
        """
        top = Supervisor.start([told("a")])
        pid = os.fork()
        if pid == 0:
            sys.exit(0)
        os.waitpid(pid, 0)
        print(top.handle("a").call("lives"), flush=True)
        """
    )

    assert "Error" not in done.stderr
    assert done.stdout.splitlines() == ["start a", "lives", "end a shutdown"]
