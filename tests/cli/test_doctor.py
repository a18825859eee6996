"""`dspex doctor`: what it finds out, what it never shows, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dspex.cache.database import Database
from dspex.cache.files import cache_file
from dspex.cli.console import Exit
from dspex.client.providers.model_strings import KNOWN_PROVIDERS
from dspex.core.home import home
from dspex.testing import FakeProvider, RateLimit
from tests.actors.cache_lab import entry
from tests.cli.conftest import Run

KEY = "sk-right-0123456789"
WRONG = "sk-wrong-0123456789"


@pytest.fixture(autouse=True)
def _own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSPEX_HOME", str(tmp_path / "home"))
    for known in KNOWN_PROVIDERS.values():
        monkeypatch.delenv(known.key_variable, raising=False)
    monkeypatch.setenv("RIGHT_KEY", KEY)
    monkeypatch.setenv("WRONG_KEY", WRONG)


@pytest.fixture
def keyed() -> Iterator[FakeProvider]:
    """A provider that wants a key, has two models, and announces its limits."""
    with FakeProvider(
        answer=lambda _messages: "Hello",
        api_key=KEY,
        models=["capital-7b", "capital-70b"],
        limit=RateLimit(requests=60),
    ) as provider:
        yield provider


Examine = Callable[..., dict[str, tuple[str, str]]]
"""Runs the command with `--json`; the state and the text of each finding by name."""


@pytest.fixture
def examine(run: Run) -> Examine:
    def examined(*words: str) -> dict[str, tuple[str, str]]:
        told: dict[str, Any] = json.loads(run("doctor", *words, "--json").stdout)
        return {one["name"]: (one["state"], one["text"]) for one in told["findings"]}

    return examined


def at(provider: FakeProvider, key: str = "RIGHT_KEY") -> tuple[str, ...]:
    return ("--api-base", provider.base_url, "--api-key-env", key)


def test_a_provider_that_takes_the_key_is_well(run: Run, keyed: FakeProvider) -> None:
    done = run("doctor", "capital-7b", *at(keyed))

    assert done.exit_code == Exit.OK
    states = [line.split()[:2] for line in done.stdout.splitlines()]
    assert states == [
        ["ok", "address"],
        ["ok", "connection"],
        ["ok", "key"],
        ["ok", "model"],
        ["unknown", "limits"],
    ]


def test_the_examination_is_not_on_the_bill(examine: Examine) -> None:
    with FakeProvider(api_key=KEY) as provider:
        examine("fake", *at(provider))

        assert len(provider.bill) == 0


@pytest.mark.parametrize(
    ("model", "path"),
    [("openai/fake", "/v1"), ("anthropic/fake", "/v1"), ("gemini/fake", "/v1beta")],
)
def test_each_format_asks_in_its_own_way(
    model: str, path: str, examine: Examine
) -> None:
    with FakeProvider(api_key=KEY) as provider:
        there = ("--api-base", f"{provider.root_url}{path}")
        found = examine(model, *there, "--api-key-env", "RIGHT_KEY")
        wrong = examine(model, *there, "--api-key-env", "WRONG_KEY")

    assert found["key"] == ("ok", "accepted")
    assert found["model"][0] == "ok"
    assert wrong["key"][0] == "failed"
    assert "model" not in wrong


def test_a_wrong_key_ends_with_the_code_of_configuration(
    run: Run, keyed: FakeProvider
) -> None:
    done = run("doctor", "capital-7b", *at(keyed, "WRONG_KEY"))

    assert done.exit_code == Exit.CONFIGURATION
    assert "Check the key" in done.stdout


@pytest.mark.parametrize("more", [[], ["--json"], ["--ask"], ["--traceback"]])
@pytest.mark.parametrize("key", ["RIGHT_KEY", "WRONG_KEY"])
def test_no_key_is_ever_shown(
    key: str, more: list[str], run: Run, keyed: FakeProvider
) -> None:
    done = run("doctor", "capital-7b", *at(keyed, key), *more)

    assert done.stdout
    assert KEY not in done.output
    assert WRONG not in done.output


def test_a_list_that_is_open_to_all_says_nothing_of_the_key(
    examine: Examine, provider: FakeProvider
) -> None:
    found = examine("fake", *at(provider))

    assert found["key"][0] == "unknown"
    assert "--ask" in found["key"][1]


def test_a_model_that_is_not_listed_is_told_with_those_near_to_it(
    examine: Examine, keyed: FakeProvider
) -> None:
    found = examine("capital-8b", *at(keyed))

    assert found["model"][0] == "unknown"
    assert "capital-7b" in found["model"][1]


def test_what_a_provider_says_cannot_steer_the_terminal(run: Run) -> None:
    with FakeProvider(models=["evil\x1b[2J"]) as provider:
        done = run("doctor", "evil", *at(provider))

    assert "evil\\x1b[2J" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_provider_that_is_not_there_ends_with_the_code_of_that(run: Run) -> None:
    with FakeProvider() as provider:
        there = at(provider)

    done = run("doctor", "fake", *there)

    assert done.exit_code == Exit.UNAVAILABLE
    assert "no connection to 127.0.0.1" in done.stdout


def test_a_name_that_is_not_known_is_told_as_such(run: Run) -> None:
    done = run("doctor", "fake", "--api-base", "https://nowhere.invalid/v1")

    assert done.exit_code == Exit.UNAVAILABLE
    assert "no address was found for 'nowhere.invalid'" in done.stdout


def test_a_server_without_tls_is_told_as_such(
    examine: Examine, provider: FakeProvider
) -> None:
    address = provider.base_url.replace("http://", "https://")

    found = examine("fake", "--api-base", address)

    assert found["connection"][0] == "ok"
    assert found["TLS"][0] == "failed"


def test_asking_makes_one_call_of_one_token_and_tells_the_limits(
    examine: Examine, keyed: FakeProvider
) -> None:
    found = examine("capital-7b", *at(keyed), "--ask")

    [billed] = keyed.bill
    assert billed.body["max_tokens"] == 1
    assert found["answer"][0] == "ok"
    assert found["limits"] == ("ok", "announced: 60 requests (59 left)")


def test_after_a_failure_nothing_is_asked(run: Run, keyed: FakeProvider) -> None:
    run("doctor", "capital-7b", *at(keyed, "WRONG_KEY"), "--ask")

    assert len(keyed.bill) == 0


def test_a_key_that_is_missing_is_a_finding_too(run: Run) -> None:
    done = run("doctor", "openai/gpt-4o-mini", "--json")

    assert done.exit_code == Exit.CONFIGURATION
    [finding] = json.loads(done.stdout)["findings"]
    assert "OPENAI_API_KEY" in finding["text"]


def test_options_about_a_model_need_one(run: Run) -> None:
    assert run("doctor", "--ask").exit_code == Exit.USAGE


def test_without_a_model_this_machine_is_looked_at(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:password@proxy:3128")

    done = run("doctor")

    assert done.exit_code == Exit.OK
    assert "set: OPENAI_API_KEY" in done.stdout
    assert "set: HTTPS_PROXY" in done.stdout
    assert KEY not in done.output
    assert "password" not in done.output
    assert not home().exists()


def test_a_sound_cache_is_called_so(examine: Examine) -> None:
    kept = Database(cache_file(home()))
    kept.write([entry("a", 1e9)])
    kept.close()

    assert examine()["cache"][1].startswith("sound")


def test_a_damaged_cache_is_told_and_left_alone(run: Run) -> None:
    path = cache_file(home())
    path.parent.mkdir(parents=True, mode=0o700)
    path.write_bytes(b"this was a database once" * 100)

    done = run("doctor")

    assert done.exit_code == Exit.BAD_DATA
    assert "is damaged" in done.stdout
    assert path.read_bytes().startswith(b"this was")
