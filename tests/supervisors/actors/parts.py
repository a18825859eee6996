"""Small actors and waits that the tests of actors share."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from supervisors import (
    Actor,
    ChildSpec,
    Events,
    Ref,
    Registry,
    Surroundings,
)
from supervisors._launch import launch
from supervisors.supervisor import AnySupervisor
from supervisors.testing import ManualClock, Probe

WAIT = 10.0
"""Seconds after which something that should have happened counts as missing."""


class BoomError(Exception):
    """What the tests' actors crash with."""


class Scripted(Actor):
    """Does what it is sent: every message is a function of the actor."""

    def on_receive(self, message: Callable[[Any], Any]) -> Any:
        return message(self)


class Counter(Actor):
    """Counts from `first`; `boom` crashes it, `get` says where it stands."""

    def __init__(self, first: int = 0) -> None:
        super().__init__()
        self.count = first

    def on_receive(self, message: str) -> int:
        if message == "boom":
            raise BoomError(message)
        if message == "add":
            self.count += 1
        return self.count


class Told(Actor):
    """Tells a probe when it starts and ends, under its id in the tree."""

    def __init__(self, probe: Probe, *, fails: Callable[[], bool] | None = None):
        super().__init__()
        self.probe = probe
        self.fails = fails

    @property
    def id(self) -> str:
        return self.surroundings.path[-1]

    def on_start(self) -> None:
        if self.fails is not None and self.fails():
            self.probe(("fail", self.id))
            raise BoomError(self.id)
        self.probe(("start", self.id))

    def on_end(self, reason: Any) -> None:
        self.probe(("end", self.id))

    def on_receive(self, message: Callable[[Any], Any]) -> Any:
        return message(self)


class Block:
    """A message that keeps its actor busy until it is let go."""

    def __init__(self, value: Any = "late") -> None:
        self.entered = threading.Event()
        self.release = threading.Event()
        self.value = value

    def __call__(self, actor: Any) -> Any:
        self.entered.set()
        # Longer than anything that a test does meanwhile.
        assert self.release.wait(6 * WAIT)
        return self.value

    def inside(self) -> None:
        """Wait until the actor is in it."""
        assert self.entered.wait(WAIT)


@contextlib.contextmanager
def letting_go(block: Block) -> Iterator[Block]:
    """Let `block` go at the end, however the test ends."""
    try:
        yield block
    finally:
        block.release.set()


@contextlib.contextmanager
def running(actor_class: type[Actor], *args: Any, **kwargs: Any) -> Iterator[Ref[Any]]:
    """An actor outside any tree, stopped at the end."""
    ref = actor_class.start(*args, **kwargs)
    try:
        yield ref
    finally:
        ref.shutdown()
        assert ref.wait(WAIT) is not None


@contextlib.contextmanager
def on_clock(actor: Actor, clock: ManualClock) -> Iterator[Ref[Any]]:
    """An actor that lives by `clock`, stopped at the end."""
    actor.surroundings = Surroundings(registry=Registry(), events=Events(), clock=clock)
    launch(actor, timeout=WAIT)
    try:
        yield actor.actor_ref
    finally:
        actor.actor_ref.kill()


def settle(ref: Ref[Any]) -> None:
    """Wait until the actor is dead or has nothing to do.

    It has no event for that, so this looks again and again.
    """
    deadline = time.monotonic() + WAIT
    while not ref.life.quiet():
        assert time.monotonic() < deadline, f"{ref.life.label} never came to rest"
        threading.Event().wait(0.0005)


def until(holds: Callable[[], object]) -> None:
    """Look until a condition holds that nobody tells of."""
    pause = threading.Event()
    for _ in range(int(WAIT / 0.001)):
        if holds():
            return
        pause.wait(0.001)
    raise AssertionError("it never came true")


def together(*jobs: Callable[[], object]) -> None:
    """Run each job in a thread of its own, all at once, and wait for all."""
    barrier = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        barrier.wait(WAIT)
        job()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert not any(thread.is_alive() for thread in threads)


def boom(actor: Any) -> Any:
    """A message that crashes a `Scripted` or `Told` actor."""
    raise BoomError("boom")


def nothing(actor: Any) -> None:
    """A message that changes nothing; its answer says that all before is done."""


def worker(child_id: str, actor: type[Actor] = Scripted, **more: Any) -> ChildSpec:
    """A spec of a child that is registered under its id."""
    return ChildSpec(**{"id": child_id, "actor": actor, "name": child_id, **more})


def crash(ref: Ref[Any]) -> None:
    """Crash one incarnation and wait until it is dead."""
    ref.cast(boom)
    assert ref.wait(WAIT) is not None


def refs(top: AnySupervisor) -> dict[str, Ref[Any]]:
    """The children that are up, by id, in start order."""
    statuses = reversed(top.which_children())
    return {status.spec.id: status.ref for status in statuses if status.ref}
