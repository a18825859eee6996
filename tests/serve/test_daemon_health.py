"""Whether a daemon lives and can answer, and which part is the reason if not."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.cache.files import cache_file
from dspex.cache.trouble import Trouble
from dspex.client.gate import GateState
from dspex.client.standing import ClientStanding, OpenBreaker
from dspex.core.events import CACHE_TROUBLE
from dspex.serve.chronicle import write_chronicle
from dspex.serve.health import Health, parts_down
from dspex.serve.readiness import Found, readiness
from dspex.testing import FakeProvider
from supervisors.events import CHILD_RESTART
from supervisors.testing import Fault, FaultKind, FaultPlan

WELL = ClientStanding(label="a")


def down(label: str, *, retry_in: float = 3.0) -> ClientStanding:
    breaker = OpenBreaker(model="m", open_for=1.0, retry_in=retry_in)
    return ClientStanding(label=label, breakers=(breaker,))


def parts(found: Found) -> list[str]:
    return [each.part for each in readiness(found).failing]


# The rule.


def test_nothing_wrong_is_ready() -> None:
    told = readiness(Found(providers=(WELL,)))

    assert told.is_ready
    assert told.as_json() == {"ready": True, "failing": []}


@pytest.mark.parametrize(
    ("found", "part"),
    [
        (Found(draining=True), "drain"),
        (Found(root_trouble="it did not answer within 1 s"), "root"),
        (Found(providers=(down("openai at here"),)), "openai at here"),
    ],
)
def test_what_stops_requests_is_named_and_not_ready(found: Found, part: str) -> None:
    told = readiness(found)

    assert not told.is_ready
    assert [each.part for each in told.failing] == [part]


@pytest.mark.parametrize(
    ("found", "part"),
    [
        (Found(cache_trouble="full"), "cache"),
        (
            Found(parts_down=(("providers/x/client", "restarting"),)),
            "providers/x/client",
        ),
        (Found(providers=(WELL, down("b"))), "b"),
    ],
)
def test_what_only_costs_is_named_and_stays_ready(found: Found, part: str) -> None:
    told = readiness(found)

    assert told.is_ready
    assert [each.part for each in told.failing] == [part]


def test_a_breaker_that_waits_for_a_call_to_look_gets_one() -> None:
    # Else no request would come, and nobody would find out that it is back.
    assert readiness(Found(providers=(down("a", retry_in=0.0),))).is_ready


def test_all_providers_down_is_not_ready() -> None:
    assert not readiness(Found(providers=(down("a"), down("b")))).is_ready


@given(
    st.builds(
        Found,
        draining=st.booleans(),
        root_trouble=st.none() | st.just("stuck"),
        providers=st.lists(st.sampled_from([WELL, down("b"), down("c", retry_in=0.0)])),
        cache_trouble=st.none() | st.just("full"),
        parts_down=st.lists(st.just(("a/b", "down"))),
    )
)
def test_it_is_ready_exactly_when_no_part_that_is_named_stops_requests(
    found: Found,
) -> None:
    told = readiness(found)

    stopping = [each.stops_requests for each in told.failing]
    assert told.is_ready == (not any(stopping))
    assert stopping == sorted(stopping, reverse=True)
    if found.draining or found.root_trouble:
        assert not told.is_ready
    if any(not each.breakers for each in found.providers):
        assert not any(
            each.stops_requests for each in told.failing if each.part in "bc"
        )


# What is asked.


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[dspex.Runtime]:
    runtime = dspex.Runtime(dspex.Config(home=tmp_path))
    yield runtime
    runtime.close()


@pytest.fixture
def health(runtime: dspex.Runtime) -> Iterator[Health]:
    health = Health(runtime, within=30.0)
    runtime.start()
    yield health
    health.close()


def test_a_root_that_works_answers(health: Health) -> None:
    assert asyncio.run(health.root_trouble()) is None
    assert asyncio.run(health.readiness()).is_ready


def test_a_root_that_hangs_is_told_in_time(runtime: dspex.Runtime) -> None:
    health = Health(runtime, within=0.05)
    root = runtime.start()
    hang = Fault(kind=FaultKind.HANG, actor="root")

    with FaultPlan([hang]).installed(root):
        told = asyncio.run(health.readiness())

    health.close()
    assert [(each.part, each.what) for each in told.failing] == [
        ("root", "it did not answer within 0.05 s")
    ]


def test_however_many_look_at_a_root_that_hangs_one_question_waits(
    runtime: dspex.Runtime,
) -> None:
    health = Health(runtime, within=0.05)
    root = runtime.start()
    hang = Fault(kind=FaultKind.HANG, actor="root")

    async def look() -> list[str | None]:
        ready = [health.readiness() for _ in range(20)]
        alive = [health.root_trouble() for _ in range(20)]
        told = await asyncio.gather(*alive, *ready)
        return [each if isinstance(each, str) else None for each in told[:20]]

    with FaultPlan([hang]).installed(root):
        told = asyncio.run(look())
        waiting = runtime.tree().mailbox

    health.close()
    assert set(told) == {"it did not answer within 0.05 s"}
    assert waiting <= 1


def test_who_stops_waiting_leaves_the_answer_to_the_others(health: Health) -> None:
    async def look() -> tuple[str | None, bool]:
        first, second = (asyncio.create_task(health.root_trouble()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        return await second, (await health.readiness()).is_ready

    assert asyncio.run(look()) == (None, True)


def test_a_drain_is_told_at_once(health: Health) -> None:
    async def look() -> bool:
        asking = asyncio.create_task(health.readiness())
        await asyncio.sleep(0)
        health.draining = True
        return (await asking).is_ready

    assert asyncio.run(look()) is False


def test_a_tree_that_is_closed_is_told(runtime: dspex.Runtime, health: Health) -> None:
    runtime.close()

    told = asyncio.run(health.root_trouble())

    assert told is not None
    assert "closed" in told


def test_a_provider_whose_breaker_is_open_is_named_and_told_in_the_log(
    runtime: dspex.Runtime, health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write_chronicle(runtime.events)
    with FakeProvider() as provider:
        lm = dspex.LM("openai/m", api_base=provider.base_url)
        with runtime.use():
            lm("hi")
        (client,) = runtime._running().branches._clients.values()

        client.set_circuit("m", GateState.OPEN)
        told = asyncio.run(health.readiness())
        client.set_circuit("m", GateState.CLOSED)
        again = asyncio.run(health.readiness())

    opened, closed = [
        vars(record) for record in caplog.records if "breaker" in record.getMessage()
    ]
    assert (opened["levelname"], opened["msg"]) == ("WARNING", "a breaker opened")
    assert (closed["levelname"], closed["msg"]) == ("INFO", "a breaker closed")
    assert {opened["model"], closed["model"]} == {"m"}
    assert provider.base_url in opened["provider"]
    (failing,) = told.failing
    assert provider.base_url in failing.part
    assert "breaker of 'm' is open" in failing.what
    assert failing.stops_requests
    assert again.failing == ()


@pytest.mark.skipif(os.name != "posix", reason="access rights are POSIX")
def test_a_cache_whose_file_cannot_be_used_is_named(
    runtime: dspex.Runtime, health: Health, tmp_path: Path
) -> None:
    # A link where the file should be is not followed.
    path = cache_file(tmp_path)
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(tmp_path / "elsewhere")

    with FakeProvider() as provider, runtime.use():
        dspex.LM("openai/m", api_base=provider.base_url)("hi")
        runtime.cache.flush()
    told = asyncio.run(health.readiness())

    assert told.is_ready
    assert [each.part for each in told.failing] == ["cache"]


def test_a_store_that_was_started_again_is_taken_for_well_until_it_tells(
    runtime: dspex.Runtime, health: Health
) -> None:
    def failing() -> list[str]:
        return [each.part for each in asyncio.run(health.readiness()).failing]

    told = []
    runtime.events.emit(CACHE_TROUBLE, trouble=Trouble.FULL, path="cache")
    told.append(failing())
    runtime.events.emit(CHILD_RESTART, path=("cache",), child_id="memory")
    told.append(failing())
    runtime.events.emit(CHILD_RESTART, path=("cache",), child_id="store")
    told.append(failing())

    assert told == [["cache"], ["cache"], []]


def test_a_part_that_does_not_run_is_named_by_its_way(runtime: dspex.Runtime) -> None:
    tree = runtime.tree()
    cache, *others = tree.children
    store, *rest = cache.children
    stopped = replace(cache, children=(replace(store, state="restarting"), *rest))

    found = parts_down(replace(tree, children=(stopped, *others)))

    assert found == (("cache/store", "restarting"),)
