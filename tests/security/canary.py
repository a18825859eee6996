"""A program that does all it can with keys, and writes down all it can.

`test_canary.py` runs it with keys that are easily found, and looks for them in every
byte that came of it. Its own variables never hold one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import structlog

import dspex
from dspex.cli.main import main as cli
from dspex.client.client import Client
from dspex.client.proxies import Proxies
from dspex.core.errors import LMError
from dspex.core.lm import Reply
from dspex.runtime.runtime import current_runtime
from dspex.testing import (
    SERVER_ERROR,
    CloseBeforeAnswer,
    FakeProvider,
    HalfBody,
    Hang,
    Redirect,
    Reset,
    Status,
    StreamError,
    chat_answer,
)
from supervisors import Event, draw, waits
from tests.actors.lab import client_name, kill, wire_name
from tests.contracts.proxy import proxying

KEYS = {
    "argument": "CANARY_ARGUMENT",
    "callable": "CANARY_CALLABLE",
    "environment": "AZURE_API_KEY",
    "password": "CANARY_PASSWORD",
}
"""The environment variables that hold the keys."""


def main() -> None:
    """Go through every scene; each says its name at its end."""
    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
    scenes: list[Callable[[FakeProvider], None]] = [
        good_calls,
        echoing_refusals,
        failures_of_every_kind,
        streams,
        parts_that_die,
        programs_and_dry_runs,
        keys_from_a_function,
        keys_from_the_environment,
        vectors,
        a_model_of_ones_own,
        commands,
    ]
    for scene in scenes:
        with FakeProvider(answer=_answer) as provider, dspex.Runtime() as runtime:
            runtime.events.attach(_show_event)
            scene(provider)
            show(runtime, runtime.tree(), draw(runtime.tree()), vars(runtime))
            show(waits(), runtime.cache, runtime.cache.statistics(), runtime.config)
            runtime.cache.flush()
        print(f"scene: {scene.__name__}")
    asyncio.run(proxies_with_a_password())
    print("scene: proxies_with_a_password")


def lm_at(provider: FakeProvider, model: str = "openai/m", **options: Any) -> dspex.LM:
    """A model there, with the key as an argument."""
    return dspex.LM(
        model,
        api_base=provider.base_url,
        api_key=os.environ[KEYS["argument"]],
        **options,
    )


def _answer(_messages: object) -> str:
    return chat_answer(answer="yes")


def _show_event(event: Event) -> None:
    print(repr(event), vars(event) if hasattr(event, "__dict__") else "")


def show(*things: object) -> None:
    """Print a thing in every way, and what can be looked at in it."""
    for thing in things:
        print(repr(thing), str(thing), f"{thing}")
        for name, value in getattr(thing, "__dict__", {}).items():
            print(name, repr(value), getattr(value, "__dict__", ""))


def show_error(error: BaseException) -> None:
    """Print an error as a log would that shows the variables of every frame."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    print("".join(told.format()))
    logging.getLogger("app").error("it failed", exc_info=error)
    kind = type(error).__name__
    if kind not in _logged:
        # It takes a second to draw all those boxes.
        _logged.add(kind)
        structlog.get_logger("app").error("it failed", error=error, exc_info=error)
    seen: BaseException | None = error
    while seen is not None:
        show(seen, seen.args, vars(seen), getattr(seen, "__notes__", ()))
        seen = seen.__cause__ or (
            None if seen.__suppress_context__ else seen.__context__
        )


_logged: set[str] = set()
"""The kinds of errors that structlog has shown."""


def fails(ask: Callable[[], object]) -> None:
    """Have a call end in an error, and show that."""
    try:
        ask()
    except LMError as error:
        show_error(error)
    else:
        raise AssertionError("the call should have failed")


async def afails(ask: Callable[[], Awaitable[object]]) -> None:
    """The same for coroutines."""
    try:
        await ask()
    except LMError as error:
        show_error(error)
    else:
        raise AssertionError("the call should have failed")


def good_calls(provider: FakeProvider) -> None:
    lm = lm_at(provider, temperature=0.5)
    lm("once")
    lm("once")
    asyncio.run(lm.acall("twice"))
    show(lm, lm.copy(seed=1), lm.history, lm.dump_state(), *lm.history)
    show(lm._place, lm._options)
    _show_client(lm)


def _show_client(lm: dspex.LM) -> None:
    runtime = current_runtime()
    client = Client(runtime.handle(client_name(lm)), lambda: None)
    show(client, client.view())


def echoing_refusals(provider: FakeProvider) -> None:
    for status in (400, 401, 403, 404, 429, 500):
        provider.behave()
        provider.misbehave(_echo(status))
        # A model of its own for each, as a refused key refuses what comes after it.
        lm = lm_at(provider, model=f"openai/m{status}", num_retries=0)
        fails(partial(lm, "hi"))


def _echo(status: int) -> Status:
    """A refusal that has the key in every place."""
    key = os.environ[KEYS["argument"]]
    return Status(status, {"x-request-id": key}, f"no {key}", f"kind {key}", key)


def failures_of_every_kind(provider: FakeProvider) -> None:
    for fault in (Reset(), CloseBeforeAnswer(), HalfBody(), Redirect("/elsewhere")):
        provider.behave()
        provider.misbehave(fault)
        fails(partial(lm_at(provider, num_retries=1), repr(fault)))
        fails(partial(asyncio.run, lm_at(provider, num_retries=0).acall(repr(fault))))
    provider.behave()
    provider.misbehave(Hang())
    fails(partial(lm_at(provider, timeout=0.1, num_retries=0), "slow"))
    fails(partial(lm_at(provider, deadline=0.1), "late"))
    provider.stop()
    fails(partial(lm_at(provider, num_retries=0), "nobody there"))


def streams(provider: FakeProvider) -> None:
    stream = lm_at(provider).stream("in pieces")
    show(stream, list(stream), stream.reply)
    secret = Status(500, message=os.environ[KEYS["argument"]])
    provider.misbehave(StreamError(error=secret))
    del secret
    broken = lm_at(provider).stream("in broken pieces")
    fails(lambda: list(broken))
    show(broken)


def parts_that_die(provider: FakeProvider) -> None:
    runtime = current_runtime()
    lm = lm_at(provider)
    lm("before")
    for name in (client_name(lm), wire_name(lm), "cache.memory", "cache.store"):
        runtime.handle(name).cast("a message that nobody knows")
        kill(runtime, name)
        lm(f"after {name}")
    show(lm)


def programs_and_dry_runs(provider: FakeProvider) -> None:
    program = dspex.Predict("question -> answer")
    program.set_lm(lm_at(provider, temperature=0.1))
    rows = [dspex.Example(question=f"q{n}").with_inputs("question") for n in range(3)]
    show(dspex.dry_run(program, rows), program, program(question="q0"))
    program.save("program.json")
    result = dspex.Evaluate(devset=rows, metric=lambda *_: True, num_threads=2)(program)
    show(result, *result.outcomes)
    provider.misbehave(SERVER_ERROR)
    with dspex.context(lm=lm_at(provider, num_retries=0, cache=False)):
        show(program, dspex.settings)


def keys_from_a_function(provider: FakeProvider) -> None:
    reach: dict[str, Any] = {"api_base": provider.base_url, "num_retries": 0}
    lm = dspex.LM("openai/m", api_key=lambda: os.environ[KEYS["callable"]], **reach)
    lm("good")
    show(lm, lm._place)
    provider.misbehave(Status(401, message=f"no {os.environ[KEYS['callable']]}"))
    fails(lambda: lm("refused twice"))
    wrong = dspex.LM("openai/m", api_key=_broken_key, **reach)
    fails(lambda: wrong("no key"))


def _broken_key() -> str:
    return f"{os.environ[KEYS['callable']]}\n{os.environ[KEYS['callable']]}"


def keys_from_the_environment(provider: FakeProvider) -> None:
    os.environ["AZURE_API_BASE"] = provider.root_url
    lm = dspex.LM("azure/m", api_version="2024-10-21", num_retries=0)
    for fault in (
        CloseBeforeAnswer(),
        Status(401, message=os.environ["AZURE_API_KEY"]),
    ):
        provider.misbehave(fault, times=1)
        del fault
        fails(lambda: lm("hi"))
    show(lm, lm._place)


def vectors(provider: FakeProvider) -> None:
    embedder = dspex.Embedder(
        "openai/e", api_base=provider.base_url, api_key=os.environ[KEYS["argument"]]
    )
    embedder("a text")
    provider.misbehave(Status(400, message=os.environ[KEYS["argument"]]))
    fails(lambda: embedder("another text"))
    show(embedder)


class OwnModel(dspex.BaseLM):
    """A model that has a key, and raises errors that show it not."""

    def forward(self, messages: list[dict[str, Any]], **settings: Any) -> Any:
        del settings
        if "bad" in str(messages):
            raise ValueError("no answer")
        return Reply(texts=("yes",), finish_reasons=("stop",))


def a_model_of_ones_own(provider: FakeProvider) -> None:
    del provider
    own = OwnModel("home-made/m", num_retries=0)
    own("good")
    fails(lambda: own("bad"))
    show(own)


def commands(provider: FakeProvider) -> None:
    there = ["--model", "m", "--api-base", provider.base_url]
    there += ["--api-key-env", KEYS["argument"]]
    ask = ("predict", "question -> answer", "question=q", *there, "--traceback")
    command(*ask)
    command("doctor", "m", *there[2:], "--ask", "--traceback")
    command("doctor", "--json")
    command("cache", "list")
    command("cache", "export", "answers.jsonl")
    provider.misbehave(Status(401, message=os.environ[KEYS["argument"]]))
    command(*ask[:2], "question=another", *there, "--traceback")
    command("doctor", "m", *there[2:], "--json", "--traceback")


def command(*words: str) -> None:
    """Run the command line; its words go where ours go."""
    try:
        cli(words, standalone_mode=False)
    except click.ClickException as failure:
        failure.show()
        show(failure, failure.message)


async def proxies_with_a_password() -> None:
    async with proxying("407 Proxy Authentication Required") as refusing:
        await _through(refusing.address, "https://model.example/v1")
        assert refusing.authorizations[0] is not None
    await _through("127.0.0.1:9", "https://model.example/v1")
    await _through("127.0.0.1:9", "http://model.example/v1")


async def _through(address: str, base: str) -> None:
    config = dspex.Config(
        proxies=Proxies.only(f"http://user:{os.environ[KEYS['password']]}@{address}")
    )
    show(config, config.proxies)
    with dspex.Runtime(config) as runtime:
        lm = dspex.LM(
            "openai/m",
            api_base=base,
            api_key=os.environ[KEYS["argument"]],
            allow_insecure=True,
            num_retries=0,
        )
        await afails(lambda: lm.acall(base))
        show(lm, runtime, runtime.tree(), vars(runtime))


if __name__ == "__main__":
    os.chdir(Path(sys.argv[1]))
    main()
