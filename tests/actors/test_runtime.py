"""Runtimes: when one starts, what it is apart from, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import dspex
from dspex.core.errors import RuntimeClosedError
from dspex.runtime.runtime import _default, current_runtime
from dspex.testing import FakeProvider
from supervisors import RestartLimitError, TreeNode
from supervisors.testing import ManualClock
from tests.actors.lab import PATIENT, ask, call, client_name, echo, eventually, kill

IN_MEMORY = dspex.Config(persist=False)
"""Nothing is kept that another runtime could read."""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


@pytest.fixture
def lm(provider: FakeProvider) -> dspex.LM:
    return dspex.LM("openai/m", api_base=provider.base_url)


@pytest.fixture
def _no_default() -> Iterator[None]:
    """Begin and end without a default runtime."""
    dspex.shutdown()
    yield
    dspex.shutdown()


# Beginning.


@pytest.mark.usefixtures("_no_default")
def test_default_runtime_starts_at_the_first_call_and_not_before(
    lm: dspex.LM,
) -> None:
    before = _default._runtime
    lm.copy(temperature=1)
    still = _default._runtime

    lm("hi")

    assert before is still is None
    assert repr(current_runtime()) == "<dspex.Runtime running>"


@pytest.mark.usefixtures("_no_default")
def test_many_first_calls_at_once_start_one_runtime_and_one_branch(
    provider: FakeProvider, lm: dspex.LM
) -> None:
    answers = ask(lm, [str(number) for number in range(16)]).outcomes()

    assert answers == [f"re: {number}" for number in range(16)]
    assert len(current_runtime().tree().find("providers").children) == 1  # type: ignore[union-attr] # it is there


@pytest.mark.usefixtures("_no_default")
def test_after_shutdown_the_next_call_starts_another(
    provider: FakeProvider, lm: dspex.LM
) -> None:
    lm("hi")
    first = current_runtime()
    dspex.shutdown()

    lm("what else")

    assert current_runtime() is not first
    assert len(provider.bill) == 2
    assert repr(first) == "<dspex.Runtime closed>"


def test_runtime_that_is_made_starts_nothing() -> None:
    before = threading.active_count()

    runtime = dspex.Runtime()

    assert threading.active_count() == before
    assert repr(runtime) == "<dspex.Runtime not started>"
    runtime.close()


def test_tree_shows_every_part_in_start_order(lm: dspex.LM) -> None:
    with dspex.Runtime() as runtime:
        lm("hi")
        ids = [node.id for node in _walk(runtime.tree())]

    branch = lm._place.branch_id
    cache = ["dspex", "cache", "store", "memory"]
    assert ids == [*cache, "providers", branch, "wire", "client", "evaluations"]


def _walk(node: TreeNode) -> Iterator[TreeNode]:
    yield node
    for child in node.children:
        yield from _walk(child)


# Side by side.


def test_two_runtimes_do_not_see_each_other(
    provider: FakeProvider, lm: dspex.LM
) -> None:
    with dspex.Runtime(IN_MEMORY) as outer:
        lm("hi")
        with dspex.Runtime(IN_MEMORY) as inner:
            lm("hi")
            kill(inner, client_name(lm))
            kill(inner, "cache.memory")
            lm("hi")
            eventually(lambda: inner.restarts == 2)
            assert outer.restarts == 0
        lm("hi")
        assert outer.cache.statistics().hits == 1

    assert len(provider.bill) == 3


def test_two_providers_have_branches_of_their_own(lm: dspex.LM) -> None:
    with FakeProvider(answer=echo) as other, dspex.Runtime() as runtime:
        elsewhere = dspex.LM("openai/m", api_base=other.base_url)
        lm("hi")
        elsewhere("hi")
        kill(runtime, client_name(lm))

        assert client_name(lm) != client_name(elsewhere)
        assert len(other.bill) == 1


def test_outage_of_one_provider_is_not_anothers(
    provider: FakeProvider, lm: dspex.LM
) -> None:
    with FakeProvider(answer=echo) as other, dspex.Runtime(clock=ManualClock()):
        elsewhere = dspex.LM("openai/m", api_base=other.base_url)
        provider.stop()
        once = dspex.LM("openai/m", api_base=provider.base_url, num_retries=0)
        failed = ask(once, [str(number) for number in range(6)])
        eventually(lambda: failed.done >= 5)

        assert elsewhere("hi") == ["re: hi"]


# Ending.


def test_close_answers_who_waits_with_an_error(
    provider: FakeProvider, lm: dspex.LM
) -> None:
    provider.pause()
    with dspex.Runtime() as runtime:
        leaders = ask(lm, ["a", "b"])
        provider.wait_for_in_flight(2, PATIENT)
        followers = ask(lm, ["a", "b"])

        runtime.close()

        for error in leaders.outcomes() + followers.outcomes():
            assert isinstance(error, RuntimeClosedError)


def test_closed_runtime_says_so(lm: dspex.LM) -> None:
    with dspex.Runtime() as runtime:
        lm("hi")
        runtime.close()

        with pytest.raises(RuntimeClosedError, match="closed; open another"):
            lm("hi")
        with pytest.raises(RuntimeClosedError):
            runtime.tree()


def test_closing_twice_and_unstarted_is_harmless() -> None:
    runtime = dspex.Runtime()

    runtime.close()
    runtime.close()

    with pytest.raises(RuntimeClosedError):
        runtime.start()


def test_branch_that_gives_up_answers_its_callers_and_starts_again_when_called(
    provider: FakeProvider, lm: dspex.LM
) -> None:
    with dspex.Runtime(dspex.Config(branch_restarts=1)) as runtime:
        provider.pause()
        callers = ask(lm, ["a", "b", "c"])
        provider.wait_for_in_flight(3, PATIENT)
        kill(runtime, client_name(lm))
        runtime.start().registry.resolve(client_name(lm)).kill()
        errors = callers.outcomes()
        provider.wait_for_idle(PATIENT)
        provider.resume()

        for error in errors:
            assert isinstance(error, RuntimeClosedError)
            assert isinstance(error.__cause__, RestartLimitError)
        # The calls of before are nobody's any more and are not made again.
        assert lm("d") == ["re: d"]
        assert len(provider.bill) == 4


def test_after_the_root_gave_up_every_call_says_so_with_the_cause(
    provider: FakeProvider, lm: dspex.LM
) -> None:
    with dspex.Runtime(dspex.Config(branch_restarts=1)) as runtime:
        provider.pause()
        waiting = call(lambda: lm("hi"))
        provider.wait_for_in_flight(1, PATIENT)
        root = runtime.start()
        while root.registry.closed is None:
            memory = root.registry.whereis("cache.memory")
            if memory is not None:
                memory.kill()
        (error,) = waiting.outcomes()

        assert isinstance(error, RuntimeClosedError)
        assert isinstance(error.__cause__, RestartLimitError)
        with pytest.raises(RuntimeClosedError, match="gave up") as caught:
            lm("again")
        assert isinstance(caught.value.__cause__, RestartLimitError)
        causes = "".join(str(cause) for cause in _causes(caught.value))
        assert "'cache'" in causes
        # The last kill may have struck while it was starting again.
        assert "'memory'" in causes
        assert "(killed)" in causes


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__
    if cause is not None:
        yield cause
        yield from _causes(cause)


def test_a_runtime_that_keeps_nothing_needs_no_home(
    monkeypatch: pytest.MonkeyPatch, lm: dspex.LM
) -> None:
    def nobody(user: int) -> None:
        raise KeyError(user)

    monkeypatch.setattr(pytest.importorskip("pwd"), "getpwuid", nobody)
    for variable in ("HOME", "DSPEX_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)

    with dspex.Runtime(dspex.Config(persist=False)):
        assert len(lm("hi")) == 1
