"""`dspex predict` against a provider on loopback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dspex
from dspex.cli.console import Exit
from dspex.testing import SERVER_ERROR, WRONG_KEY, FakeProvider, chat_answer
from tests.cli.conftest import Run

ASK = ("predict", "country -> capital", "country=Peru")


def test_the_answer_is_one_line_per_output(run: Run, there: tuple[str, ...]) -> None:
    done = run(*ASK, *there)

    assert done.exit_code == 0, done.output
    assert done.stdout == "capital: Lima\n"
    assert done.stderr == ""


def test_json_is_the_outputs_alone(run: Run, there: tuple[str, ...]) -> None:
    done = run(*ASK, *there, "--json")

    assert json.loads(done.stdout) == {"capital": "Lima"}


def test_values_that_are_no_text_are_read_as_json(run: Run) -> None:
    seen = []

    def add(messages: object) -> str:
        seen.append(str(messages))
        return chat_answer(total=6, parts="[1, 2, 3]")

    with FakeProvider(answer=add) as provider:
        there = ("--model", "fake", "--api-base", provider.base_url)
        signature = "numbers: list[int], name -> total: int, parts: list[int]"
        words = ["numbers=[1, 2, 3]", "name=[x]"]
        done = run("predict", signature, *words, *there, "--json")

    assert json.loads(done.stdout) == {"total": 6, "parts": [1, 2, 3]}
    assert "[x]" in seen[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "'country'"),
        (["country"], "NAME=VALUE"),
        (["contry=Peru"], "Did you mean 'country'?"),
        (["country=Peru", "country=Chad"], "twice"),
    ],
)
def test_inputs_that_do_not_fit_are_usage(
    words: list[str], said: str, run: Run, there: tuple[str, ...]
) -> None:
    done = run("predict", "country -> capital", *words, *there)

    assert done.exit_code == Exit.USAGE
    assert said in done.stderr


def test_a_value_of_the_wrong_type_is_usage(run: Run, there: tuple[str, ...]) -> None:
    done = run("predict", "n: int -> m: int", "n=many", *there)

    assert done.exit_code == Exit.USAGE
    assert "is no int" in done.stderr


def test_reasoning_is_an_output_of_its_own(run: Run) -> None:
    answer = chat_answer(reasoning="It is on the coast.", capital="Lima")
    with FakeProvider(answer=lambda _messages: answer) as provider:
        done = run(*ASK, "--cot", "--model", "fake", "--api-base", provider.base_url)

    assert done.stdout == "reasoning: It is on the coast.\ncapital: Lima\n"


def test_a_saved_program_brings_its_demos(
    run: Run, provider: FakeProvider, there: tuple[str, ...], tmp_path: Path
) -> None:
    program = dspex.Predict("country -> capital")
    program.demos = [dspex.Example(country="Atlantis", capital="Poseidonia")]
    program.save(tmp_path / "saved.json")

    done = run(*ASK, *there, "--program", tmp_path / "saved.json")

    assert done.stdout == "capital: Lima\n"
    assert "Atlantis" in str(provider.bill[0].body)


def test_a_saved_program_that_is_none_is_bad_data(
    run: Run, there: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "saved.json").write_text("{not json")

    done = run(*ASK, *there, "--program", tmp_path / "saved.json")

    assert done.exit_code == Exit.BAD_DATA
    assert "line 1" in done.stderr


def test_what_the_model_writes_cannot_steer_the_terminal(run: Run) -> None:
    nasty = "Lima\x1b]0;owned\x07\x1b[2J\u009b31m\u202eamil\rCusco"
    with FakeProvider(answer=lambda _messages: chat_answer(capital=nasty)) as provider:
        there = ("--model", "fake", "--api-base", provider.base_url)
        shown, as_json = run(*ASK, *there), run(*ASK, *there, "--json")

    for output in (shown.stdout, as_json.stdout):
        assert output.replace("\n", "").isprintable()
    assert "\\x1b[2J" in shown.stdout
    assert json.loads(as_json.stdout) == {"capital": nasty}


def test_an_answer_that_does_not_fit_is_a_failure(run: Run) -> None:
    with FakeProvider(answer=lambda _messages: "no idea") as provider:
        done = run(*ASK, "--model", "fake", "--api-base", provider.base_url)

    assert done.exit_code == Exit.FAILED
    assert "does not fit" in done.stderr
    assert done.stdout == ""


def test_a_refused_key_is_configuration(
    run: Run, provider: FakeProvider, there: tuple[str, ...]
) -> None:
    provider.misbehave(WRONG_KEY)

    done = run(*ASK, *there)

    assert done.exit_code == Exit.CONFIGURATION
    assert len(provider.bill) == 1


def test_a_provider_that_fails_is_unavailable(
    run: Run, provider: FakeProvider, there: tuple[str, ...]
) -> None:
    provider.misbehave(SERVER_ERROR)

    done = run(*ASK, *there)

    assert done.exit_code == Exit.UNAVAILABLE
    assert "Traceback" not in done.stderr


def test_the_model_may_come_from_the_environment(
    run: Run, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSPEX_MODEL", "fake")

    done = run(*ASK, "--api-base", provider.base_url)

    assert done.stdout == "capital: Lima\n"
