"""A runtime as a branch of somebody else's tree."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import dspex
from dspex.core.errors import RuntimeClosedError
from dspex.testing import FakeProvider
from supervisors import Actor, ChildSpec, Intensity, Supervisor
from tests.actors.lab import Record, client_name, echo, eventually, kill


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


def test_mounted_runtime_answers_from_the_tree_it_is_in(provider: FakeProvider) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url)
    runtime = dspex.Runtime()

    with Supervisor.start([runtime.child_spec("models")]) as top, runtime:
        record = Record(runtime.events)
        answer = lm("hi")
        there = top.registry.whereis(client_name(lm)) is not None

    assert answer == ["re: hi"]
    assert there
    assert len(record.attempts) == 2


def test_mounted_runtime_survives_the_death_of_its_whole_branch(
    provider: FakeProvider,
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url, cache=False)
    runtime = dspex.Runtime()

    with Supervisor.start([runtime.child_spec()]) as top, runtime:
        lm("before")
        kill(runtime, "dspex")
        answer = lm("after")
        assert top.registry.whereis("dspex") is not None

    assert answer == ["re: after"]


def test_mounted_runtime_counts_its_own_restarts_whatever_becomes_of_their_branch(
    provider: FakeProvider,
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url, cache=False)
    runtime = dspex.Runtime()
    neighbour = ChildSpec(id="neighbour", actor=Actor, name="neighbour")

    children = [runtime.child_spec(), neighbour]
    allowed = Intensity(max_restarts=2, within=5.0)

    with Supervisor.start(children, intensity=allowed), runtime:
        lm("before")
        kill(runtime, "neighbour")
        kill(runtime, client_name(lm))
        kill(runtime, "dspex")
        lm("after")
        kill(runtime, "cache.memory")

        eventually(lambda: runtime.tree().total_restarts == 1)
        assert runtime.restarts == 2


def test_runtime_that_is_to_be_mounted_starts_no_tree_of_its_own() -> None:
    runtime = dspex.Runtime()
    runtime.child_spec()

    with pytest.raises(RuntimeClosedError, match="Start that tree first"):
        runtime.start()


def test_closing_a_mounted_runtime_leaves_its_tree_alone(
    provider: FakeProvider,
) -> None:
    runtime = dspex.Runtime()

    with Supervisor.start([runtime.child_spec()]) as top:
        with runtime:
            dspex.LM("openai/m", api_base=provider.base_url)("hi")
        assert top.registry.whereis("dspex") is not None
        with pytest.raises(RuntimeClosedError, match="closed"):
            runtime.start()


class Clerk(Actor):
    """An actor of somebody's own, which has a context of its own."""

    def __init__(self, models: dspex.Runtime, lm: dspex.LM) -> None:
        super().__init__()
        self._models = models
        self._lm = lm

    def on_receive(self, question: str) -> str:
        with self._models.use():
            answer: str = self._lm(question)[0]
        return answer


def test_actor_beside_a_mounted_runtime_uses_it(provider: FakeProvider) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url)
    models = dspex.Runtime()
    clerk = ChildSpec(id="clerk", actor=Clerk, args=(models, lm), name="clerk")

    with Supervisor.start([models.child_spec(), clerk]) as top:
        answers = [top.handle("clerk").call(question) for question in ("a", "b")]
        there = top.registry.whereis(client_name(lm)) is not None

    assert answers == ["re: a", "re: b"]
    assert there


def test_runtime_goes_on_after_a_block_that_used_it(provider: FakeProvider) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url, cache=False)

    with dspex.Runtime() as inner, dspex.Runtime() as outer:
        with inner.use():
            lm("in the inner one")
        lm("in the outer one")
        with inner.use():
            lm("in the inner one again")

        branches = [str(runtime).count("client") for runtime in (inner, outer)]

    assert branches == [1, 1]
    assert len(provider.bill) == 3
