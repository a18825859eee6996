"""`dspex demo` against a provider on loopback."""

from __future__ import annotations

import json
from pathlib import Path

import dspex
from dspex.cli.console import Exit
from dspex.testing import OVERLOADED, WRONG_KEY, FakeProvider
from tests.cli.conftest import Run


def test_the_demo_measures_three_programs_and_tells_all(
    run: Run, there: tuple[str, ...], provider: FakeProvider
) -> None:
    done = run("demo", "--limit", 5, *there)

    assert done.exit_code == 0, done.output
    for words in (
        "zero-shot",
        "LabeledFewShot (8)",
        "BootstrapFewShot (4+4)",
        "not better than labelled examples",
        "no example lost",
        "└─ client",
        "the optimised prompt",
        "dspex evaluate my_code:program",
    ):
        assert words in done.stdout
    assert "zero-shot: 5 examples" in done.stderr
    # Nothing came from a cache: each measurement paid for its calls.
    assert len(provider.bill) >= 3 * 5 + 4


def test_json_has_exactly_the_promised_keys(run: Run, there: tuple[str, ...]) -> None:
    done = run("demo", "--limit", 3, "--json", *there)

    found = json.loads(done.stdout)
    steps = ("before", "labeled", "after")
    assert list(found) == ["model", "task", *steps, "calls", "seconds", "restarts"]
    for step in steps:
        assert found[step] == {"score": 100.0, "stderr": 0.0, "n": 3, "failures": 0}
    assert found["model"] == "openai/fake"
    assert found["task"] == "capitals"
    assert found["calls"] >= 13
    assert found["restarts"] == 0


def test_answers_that_cannot_be_read_are_counted_as_such_and_stop_nothing(
    run: Run,
) -> None:
    with FakeProvider(answer=lambda _messages: "no idea") as provider:
        there = ("--model", "fake", "--api-base", provider.base_url)
        done = run("demo", "--limit", 12, "--json", "--quiet", *there)

    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert [found[s]["failures"] for s in ("before", "labeled", "after")] == [12] * 3
    assert found["after"]["score"] == 0.0
    assert done.stderr == ""


def test_the_result_can_be_saved_and_loaded(
    run: Run, there: tuple[str, ...], tmp_path: Path
) -> None:
    target = tmp_path / "program.json"

    done = run("demo", "--limit", 2, "--save", target, *there)
    program = dspex.Predict("country -> capital").load(target)

    assert len(program.demos) == 8
    assert f"--program {target}" in done.stdout


def test_a_provider_that_refuses_ends_it_with_what_was_measured(
    run: Run, provider: FakeProvider, there: tuple[str, ...]
) -> None:
    provider.misbehave(WRONG_KEY, on=lambda billed: billed.number > 3)

    done = run("demo", "--limit", 3, "--json", *there)

    assert done.exit_code == Exit.CONFIGURATION
    found = json.loads(done.stdout)
    assert found["before"]["n"] == 3
    assert found["after"] is None
    assert "Traceback" not in done.stderr


def test_a_demo_that_cannot_begin_shows_no_score_and_says_what_is_missing(
    run: Run,
) -> None:
    done = run("demo", "--model", "openai/gpt-4o-mini", "--quiet")

    assert done.exit_code == Exit.CONFIGURATION
    assert done.stdout == ""
    assert done.stderr.startswith("dspex: there is no API key for 'openai/gpt-4o-mini'")


def test_a_demo_that_measured_nothing_shows_no_score(
    run: Run, provider: FakeProvider, there: tuple[str, ...]
) -> None:
    provider.misbehave(WRONG_KEY, times=1_000)

    done = run("demo", "--limit", 3, "--quiet", *there)

    assert done.exit_code == Exit.CONFIGURATION
    assert done.stdout == ""
    assert "was refused with status 401" in done.stderr


def test_a_server_that_fails_now_and_then_costs_no_example(
    run: Run, provider: FakeProvider, there: tuple[str, ...]
) -> None:
    provider.misbehave(OVERLOADED, on={2, 5}, times=2)

    done = run("demo", "--limit", 3, "--json", *there)

    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert [found[s]["n"] for s in ("before", "labeled", "after")] == [3] * 3
    assert found["before"]["failures"] == 0
