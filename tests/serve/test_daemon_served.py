"""What a daemon serves is read anew at a reload, in whole or not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
import pytest

import dspex
from dspex.cli.models import ModelChoice
from dspex.cli.served import Served
from dspex.core.errors import DataError
from dspex.serve.service import Service
from tests.serve.lab import STURDY, Client, Gate, serve

MODEL = {"model": "openai/m", "api_base": "http://127.0.0.1:1/v1"}


def served(
    home: Path, words: list[str], saved: list[str], model: dict[str, str] = MODEL
) -> Served:
    return Served.ordered(
        words,
        saved=saved,
        ctx=click.Context(click.Command("serve")),
        choice=ModelChoice(flags=model),
        folder=home,
    )


def save(file: Path, instructions: str) -> None:
    program = dspex.Predict("country -> capital")
    program.signature = program.signature.with_instructions(instructions)
    program.save(file)


def instructions_of(program: Any) -> str:
    return str(program.signature.instructions)


def test_a_saved_file_is_read_again_and_the_program_of_before_keeps_its_own(
    tmp_path: Path,
) -> None:
    file = tmp_path / "capital.json"
    save(file, "Be short.")
    order = served(tmp_path, ["capital=country -> capital"], [str(file)])

    before = order.load().programs["capital"]
    save(file, "Be long.")
    after = order.load().programs["capital"]

    assert instructions_of(before) == "Be short."
    assert instructions_of(after) == "Be long."


@pytest.mark.parametrize(("key", "count"), [(None, 1), ("mine", 0)])
def test_a_key_that_is_missing_is_told_before_anybody_asks(
    key: str | None,
    count: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("GROQ_API_KEY", key)
    words = ["capital=country -> capital", "town=country -> town"]

    served(tmp_path, words, [], {"model": "groq/m"}).load()

    told = [vars(record) for record in caplog.records]
    assert [each["msg"] for each in told] == ["a model has no key"] * count
    assert all("GROQ_API_KEY" in each["reason"] for each in told)


def test_a_saved_file_that_is_broken_is_an_error_at_the_reload(tmp_path: Path) -> None:
    file = tmp_path / "capital.json"
    save(file, "Be short.")
    order = served(tmp_path, ["capital=country -> capital"], [f"capital={file}"])
    order.load()

    file.write_text("{", encoding="utf-8")

    with pytest.raises(DataError):
        order.load()


def test_the_model_of_the_flags_is_there_after_each_load(tmp_path: Path) -> None:
    order = served(tmp_path, ["capital=country -> capital"], [])

    models = [order.load().settings["lm"].model for _ in range(2)]

    assert models == ["openai/m", "openai/m"]


def test_requests_under_way_keep_the_settings_they_began_with() -> None:
    class Asking(Gate):
        """Says under which settings it ends."""

        def __call__(self, **inputs: Any) -> dspex.Prediction:
            super().__call__(**inputs)
            return dspex.Prediction(size=dspex.settings.max_history_size)

    gate = Asking()

    async def use(client: Client) -> None:
        first = asyncio.create_task(client.post("/ask", {}))
        await gate.arrived()
        with dspex.context(max_history_size=2):
            service.replace({"ask": gate})
        second = await client.post("/ask", {})
        gate.opened.set()
        assert (await first).json == {"size": 1}
        assert second.json == {"size": 2}

    with dspex.Runtime(STURDY) as runtime, dspex.context(max_history_size=1):
        service = Service({"ask": gate}, runtime=runtime)
        serve(service, use)
