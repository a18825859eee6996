"""What commands print for people steers no terminal, wherever it came from (S13)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dspex.testing import FakeProvider, chat_answer
from tests.cli.conftest import Run
from tests.security.test_hostile_texts import STEERING, run, steers

__all__ = ["run"]


def evaluated(run: Run, folder: Path, *, question: str, answer: str) -> str:
    """Evaluate one row of such texts, and return all that was printed."""
    data = folder / "rows.jsonl"
    row = {"question": question, "answer": "right"}
    data.write_text(f"{json.dumps(row)}\n", encoding="utf-8")
    reply = chat_answer(answer=answer)
    with FakeProvider(answer=lambda _messages: reply) as provider:
        done = run(
            *("evaluate", "question -> answer", data, "--run", "hostile"),
            *("--metric", "exact_match:answer", "--progress", "always"),
            *("--model", "m", "--api-base", provider.base_url, "--keep-traces", "all"),
        )
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_is_recorded_of_an_answer_steers_no_terminal(
    run: Run, tmp_path: Path
) -> None:
    printed = [evaluated(run, tmp_path, question="q", answer=STEERING)]

    [kept] = json.loads(run("cache", "list", "--json").stdout)
    for words in (
        ("show", "hostile"),
        ("show", "hostile", "--example", "0"),
        ("show", "hostile", "--json"),
        ("runs",),
        ("cache", "list"),
        ("cache", "show", kept["key"]),
        ("cache", "show", kept["key"], "--json"),
    ):
        done = run(*words)
        assert done.exit_code == 0, done.output
        printed.append(done.output)

    assert [steers(each) for each in printed] == [set()] * len(printed)
    assert any("\\x1b]0;title" in each for each in printed)


def test_a_row_steers_no_terminal(run: Run, tmp_path: Path) -> None:
    printed = evaluated(run, tmp_path, question=STEERING, answer="wrong")

    shown = run("show", "hostile", "--example", "0")

    assert steers(printed) == steers(shown.output) == set()


@pytest.mark.parametrize("words", [("show", "--origin"), ("show", "--json")])
def test_a_configuration_steers_no_terminal(
    words: tuple[str, ...],
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("dspex.toml")

    file.write_text(f"model = {json.dumps(STEERING)}\n", encoding="utf-8")
    shown = run("config", *words)
    file.write_text(f"{json.dumps(STEERING)} = 1\n", encoding="utf-8")
    refused = run("config", "check")

    assert (shown.exit_code, refused.exit_code) == (0, 78)
    assert steers(shown.output) == steers(refused.output) == set()
