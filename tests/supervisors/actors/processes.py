"""Programs and waits that the tests of processes share."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from supervisors import Events, ProcessActor, ProcessSpec, Ref, Registry, Surroundings
from supervisors._launch import launch
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import WAIT

OBEYS = """
import sys
print("ready 1", flush=True)
sys.stdin.read()
"""
DEAF = """
import threading
print("ready 1", flush=True)
threading.Event().wait()
"""
STUBBORN = """
import signal, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready 1", flush=True)
threading.Event().wait()
"""
SILENT = """
import sys
print("not yet", flush=True)
sys.stdin.read()
"""
FAMILY = """
import os, signal, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    print("ready", child, flush=True)
threading.Event().wait()
"""
"""A program and a child of it, both as stubborn as can be; `ready` tells the child."""


def ready(line: str) -> str | None:
    """What stands behind `ready` in a line of output."""
    return line.partition(" ")[2] if line.startswith("ready") else None


def spec(program: str, *args: str, **more: Any) -> ProcessSpec:
    """Run a Python program that prints when it is ready."""
    return ProcessSpec(
        argv=(sys.executable, "-S", "-E", "-c", program, *args),
        **{"ready": ready, "ready_timeout": WAIT, **more},
    )


class Child(ProcessActor):
    """Tells a probe its process's id when that is ready."""

    def __init__(self, spec: ProcessSpec, probe: Probe) -> None:
        super().__init__(spec)
        self.probe = probe

    def on_ready(self, value: Any) -> None:
        self.probe((value, self.pid))

    def on_receive(self, message: object) -> Any:
        match message:
            case "stop":
                self.stop_process()
            case "start":
                self.start_process()
            case "poke":
                assert self._run is not None
                assert self._run.process is not None
                self._run.process.stdin.write(b"\n")
            case "pid":
                return self.pid
            case _ if callable(message):
                return message(self)
            case _:
                return super().on_receive(message)
        return None


def started(program: str, probe: Probe, **more: Any) -> tuple[Ref[Any], int]:
    """Start a program; its actor, and its process id once it is ready."""
    ref: Ref[Any] = Child.start(spec(program, **more), probe)
    _, pid = probe.expect()
    return ref, pid


def on_clock(actor: ProcessActor, clock: ManualClock) -> Ref[Any]:
    """Start an actor whose time is wound by hand."""
    give_clock(actor, clock)
    launch(actor, timeout=WAIT)
    return actor.actor_ref


def give_clock(actor: ProcessActor, clock: ManualClock) -> None:
    """Let an actor that has not started yet live by a clock."""
    actor.surroundings = Surroundings(registry=Registry(), events=Events(), clock=clock)


def is_gone(pid: int) -> bool:
    """Whether no code of a process runs any more."""
    try:
        os.kill(pid, 0)
        # One that nobody has reaped yet runs no code any more. In a container without
        # an init process that is how orphans end.
        status = Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return True
    except FileNotFoundError:
        # It went between the two looks, or this system has no /proc.
        return Path("/proc/self").exists()
    return status.rpartition(")")[2].split()[0] == "Z"


def wait_until_gone(pid: int) -> bool:
    """Whether a process is gone soon; a killed one is reaped by another thread."""
    moment = Probe()
    for _ in range(1_000):
        if is_gone(pid):
            return True
        try:
            moment.expect(timeout=0.01)
        except AssertionError:
            continue
    return False
