"""Work an actor has announced to itself, ahead of every message."""

from __future__ import annotations

from typing import Any

from supervisors import Crashed, Killed, Shutdown
from supervisors._launch import launch
from supervisors.testing import Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    BoomError,
    Scripted,
    letting_go,
    running,
)


class Continues(Scripted):
    """Tells a probe of what it continues with; a function is called."""

    def __init__(self, probe: Probe, *first: Any) -> None:
        super().__init__()
        self.probe = probe
        self.first = first

    def on_start(self) -> None:
        for term in self.first:
            self.continue_with(term)

    def on_continue(self, term: Any) -> None:
        if callable(term):
            term(self)
        else:
            self.probe(term)


def test_work_announced_at_the_start_comes_before_the_first_message() -> None:
    probe = Probe()
    actor = Continues(probe, "continued")
    actor.actor_ref.cast(lambda actor: probe("message"))

    launch(actor, WAIT)

    assert [probe.expect(), probe.expect()] == ["continued", "message"]
    actor.actor_ref.stop()


def test_the_starter_does_not_wait_for_work_announced_at_the_start() -> None:
    block = Block()
    with running(Continues, Probe(), block), letting_go(block):
        block.inside()


def test_the_caller_does_not_wait_for_work_announced_in_a_handler() -> None:
    with letting_go(Block()) as block, running(Continues, Probe()) as ref:
        answer = ref.call(lambda actor: actor.continue_with(block) or "at once")

        assert answer == "at once"
        block.inside()
        block.release.set()


def test_work_may_announce_more_work_and_messages_wait_for_all_of_it() -> None:
    probe = Probe()

    def chain(actor: Any) -> None:
        actor.continue_with("second")
        actor.continue_with("third")

    with letting_go(Block()) as block, running(Continues, probe) as ref:
        ref.cast(block)
        block.inside()
        ref.cast(lambda actor: actor.continue_with(chain))
        ref.cast(lambda actor: probe("message"))
        block.release.set()

        assert [probe.expect() for _ in range(3)] == ["second", "third", "message"]


def test_work_that_crashes_ends_the_actor() -> None:
    error = BoomError("continued")

    def crash(actor: Any) -> None:
        raise error

    ref = Continues.start(Probe(), crash)

    assert ref.wait(WAIT) == Crashed(error)


def test_a_shutdown_goes_ahead_of_work_that_is_left() -> None:
    probe = Probe()
    with letting_go(Block()) as block:
        ref = Continues.start(probe, block, "left")
        block.inside()
        ref.shutdown()

    assert ref.wait(WAIT) == Shutdown()
    probe.expect_nothing()


def test_a_killed_actor_does_no_more_work() -> None:
    probe = Probe()
    with letting_go(Block()) as block:
        ref = Continues.start(probe, block, "left")
        block.inside()
        ref.kill()

    assert ref.life.thread_left.wait(WAIT)
    assert ref.wait(0) == Killed()
    probe.expect_nothing()
