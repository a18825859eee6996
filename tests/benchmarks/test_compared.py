"""The comparison is made, in small, with a stand-in for a program that is not here.

The stand-in is a real program that has promptfoo's command line: it asks the provider,
keeps its rows in its folder, and can be killed and go on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from dspex import ChatAdapter, make_signature
from tests.benchmarks import compared
from tests.benchmarks.compared import Comparison, FailedError, Sizes
from tests.benchmarks.compared_contestants import (
    QUESTION,
    Contestant,
    Inspect,
    Library,
    Order,
    Promptfoo,
    messages,
    told_of_log,
)
from tests.benchmarks.compared_process import Job, run
from tests.benchmarks.compared_table import table

STAND_IN = r"""
import http.client, json, os, re, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

home = Path(os.environ["PROMPTFOO_CONFIG_DIR"])
config, rows = home / "promptfooconfig.json", home / "rows"

def outcome(job, row):
    provider = job["providers"][0]["config"]
    url = urlsplit(provider["apiBaseUrl"])
    line = http.client.HTTPConnection(url.hostname, url.port)
    asked = job["prompts"][0].replace("{{question}}", row["question"])
    body = json.dumps({"model": "gpt-4o-mini", "messages": json.loads(asked)})
    line.request("POST", url.path + "/chat/completions", body)
    answered = json.loads(line.getresponse().read())
    text = answered["choices"][0]["message"]["content"]
    every = re.search(r"% (\d+)", job["defaultTest"]["assert"][0]["value"])
    if every and int(row["question"][1:]) % int(every[1]) == 0:
        found = {"error": "the metric has a bug\nat line 1"}
    else:
        found = {"success": text == row["answer"]}
    # Before the next question is asked, and in one piece.
    with rows.open("ab", buffering=0) as file:
        file.write(json.dumps({**row, **found}).encode() + b"\n")

def evaluate(workers, done):
    if not done:
        rows.write_bytes(b"")
    job = json.loads(config.read_text())
    left = [test["vars"] for test in job["tests"]]
    left = [row for row in left if row["question"] not in done]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda row: outcome(job, row), left))

def kept():
    return [json.loads(line) for line in rows.read_text().splitlines()]

match sys.argv[1:]:
    case ["--version"]:
        print("stand-in", "9.9")
    case ["eval", "-c", _, "-j", workers, *_]:
        evaluate(int(workers), set())
    case ["eval", "--resume", "-j", workers, *_]:
        evaluate(int(workers), {row["question"] for row in kept()})
    case ["export", "eval", "latest", "-o", path]:
        good = sum(row.get("success", False) for row in kept())
        stats = {"successes": good, "failures": len(kept()) - good, "errors": 0}
        results = {"stats": stats, "results": kept()}
        Path(path).write_text(json.dumps({"results": results}))
    case others:
        sys.exit(f"what is {others}?")
"""

SIZES = Sizes(
    examples=20,
    workers=4,
    latency=0.0,
    repeat=1,
    killed_of=24,
    killed_after=9,
    killed_latency=0.02,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    program = tmp_path / "node_modules/.bin/promptfoo"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable} -I{STAND_IN}", encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def test_the_command_tells_what_dspex_says_of_failures_and_who_is_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    compared.main(["--sections", "failing", "--json"])

    figures = json.loads(capsys.readouterr().out)
    assert figures["failing"]["dspex"]["score"] == 80.0
    assert "20 failed by metric (ValueError)" in figures["failing"]["dspex"]["says"]
    assert figures["failing"]["dspex"]["requests"] == 100
    assert figures["left_out"] == compared.OPTIONS


def test_each_section_measures_a_foreign_program(folder: Path) -> None:
    comparison = Comparison([Promptfoo(str(folder))], SIZES)

    imported = comparison.importing()["promptfoo"]
    evaluated = comparison.evaluating()["promptfoo"]
    failed = comparison.failing()["promptfoo"]

    assert imported["version"] == "9.9"
    assert imported["cpu_s"] > 0
    assert evaluated.keys() >= {"cpu_start_s", "cpu_ms", "cpu_ms_range", "wall_s"}
    assert failed["score"] == 80.0
    assert failed["says"] == (
        "80 passed, 20 failed, 0 errors, 100 rows, "
        "the first error: the metric has a bug"
    )


def test_the_bill_of_a_killed_program_has_both_of_its_lives(
    folder: Path,
) -> None:
    told = Comparison([Promptfoo(str(folder))], SIZES).killed()["promptfoo"]

    assert told["score"] == 100.0
    assert SIZES.killed_after <= told["before"] < SIZES.killed_of
    # What was under way is asked again, and nothing else.
    again = told["requests"] - SIZES.killed_of
    assert 0 <= told["answered_twice"] <= again <= SIZES.workers


def test_a_program_that_fails_costs_the_others_nothing() -> None:
    good, bad = Library("dspex", ""), Promptfoo("")

    def measure(it: Contestant) -> dict[str, float]:
        if it is bad:
            raise FailedError("exit status 1: no such model")
        return {"cpu_s": 1.0}

    found = compared.paired([bad, good], 2, measure)

    assert found == {
        "promptfoo": {"error": "exit status 1: no such model"},
        "dspex": {"cpu_s": 1.0, "cpu_s_range": [1.0, 1.0]},
    }


def test_figures_are_medians_without_the_first_round() -> None:
    times = iter([9.0, 1.0, 5.0, 2.0])

    found = compared.paired([Promptfoo("")], 3, lambda _: {"cpu_s": next(times)})

    assert found["promptfoo"] == {"cpu_s": 2.0, "cpu_s_range": [1.0, 5.0]}


class OneWrong(Promptfoo):
    """Expects an answer that the provider does not give."""

    def config(self, order: Order) -> dict[str, Any]:
        config = super().config(order)
        config["tests"][0]["vars"]["answer"] = "another"
        return config


def test_a_wrong_score_is_no_figure(folder: Path) -> None:
    found = Comparison([OneWrong(str(folder))], SIZES).evaluating()

    assert found["promptfoo"] == {
        "error": "score 95.0: 19 passed, 1 failed, 0 errors, 20 rows"
    }


def test_a_result_that_cannot_be_read_is_not_the_one_before(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "export.json").write_text("{}", encoding="utf-8")

    told = Promptfoo(str(folder)).told(tmp_path, "no space left")

    assert told == {"score": None, "says": "no result: no space left"}


def test_who_takes_too_long_is_killed() -> None:
    waits = Job(words=[sys.executable, "-c", "import signal; signal.pause()"])

    assert run(waits, 0.1).code == -9


def test_those_who_are_given_the_prompt_get_the_one_that_dspex_makes() -> None:
    signature = make_signature("question -> answer")
    made = ChatAdapter().format(signature, [], {"question": "q7"})

    given = [turn["content"].replace(QUESTION, "q7") for turn in messages()]

    assert given == [turn.content for turn in made]


def test_inspect_ai_goes_on_with_its_last_log(tmp_path: Path) -> None:
    inspect = Inspect("python")
    order = Order(base_url="http://127.0.0.1:1/v1", examples=3)
    (tmp_path / "logs").mkdir()
    for name in ("2026-11-02_b.eval", "2026-11-01_a.eval"):
        (tmp_path / "logs" / name).touch()

    job = inspect.going_on(order, tmp_path)

    assert list(job.words[1:5]) == [
        *("-m", "inspect_ai", "eval-retry"),
        str(tmp_path / "logs/2026-11-02_b.eval"),
    ]


def test_inspect_ais_log_tells_the_score_of_those_that_completed() -> None:
    failed = {"error": {"message": "ValueError('a bug')"}}
    scores = [{"metrics": {"accuracy": {"value": 1.0}, "stderr": {"value": 0.0}}}]
    results = {"total_samples": 2, "completed_samples": 1, "scores": scores}

    told = told_of_log(
        {"status": "success", "results": results, "samples": [{}, failed]}
    )

    assert told == {
        "score": 100.0,
        "says": "success, 1 of 2 samples completed, 1 with an error, the first: "
        "ValueError('a bug')",
    }


def test_the_table_has_a_column_for_each_and_says_who_is_left_out() -> None:
    told = {
        "requests": 216,
        "answered_twice": 3,
        "says": "100.0 (a|b)\n  and more",
        "score": 100.0,
    }
    figures = {
        "importing": {
            "dspex": {"cpu_s": 0.5, "wall_s": 1.0, "version": "0.1.0"},
            "dspy": {"error": "no such module"},
        },
        "killed": {"dspex": told, "dspy": {"error": "no answer"}},
        "load_before": 1.0,
        "load_after": 2.0,
        "left_out": {"promptfoo": "--promptfoo"},
    }

    lines = table(figures, ["dspex", "dspy"]).splitlines()

    assert lines == [
        "| what | dspex 0.1.0 | DSPy |",
        "| --- | --- | --- |",
        "| load it and leave: CPU time (wall) | 0.50 s (1.00 s) | failed |",
        "| requests on the bill after `kill -9` and going on | 216 | failed |",
        "| of these, answered before and asked again | 3 | failed |",
        "| what the result says then | 100.0 (a/b) and more | failed |",
        "",
        "load: 1.0, 2.0",
        "left out: promptfoo; name it with --promptfoo",
    ]
