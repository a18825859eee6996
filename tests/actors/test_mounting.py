"""Client and cache in a tree of the user's own, without a runtime."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from dspex.cache.key import Identity
from dspex.cache.messages import Lead, LookUp
from dspex.client.gate import GateState
from dspex.client.httpx_transport import HttpxTransport
from dspex.core.errors import (
    CircuitOpenError,
    ConfigurationError,
    LMCancelledError,
    LMServerError,
    RuntimeClosedError,
)
from dspex.core.lm import Reply
from dspex.runtime.config import Config
from dspex.runtime.mounting import Cache, Client
from dspex.testing import SERVER_ERROR, FakeProvider
from supervisors import Actor, ChildSpec, Intensity, ReplyFuture, Supervisor
from tests.actors.lab import PATIENT, Callers, call, echo, eventually

STURDY = Intensity(max_restarts=100, within=1.0)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


@contextmanager
def mounted(
    provider: FakeProvider, **options: Any
) -> Iterator[tuple[Client, Supervisor]]:
    """A client in a tree that has another child besides."""
    spec = Client.child_spec(
        "openai/m", child_id="model", api_base=provider.base_url, **options
    )
    other = ChildSpec(id="other", actor=Actor, name="other")
    with Supervisor.start([other, spec], intensity=STURDY) as top:
        yield Client(top.registry, "model"), top


def kill(top: Supervisor, name: str) -> None:
    """Kill the present actor of that name, and wait for the next one."""
    top.registry.await_name(name, PATIENT).kill()
    top.registry.await_name(name, PATIENT)


def test_mounted_client_answers_threads_and_coroutines(provider: FakeProvider) -> None:
    with mounted(provider) as (client, _):
        there = client.ask("a", temperature=0.5)
        on_a_loop = asyncio.run(client.aask("b"))

    assert (there.text, on_a_loop.text) == ("re: a", "re: b")
    assert provider.bill[0].body["temperature"] == 0.5


@pytest.mark.parametrize("part", ["model/client", "model/wire", "model"])
def test_death_of_any_part_of_the_branch_is_not_seen_by_its_callers(
    provider: FakeProvider, part: str
) -> None:
    provider.pause()

    with mounted(provider) as (client, top):
        before = top.registry.whereis("other")
        asking = call(lambda: client.ask("hi").text)
        provider.wait_for_in_flight(1, PATIENT)
        kill(top, part)
        provider.resume()
        outcomes = asking.outcomes()
        beside = top.registry.whereis("other")

    assert outcomes == ["re: hi"]
    assert before is beside


def test_branch_that_gave_up_is_started_again_by_the_tree_it_is_in(
    provider: FakeProvider,
) -> None:
    with mounted(provider, config=Config(branch_restarts=1)) as (client, top):
        before = top.registry.await_name("model", PATIENT)
        kill(top, "model/client")
        top.registry.await_name("model/client", PATIENT).kill()
        eventually(lambda: top.registry.whereis("model") not in {None, before})
        answer = client.ask("hi").text

    assert answer == "re: hi"


def test_setting_that_is_none_is_taken_out(provider: FakeProvider) -> None:
    with mounted(provider) as (client, _):
        client.ask("hi", seed=None)
        same = client.identity("hi", seed=None) == client.identity("hi")

    assert "seed" not in provider.bill[0].body
    assert same


def test_breaker_of_a_mounted_client_outlives_its_restart(
    provider: FakeProvider,
) -> None:
    with mounted(provider, config=Config(max_outage=0.01)) as (client, top):
        client.set_circuit("m", GateState.OPEN)
        kill(top, "model/client")
        with pytest.raises(CircuitOpenError):
            client.ask("hi")

    assert provider.bill == ()


def test_errors_of_a_mounted_client_name_its_model(provider: FakeProvider) -> None:
    provider.misbehave(SERVER_ERROR)

    with (
        mounted(provider) as (client, _),
        pytest.raises(LMServerError) as caught,
    ):
        client.ask("hi")

    assert caught.value.model == "openai/m"


def test_mounted_client_whose_tree_was_stopped_says_so(provider: FakeProvider) -> None:
    with mounted(provider) as (client, _):
        client.ask("hi")

    with pytest.raises(RuntimeClosedError, match="'openai/m' cannot be called"):
        client.ask("hi")


def test_two_clients_of_one_tree_have_a_branch_each(provider: FakeProvider) -> None:
    specs = [
        Client.child_spec("openai/a", child_id="a", api_base=provider.base_url),
        Client.child_spec("openai/b", child_id="b", api_base=provider.base_url),
    ]

    with Supervisor.start(specs) as top:
        for name in ("a", "b"):
            Client(top.registry, name).ask("hi")

    assert [billed.body["model"] for billed in provider.bill] == ["a", "b"]


def test_mounted_client_sends_with_the_transport_it_is_given() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        message = {"role": "assistant", "content": "from here"}
        return httpx.Response(200, json={"choices": [{"message": message}]})

    spec = Client.child_spec(
        "openai/m",
        api_key="any",
        make_transport=lambda: HttpxTransport(httpx.MockTransport(answer)),
    )

    with Supervisor.start([spec]) as top:
        assert Client(top.registry).ask("hi").text == "from here"


@pytest.mark.parametrize("kind", [Client, Cache])
def test_tree_without_that_child_is_an_error_that_names_it(
    kind: type[Client | Cache],
) -> None:
    with (
        Supervisor.start([]) as top,
        pytest.raises(ConfigurationError, match=r"'nobody'.*child_spec"),
    ):
        kind(top.registry, "nobody")


def test_answer_is_asked_for_once_and_found_after_a_restart_of_the_program(
    provider: FakeProvider, tmp_path: Path
) -> None:
    def run() -> str:
        specs = [
            Cache.child_spec(tmp_path / "answers.db"),
            Client.child_spec("openai/m", api_base=provider.base_url),
        ]
        with Supervisor.start(specs) as top:
            client, cache = Client(top.registry), Cache(top.registry)
            asked = client.identity("hi", seed=1)
            reply = cache.fetch(asked, lambda: client.ask("hi", seed=1))
            cache.flush()
            return reply.text

    texts = [run(), run()]

    assert texts == ["re: hi", "re: hi"]
    assert len(provider.bill) == 1
    with closing(sqlite3.connect(tmp_path / "answers.db")) as file:
        assert file.execute("PRAGMA quick_check").fetchone() == ("ok",)


def test_equal_questions_at_one_time_are_one_request(provider: FakeProvider) -> None:
    provider.pause()
    specs = [
        Cache.child_spec(None),
        Client.child_spec("openai/m", api_base=provider.base_url),
    ]

    with Supervisor.start(specs) as top:
        client, cache = Client(top.registry), Cache(top.registry)

        def fetched() -> str:
            return cache.fetch("key", lambda: client.ask("hi")).text

        callers = Callers([fetched] * 8)
        provider.wait_for_in_flight(1, PATIENT)
        provider.resume()
        outcomes = callers.outcomes()

    assert outcomes == ["re: hi"] * 8
    assert len(provider.bill) == 1


@pytest.mark.parametrize("part", ["cache.memory", "cache.store", "cache"])
def test_cache_goes_on_after_the_death_of_any_part(tmp_path: Path, part: str) -> None:
    made: list[Reply] = []

    def make() -> Reply:
        made.append(Reply(texts=("a",)))
        return made[-1]

    spec = Cache.child_spec(tmp_path / "answers.db")
    with Supervisor.start([spec], intensity=STURDY) as top:
        cache = Cache(top.registry)
        cache.fetch("key", make)
        kill(top, part)
        again = cache.fetch("other", make)

    assert again.text == "a"
    assert len(made) == 2


def test_error_of_the_first_reaches_those_who_wait_and_is_not_kept() -> None:
    failing = [LMServerError("down"), LMServerError("still down")]

    def make() -> Reply:
        if failing:
            raise failing.pop(0)
        return Reply(texts=("up",))

    with Supervisor.start([Cache.child_spec(None)]) as top:
        cache = Cache(top.registry)
        for text in ("down", "still down"):
            with pytest.raises(LMServerError, match=f"^{text}"):
                cache.fetch("key", make)
        assert cache.fetch("key", make).text == "up"


def test_end_of_the_first_caller_is_not_that_of_those_who_wait() -> None:
    waiting: list[ReplyFuture[Any]] = []

    with Supervisor.start([Cache.child_spec(None)]) as top:
        memory = top.handle("cache.memory")

        def leave() -> Reply:
            waiting.append(
                memory.submit(LookUp(identity=Identity("key", ""), caller="next"))
            )
            raise LMCancelledError("its work was given up")

        with pytest.raises(LMCancelledError):
            Cache(top.registry).fetch("key", leave)
        (answer,) = (one.get(timeout=PATIENT) for one in waiting)

    assert answer == Lead()


def test_key_and_address_are_no_settings_of_a_mounted_client(
    provider: FakeProvider,
) -> None:
    with mounted(provider) as (client, _):
        for ask in (client.ask, client.identity):
            with pytest.raises(ConfigurationError, match="'api_key'") as caught:
                ask("hi", api_key="sk-very-secret")
            assert "sk-very-secret" not in str(caught.value)

    assert not provider.bill


def test_other_errors_let_the_next_one_make_the_answer() -> None:
    def fail() -> Reply:
        raise ZeroDivisionError

    with Supervisor.start([Cache.child_spec(None)]) as top:
        cache = Cache(top.registry)
        with pytest.raises(ZeroDivisionError):
            cache.fetch("key", fail)
        assert cache.fetch("key", lambda: Reply(texts=("a",))).text == "a"
