"""Where a model lives: which calls share a branch, and which an answer."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dspex.client.providers.endpoint import Endpoint
from dspex.client.secrets import Secret
from dspex.client.transport import make_transport
from dspex.core.errors import ConfigurationError
from dspex.runtime.places import LocalPlace, Reach, RemotePlace, find_place
from dspex.runtime.runtime import Runtime

CANARY = "sk-canary-0123456789"


def remote(
    *,
    base_url: str = "https://a.example/v1",
    model: str = "m",
    key: str | None = None,
    max_in_flight: int | None = None,
) -> RemotePlace:
    endpoint = Endpoint(
        provider="openai",
        base_url=base_url,
        model=model,
        api_key=Secret(key) if key else None,
    )
    return RemotePlace(endpoint, max_in_flight)


def test_models_at_one_address_share_a_branch() -> None:
    assert remote(model="a").branch_id == remote(model="b").branch_id


def test_another_address_or_key_is_another_branch() -> None:
    ids = {
        remote().branch_id,
        remote(base_url="https://b.example/v1").branch_id,
        remote(key="sk-1").branch_id,
        remote(key="sk-2").branch_id,
    }

    assert len(ids) == 4


def test_answers_are_shared_across_keys_and_not_across_addresses() -> None:
    assert remote(key="sk-1").identity == remote(key="sk-2").identity
    assert remote().identity != remote(base_url="https://b.example/v1").identity


def test_key_is_in_no_name() -> None:
    place = remote(key=CANARY)
    branch = place.branch(Runtime())

    shown = f"{place.branch_id} {place.identity} {branch!r} {branch.client_name}"

    assert CANARY not in shown


def test_limit_of_the_place_wins_over_the_runtimes() -> None:
    def places(place: RemotePlace) -> int:
        return place.branch(Runtime()).ledger.options.max_in_flight

    assert places(remote(max_in_flight=3)) == 3
    assert places(remote()) == 256


@pytest.fixture
def gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # No server is started here, so the extra need not be installed.
    monkeypatch.setattr("dspex.client.local.models.require_server", lambda: None)
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF" + bytes(100))
    return file


def test_local_file_is_another_place_when_it_was_changed(gguf: Path) -> None:
    before = LocalPlace(str(gguf))
    os.utime(gguf, ns=(1, 1))

    after = LocalPlace(str(gguf))

    assert before.identity != after.identity
    assert before.branch_id != after.branch_id


def test_local_base_model_wants_the_line_adapter_and_no_chance(gguf: Path) -> None:
    place = LocalPlace(str(gguf))

    assert place.adapter == "line"
    assert place.settings == {"temperature": 0.0}


def test_local_branch_has_a_server_whose_key_is_not_shown(gguf: Path) -> None:
    branch = LocalPlace(str(gguf)).branch(Runtime())

    assert branch.server is not None
    assert branch.server.env is not None
    key = branch.server.env["DSPEX_LOCAL_API_KEY"]
    assert key not in repr(branch)
    assert key not in " ".join(branch.server.argv)
    assert branch.max_in_flight == 4
    assert branch.ledger.needs_server


def test_local_branch_does_not_wait_for_its_server_and_needs_no_guard(
    gguf: Path,
) -> None:
    server = LocalPlace(str(gguf)).branch(Runtime()).server

    assert server is not None
    assert server.started_when == "running"
    assert server.watches_stdin


def test_key_goes_unencrypted_to_another_machine_only_when_its_user_says_so() -> None:
    reach = Reach(api_base="http://10.0.0.1/v1", api_key=CANARY)
    with pytest.raises(ConfigurationError, match="allow_insecure=True") as caught:
        find_place("vllm/m", reach)

    place = find_place("vllm/m", replace(reach, allow_insecure=True))

    assert isinstance(place, RemotePlace)
    assert CANARY not in str(caught.value)


def through(proxy: str | None) -> RemotePlace:
    reach = Reach(api_base="https://a.example/v1", proxy=proxy)
    place = find_place("openai/m", reach)
    assert isinstance(place, RemotePlace)
    return place


def test_another_proxy_is_another_branch_and_the_same_answers() -> None:
    places = [through(None), through(""), through("http://p:1"), through("http://p:2")]

    assert len({place.branch_id for place in places}) == 4
    assert len({place.identity for place in places}) == 1
    vectors = {place.for_vectors().branch_id for place in places}
    assert len(vectors) == 4


def test_proxy_is_in_no_name() -> None:
    place = through(f"http://me:{CANARY}@secret-proxy:3128")
    branch = place.branch(Runtime())

    shown = f"{place.branch_id} {place.identity} {branch!r} {branch.client_name}"

    assert CANARY not in shown
    assert "secret-proxy" not in shown


@pytest.mark.parametrize("proxy", ["socks5://p:1", "http://", "http://p:port"])
def test_proxy_that_is_no_http_url_is_refused_before_anything_is_sent(
    proxy: str,
) -> None:
    with pytest.raises(ConfigurationError, match="Correct proxy="):
        through(proxy)


def test_local_model_has_no_proxy(gguf: Path) -> None:
    with pytest.raises(ConfigurationError, match="Leave proxy= out"):
        find_place(f"local/{gguf}", Reach(proxy="http://p:1"))


def test_proxy_and_a_transport_of_the_users_own_exclude_each_other() -> None:
    runtime = Runtime(make_transport=make_transport)

    assert through(None).branch(runtime).label
    with pytest.raises(ConfigurationError, match="or make_transport="):
        through("http://p:1").branch(runtime)
