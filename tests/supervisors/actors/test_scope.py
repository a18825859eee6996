"""Work that is given up as a whole."""

from __future__ import annotations

import threading

import pytest

from supervisors import Scope, ScopeCancelledError, current_scope, within
from supervisors.testing import Probe
from tests.supervisors.actors.parts import (
    WAIT,
    Block,
    Scripted,
    letting_go,
    nothing,
    running,
)


def test_a_call_that_is_open_ends_when_its_scope_is_cancelled() -> None:
    scope = Scope("example 7")
    outcome = Probe()
    with running(Scripted) as ref, letting_go(Block()) as block:

        def work() -> None:
            try:
                with within(scope):
                    ref.call(block, timeout=None)
            except ScopeCancelledError as error:
                outcome(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        block.inside()
        scope.cancel("its deadline passed")

        assert outcome.expect() == "example 7 was given up: its deadline passed"
        thread.join(WAIT)
        block.release.set()
        assert ref.call(lambda actor: "unharmed") == "unharmed"


def test_the_first_reason_stays() -> None:
    scope = Scope("work")
    scope.cancel("first")
    scope.cancel("second")

    with pytest.raises(ScopeCancelledError, match="first"):
        scope.check()


def test_scopes_nest_and_end_with_their_blocks() -> None:
    outer, inner = Scope("outer"), Scope("inner")

    with within(outer):
        with within(inner):
            assert current_scope() is inner
        assert current_scope() is outer
    assert current_scope() is None


def test_a_callback_runs_at_cancel_and_only_inside_its_block() -> None:
    scope = Scope("work")
    calls = []
    with scope.on_cancel(lambda: calls.append("inside")):
        pass
    with scope.on_cancel(lambda: calls.append("open")):
        scope.cancel("now")
    with scope.on_cancel(lambda: calls.append("late")):
        pass

    assert calls == ["open", "late"]


def test_an_actor_is_no_part_of_the_work_that_started_it() -> None:
    scope = Scope("the first call")
    with within(scope):
        first = Scripted.start()
    scope.cancel("over")

    with running(Scripted) as second:
        assert first.call(lambda actor: current_scope() is actor.life.scope)
        assert first.call(lambda actor: second.call(nothing)) is None
    first.shutdown()


def test_tags_are_the_scopes_own() -> None:
    tags = {"example": 1}
    scope = Scope("work", tags=tags)
    tags["example"] = 2

    assert scope.tags == {"example": 1}
