"""`dspex runs`, `show`, `report`, `export`, `resume` on optimisers' studies."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dspex
from dspex.cli.console import Exit
from dspex.core.home import home
from dspex.evaluate.record.head import RunHead
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.teleprompt import BootstrapFewShotWithRandomSearch
from dspex.testing import FakeProvider, ScriptedTask
from tests.cli.conftest import Run
from tests.unit.teleprompt.studies import candidate, candidates, recorded

PARTS = ("0.score", "1.score", "2.score")


@pytest.fixture
def tuning() -> str:
    """A study of three candidates, the second of which is the best."""
    recorded(home(), candidates(40.0, 80.0, None), parts=PARTS)
    return "tuning"


def kept() -> set[str]:
    return {path.name.removesuffix(".sqlite") for path in (home() / "runs").iterdir()}


def test_what_an_optimiser_did_is_told_from_its_record(run: Run) -> None:
    task = ScriptedTask(seed=1, train=4, dev=4)
    with FakeProvider(answer=task.answer) as provider, dspex.Runtime():
        key = "sk-a-key-of-nobody"
        lm = dspex.LM("openai/fake", api_base=provider.base_url, api_key=key)
        how = BootstrapFewShotWithRandomSearch(task.metric, num_candidate_programs=1)
        with dspex.context(lm=lm):
            how.compile(
                dspex.Predict("question -> answer"), trainset=task.trainset, run="real"
            )
        calls = len(provider.bill)

    listed, told = run("runs").stdout, run("show", "real").stdout
    plain = json.loads(run("show", "real", "--json").stdout)
    (line,) = json.loads(run("runs", "--json").stdout)

    assert [each.split()[0] for each in listed.splitlines()] == ["run", "real"]
    assert "BootstrapFewShotWithRandomSearch: 4 candidates; chosen: " in told
    assert "program   Predict (question -> answer)" in told
    assert "rows      trainset 4" in told
    assert how.study is not None
    assert (line["score"], line["candidates"]) == (
        plain["candidates"][plain["best"]]["score"],
        4,
    )
    assert plain["calls"] == calls
    assert plain["searched"]["metrics"] == ["exact_match('answer')"]
    assert key not in listed + told + json.dumps(plain)


def test_a_study_is_one_line_and_its_parts_are_shown_when_asked_for(
    run: Run, tuning: str
) -> None:
    told, whole = run("runs").stdout, run("runs", "--parts").stdout

    (line,) = told.splitlines()[1:]
    assert line.split()[:6] == [
        "tuning",
        "COPRO",
        "complete",
        "80.0",
        "3",
        "candidates",
    ]
    names = {each.split()[0] for each in whole.splitlines()[1:]}
    assert names == {"tuning", *(f"tuning.{name}" for name in PARTS)}


def test_a_limit_opens_no_more_than_it_needs(run: Run, tuning: str) -> None:
    recorded(home(), candidates(1.0), run="older", parts=PARTS)
    recorded(home(), candidates(1.0), run="newer", parts=PARTS)
    runs = {name: home() / "runs" / f"{name}.sqlite" for name in kept()}
    for written, begin in enumerate(("older", "tuning", "newer")):
        for name, path in runs.items():
            if name.startswith(begin):
                # Opening it makes it private again.
                path.chmod(0o640)
                os.utime(path, (written, written))

    lines = run("runs", "--limit", "2").stdout.splitlines()

    opened = {
        name for name, path in runs.items() if path.stat().st_mode & 0o777 == 0o600
    }
    assert [line.split()[0] for line in lines[1:]] == ["newer", "tuning"]
    assert opened == {name for name in runs if not name.startswith("older")}


def test_a_run_that_only_is_named_like_a_part_is_none(run: Run, tuning: str) -> None:
    head = RunHead(run="tuning.mine", created=1.0, version="0.1", total=1)
    RunRecord.create(RunPlace(run=head.run, home=home()), head).close("complete")

    found = {line["run"]: line for line in json.loads(run("runs", "--json").stdout)}

    assert found.keys() == {"tuning", "tuning.mine"}
    assert sorted(found["tuning"]["parts"]) == [f"tuning.{name}" for name in PARTS]


def test_a_part_whose_study_is_gone_is_listed(run: Run, tuning: str) -> None:
    (home() / "runs" / "tuning.sqlite").unlink()

    assert len(run("runs").stdout.splitlines()) == 1 + len(PARTS)


def test_a_study_is_deleted_with_its_parts(run: Run, tuning: str) -> None:
    recorded(home(), candidates(1.0), run="other", parts=["0.score"])

    done = run("runs", "delete", "tuning", "--yes")

    assert done.stdout.startswith("deleted tuning and its 3 runs (")
    assert kept() == {"other", "other.0.score"}


def test_a_part_is_deleted_alone_when_it_is_named(run: Run, tuning: str) -> None:
    done = run("runs", "delete", "tuning.1.score", "--yes")

    assert done.exit_code == 0
    assert kept() == {"tuning", "tuning.0.score", "tuning.2.score"}


def test_an_old_part_stays_as_long_as_its_study(run: Run, tuning: str) -> None:
    os.utime(home() / "runs" / "tuning.0.score.sqlite", (0, 0))

    young = run("runs", "delete", "--older-than", "1d", "--yes")
    for name in kept():
        os.utime(home() / "runs" / f"{name}.sqlite", (0, 0))
    old = run("runs", "delete", "--older-than", "1d", "--yes")

    assert "nothing to delete" in young.stdout
    assert old.stdout.count("deleted") == 1
    assert kept() == set()


def test_a_study_at_work_is_left_alone_with_all_its_parts(run: Run) -> None:
    owner = recorded(home(), candidates(1.0), parts=PARTS, ended=None)

    done = run("runs", "delete", "tuning", "--yes")

    assert done.exit_code == Exit.BUSY
    assert {f"tuning.{name}" for name in PARTS} < kept()
    assert json.loads(run("runs", "--json").stdout)[0]["state"] == "running"
    del owner


def test_of_a_study_the_scores_the_origins_and_the_winner_are_shown(
    run: Run, tuning: str
) -> None:
    told = run("show", tuning).stdout

    assert told.startswith("COPRO: 3 candidates; chosen: wording 1 (80.0); ")
    assert "* 1  80.0  ██" in told
    assert "  2     -  " in told
    assert "  1  asked for in round 1" in told
    assert "instruction  Wording 1." in told
    assert "demo 0       country='Peru', capital='Lima'" in told
    assert "to go on" not in told


def test_a_study_that_is_not_done_says_how_to_go_on(run: Run) -> None:
    recorded(home(), candidates(40.0), ended="interrupted")
    line = "COPRO(...).compile(..., run='tuning')"

    told, resumed = run("show", "tuning").stdout, run("resume", "tuning")

    assert told.splitlines()[-1] == f"to go on: {line}"
    assert resumed.exit_code == Exit.USAGE
    assert line in resumed.stderr


def test_a_study_whose_budget_is_used_up_wants_a_larger_one(run: Run) -> None:
    recorded(home(), candidates(40.0), ended="budget")

    told = run("show", "tuning").stdout

    assert ", budget used up; " in told.splitlines()[0]
    assert "to go on, with a larger budget: COPRO(" in told


def test_a_study_is_drawn_for_a_terminal_that_has_ascii_alone(
    tuning: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    words = [sys.executable, "-m", "dspex", "show", tuning]

    subprocess.run(
        words, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=True, timeout=60
    )

    told = capfdbinary.readouterr().out.decode("ascii")
    assert "* 1  80.0  ##########" in told
    assert "\\u" not in told


def test_a_study_that_is_done_has_nothing_to_go_on_with(run: Run, tuning: str) -> None:
    done = run("resume", tuning)

    assert done.exit_code == Exit.USAGE
    assert "it is done" in done.stderr


def test_a_candidate_is_shown_in_full(run: Run) -> None:
    first = candidate(0, 40.0)
    made = candidate(1, 80.0, parents=(0,), facts={"seed": 7}, run="tuning.1.score")
    recorded(home(), [first, made])

    told = run("show", "tuning", "--candidate", 1).stdout
    (plain,) = json.loads(run("show", "tuning", "--candidate", 1, "--json").stdout)

    assert told.splitlines()[0] == "candidate 1, the winner: wording 1"
    assert "parents    0 (wording 0)" in told
    assert "seed       7" in told
    assert "dspex show tuning.1.score" in told
    assert "instruction  Wording 1." in told
    assert plain["state"] == made.state


def test_what_a_model_wrote_steers_no_terminal(run: Run) -> None:
    evil = candidate(0, 1.0, label="\x1b[2J\nred", origin="\x1b[31m")
    evil.state["signature"]["instructions"] = "\x1b[31mName it."
    recorded(home(), [evil])

    for words in (["show", "tuning"], ["show", "tuning", "--candidate", "0"]):
        told = run(*words).stdout
        assert "\x1b" not in told
        assert r"\x1b[31m" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "tuning", "--example", "1"], "--candidate N"),
        (["show", "tuning", "--failed"], "--candidate N"),
        (["show", "tuning", "--candidate", "9"], "the study has: 0, 1, 2"),
        (["show", "tuning.0.score", "--candidate", "1"], "--example N"),
        (["compare", "tuning", "tuning"], "load_study"),
        (["resume", "nobody"], "nobody"),
    ],
)
def test_what_does_not_apply_is_refused_with_what_does(
    run: Run, tuning: str, words: list[str], said: str
) -> None:
    done = run(*words)

    assert done.exit_code == Exit.USAGE
    assert said in done.stderr


def test_candidates_as_files(run: Run, tuning: str, tmp_path: Path) -> None:
    for name in ("tuning.csv", "tuning.jsonl"):
        assert run("export", tuning, "-o", tmp_path / name).exit_code == 0

    lines = (tmp_path / "tuning.jsonl").read_text("utf-8").splitlines()
    with (tmp_path / "tuning.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [json.loads(line)["score"] for line in lines] == [40.0, 80.0, None]
    assert [json.loads(line)["chosen"] for line in lines] == [False, True, False]
    assert [row["instruction.self"] for row in rows][1] == "Wording 1."
    assert [row["demos"] for row in rows] == ["1", "1", "1"]


def test_a_spreadsheet_takes_no_candidate_for_a_formula(
    run: Run, tmp_path: Path
) -> None:
    recorded(home(), [candidate(0, 1.0, label="=1+1")])

    run("export", "tuning", "-o", tmp_path / "safe.csv")
    run("export", "tuning", "-o", tmp_path / "raw.csv", "--raw")

    assert "'=1+1" in (tmp_path / "safe.csv").read_text("utf-8")
    assert "'=1+1" not in (tmp_path / "raw.csv").read_text("utf-8")


def test_a_page_of_a_study(run: Run, tuning: str, tmp_path: Path) -> None:
    done = run("report", tuning, "-o", tmp_path / "tuning.html", "--rows", 2)

    page = (tmp_path / "tuning.html").read_text("utf-8")
    assert done.exit_code == 0
    assert "<title>tuning" in page
    assert "chosen: wording 1" in page
    assert "Wording 1." in page
    assert "1 more candidates" in page
