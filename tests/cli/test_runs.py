"""`dspex runs`, `show`, `compare`, `report`, `export`, `resume` on recorded runs."""

from __future__ import annotations

import csv
import errno
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dspex
from dspex.cli.console import Exit
from dspex.cli.models import ModelChoice
from dspex.cli.order import Order, RunLimits
from dspex.core.home import home
from dspex.evaluate.record.head import RunHead
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.results.outcome import OutcomeKind
from dspex.testing import WRONG_KEY, FakeProvider
from tests.cli.conftest import Run
from tests.unit.evaluate.record.making import created, decided

ASKED = ("evaluate", "country -> capital")
EXACT = ("--metric", "exact_match:capital")

CODE = r"""
import dspex

KNOWN = {"Peru": "Lima", "China": "Beijing", "Angola": "Luanda"}

def good(country):
    return dspex.Prediction(capital=KNOWN.get(country, "\x1b[31mOslo"))

def bad(country):
    if country == "Peru":
        raise LookupError("no map")
    return dspex.Prediction(capital="?")
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the module `my_maps` in it, which is the current folder."""
    (tmp_path / "my_maps.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("my_maps", None)


@pytest.fixture
def asked(run: Run, there: tuple[str, ...], capitals: Path) -> str:
    """A run that asked a model; its last row, Denmark, is wrong."""
    done = run(*ASKED, capitals, *EXACT, *there, "--run", "asked")
    assert done.exit_code == 0, done.output
    return "asked"


@pytest.fixture
def maps(run: Run, capitals: Path, code: Path) -> tuple[str, str]:
    """Two runs without a model: `good` has all but Denmark right, `bad` nothing."""
    for name in ("good", "bad"):
        words = [f"my_maps:{name}", capitals, "--inputs", "country", *EXACT]
        done = run("evaluate", *words, "--run", name, "--model", "openai/none")
        assert done.exit_code == 0, done.output
    return "good", "bad"


def test_runs_are_listed_the_last_one_first(run: Run, maps: tuple[str, str]) -> None:
    told, plain = run("runs"), json.loads(run("runs", "--json").stdout)

    lines = told.stdout.splitlines()
    assert lines[0].split()[:4] == ["run", "kind", "state", "score"]
    assert [line.split()[0] for line in lines[1:]] == ["bad", "good"]
    assert lines[2].split()[2:8] == ["complete", "75.0", "4", "of", "4", "0"]
    assert [each["run"] for each in plain] == ["bad", "good"]
    assert plain[0]["scored"] == 3
    assert len(plain[0]["metrics"]) == 1


def test_without_a_run_the_list_says_how_to_begin_one(run: Run) -> None:
    assert "dspex evaluate begins one" in run("runs").stdout
    assert json.loads(run("runs", "--json").stdout) == []


def test_a_record_that_cannot_be_read_is_listed_as_such(
    run: Run, maps: tuple[str, str]
) -> None:
    (home() / "runs" / "broken.sqlite").write_bytes(b"no database" * 100)

    told = run("runs")

    assert told.exit_code == 0
    assert "unreadable" in told.stdout
    assert "good" in told.stdout


def test_what_was_broken_off_is_neither_measured_nor_failed(run: Run) -> None:
    record = created(home(), total=4)
    kinds = (OutcomeKind.PROGRAM, OutcomeKind.TIMEOUT, OutcomeKind.CANCELLED)
    failed = [decided(number, kind=kind) for number, kind in enumerate(kinds, 1)]
    record.commit([decided(0, 1.0), *failed])
    record.close("interrupted", {})

    told, (plain,) = run("runs").stdout, json.loads(run("runs", "--json").stdout)

    assert plain["measured"] == 2
    assert told.splitlines()[1].split()[4:8] == ["2", "of", "4", "1"]


def test_a_run_is_deleted_after_asking(run: Run, maps: tuple[str, str]) -> None:
    asked, done = run("runs", "delete", "bad"), run("runs", "delete", "bad", "--yes")

    assert asked.exit_code == 1
    assert "Delete these records?" in asked.stderr
    assert done.exit_code == 0
    assert done.stdout.startswith("deleted bad (")
    left = {path.name.partition(".")[0] for path in (home() / "runs").iterdir()}
    assert left == {"good"}


def test_old_runs_are_deleted_and_no_others(run: Run, maps: tuple[str, str]) -> None:
    for path in (home() / "runs").glob("good*"):
        os.utime(path, (0, 0))

    done = run("runs", "delete", "--older-than", "30d", "--yes")
    again = run("runs", "delete", "--older-than", "30d", "--yes")

    assert done.stdout.startswith("deleted good (")
    assert "nothing to delete" in again.stdout
    assert [each["run"] for each in json.loads(run("runs", "--json").stdout)] == ["bad"]


def test_a_run_that_somebody_works_on_is_not_deleted(
    run: Run, maps: tuple[str, str]
) -> None:
    record = RunRecord.open(RunPlace(run="good", home=home()), owner=True)
    for path in (home() / "runs").glob("good*"):
        os.utime(path, (0, 0))

    named = run("runs", "delete", "good", "--yes")
    old = run("runs", "delete", "--older-than", "1s", "--yes")

    record.close("interrupted", {})
    assert named.exit_code == Exit.BUSY
    assert "good" not in old.stdout
    assert (home() / "runs" / "good.sqlite").exists()


def test_of_several_none_is_deleted_when_somebody_works_on_one(
    run: Run, maps: tuple[str, str]
) -> None:
    record = RunRecord.open(RunPlace(run="good", home=home()), owner=True)
    # It is the last in the list.
    for path in (home() / "runs").glob("good*"):
        os.utime(path, (0, 0))

    done = run("runs", "delete", "bad", "good", "--yes")

    record.close("interrupted", {})
    assert done.exit_code == Exit.BUSY
    assert (home() / "runs" / "bad.sqlite").exists()


@pytest.mark.parametrize("words", [[], ["nosuch", "--yes"], ["--older-than", "soon"]])
def test_what_names_no_run_to_delete_is_usage(
    run: Run, maps: tuple[str, str], words: list[str]
) -> None:
    assert run("runs", "delete", *words).exit_code == Exit.USAGE
    assert len(json.loads(run("runs", "--json").stdout)) == 2


def test_an_unnamed_run_is_recorded_and_its_name_told(
    run: Run, there: tuple[str, ...], capitals: Path
) -> None:
    done = run(*ASKED, capitals, *EXACT, *there, "--json")
    name = json.loads(done.stdout)["run"]

    assert json.loads(run("show", name, "--json").stdout)["score"] == 75.0


def test_without_a_record_nothing_is_kept(
    run: Run, there: tuple[str, ...], capitals: Path
) -> None:
    done = run(*ASKED, capitals, *EXACT, *there, "--json", "--no-persist")

    assert json.loads(done.stdout)["run"] is None
    assert json.loads(run("runs", "--json").stdout) == []


def test_an_example_is_told_with_its_prompt_its_answer_and_its_time(
    run: Run, asked: str
) -> None:
    told = run("show", asked, "--example", 3)

    assert "example 3: score 0" in told.stdout
    assert "given\n    country: Denmark" in told.stdout
    assert "expected\n    capital: Oslo" in told.stdout
    assert "call 1 of openai/fake by Predict(country -> capital)" in told.stdout
    assert "[[ ## country ## ]]" in told.stdout
    assert "Copenhagen" in told.stdout.partition("  answer\n")[2]


def test_an_example_is_json_with_its_calls(run: Run, asked: str) -> None:
    [row] = json.loads(run("show", asked, "--example", 3, "--json").stdout)

    assert (row["number"], row["score"]) == (3, 0.0)
    assert row["trace"][0]["model"] == "openai/fake"
    assert [role for role, _ in row["trace"][0]["messages"]] == ["system", "user"]


def test_failures_are_told_with_their_error_and_place(
    run: Run, maps: tuple[str, str]
) -> None:
    failed = run("show", "bad", "--failed")
    wrong = json.loads(run("show", "bad", "--wrong", "--json").stdout)
    whole = run("show", "bad", "--example", 0)

    assert failed.stdout.splitlines() == [
        "  example 0: program",
        "    given     country='Peru'",
        "    expected  capital='Lima'",
        "    failed    LookupError in the program: no map",
    ]
    assert [row["number"] for row in wrong] == [1, 2, 3]
    assert 'my_maps.py", line' in whole.stdout


def test_nothing_a_program_says_can_steer_a_terminal(
    run: Run, maps: tuple[str, str]
) -> None:
    for words in (["good"], ["good", "--wrong"], ["good", "--example", 3]):
        told = run("show", *words)

        assert "\x1b" not in told.stdout
        assert r"\x1b[31m" in told.stdout


def test_of_a_run_there_is_the_summary(run: Run, maps: tuple[str, str]) -> None:
    assert run("show", "good").stdout.startswith("75.0 ± 25.0 (4 examples)")
    assert run("show", "good", "--failed").stdout == "there is none\n"


@pytest.mark.parametrize(
    "words",
    [
        ["show", "nobody"],
        ["report", "nobody", "-o", "a.html"],
        ["export", "nobody", "-o", "a.csv"],
        ["compare", "nobody", "nobody"],
        ["resume", "nobody"],
    ],
)
def test_a_run_that_is_not_there_is_usage(run: Run, words: list[str]) -> None:
    done = run(*words)

    assert done.exit_code == Exit.USAGE
    assert "nobody" in done.stderr


def test_an_example_that_is_not_there_is_usage(run: Run, maps: tuple[str, str]) -> None:
    done = run("show", "good", "--example", 4)

    assert done.exit_code == Exit.USAGE
    assert "Name one from 0 to 3" in done.stderr


def test_a_comparison_says_which_is_better(run: Run, maps: tuple[str, str]) -> None:
    told = run("compare", "good", "bad")
    found = json.loads(run("compare", "good", "bad", "--json").stdout)

    assert "bad" in told.stdout.splitlines()[0]
    assert (found["losses"], found["wins"], found["difference"]) == (3, 0, -75.0)
    assert [row["number"] for row in found["differing"]] == [0, 1, 2]


def test_a_comparison_fails_when_the_second_is_worse(
    run: Run, code: Path, tmp_path: Path
) -> None:
    data = tmp_path / "many.csv"
    data.write_text("country,capital\n" + "Peru,Lima\n" * 12)
    for name in ("good", "bad"):
        words = [f"my_maps:{name}", data, "--inputs", "country", *EXACT]
        named = ["--run", name, "--model", "openai/none", "--max-errors", "none"]
        assert run("evaluate", *words, *named).exit_code == 0

    worse = run("compare", "good", "bad", "--fail-if-worse")
    better = run("compare", "bad", "good", "--fail-if-worse")

    assert worse.exit_code == Exit.FAILED
    assert "bad is worse than good by 100.0 points" in worse.stderr
    assert better.exit_code == 0


@pytest.mark.parametrize(
    ("words", "end"),
    [
        (("good", "bad", "-5"), Exit.FAILED),
        (("good", "good", "0"), Exit.FAILED),
        (("bad", "good", "-150"), Exit.OK),
        (("bad", "good", "nan"), Exit.USAGE),
    ],
)
def test_a_comparison_fails_unless_the_second_is_better(
    run: Run, maps: tuple[str, str], words: tuple[str, str, str], end: Exit
) -> None:
    first, second, margin = words

    done = run("compare", first, second, f"--fail-unless-better={margin}")

    assert done.exit_code == end, done.output
    assert ("is not shown to be better" in done.stderr) == (end is Exit.FAILED)


def test_a_page_of_a_run_and_of_a_comparison(
    run: Run, maps: tuple[str, str], tmp_path: Path
) -> None:
    done = run("report", "good", "-o", tmp_path / "good.html")
    compared = run("compare", "good", "bad", "--report", tmp_path / "both.html")

    assert (done.exit_code, compared.exit_code) == (0, 0)
    assert "<title>good" in (tmp_path / "good.html").read_text("utf-8")
    assert "Denmark" in (tmp_path / "good.html").read_text("utf-8")
    assert "Peru" in (tmp_path / "both.html").read_text("utf-8")


def test_the_rows_of_a_run_as_files(
    run: Run, maps: tuple[str, str], tmp_path: Path
) -> None:
    for name in ("rows.csv", "rows.jsonl"):
        assert run("export", "good", "-o", tmp_path / name).exit_code == 0

    lines = (tmp_path / "rows.jsonl").read_text("utf-8").splitlines()
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [json.loads(line)["score"] for line in lines] == [1.0, 1.0, 1.0, 0.0]
    assert [row["example.country"] for row in rows][-1] == "Denmark"


@pytest.mark.parametrize(
    "words",
    [
        ("export", "good", "-o", "rows.csv"),
        ("report", "good", "-o", "page.html"),
        ("compare", "good", "bad", "--report", "page.html"),
    ],
)
def test_a_disk_that_is_full_is_told_as_such(
    run: Run,
    maps: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)

    done = run(*words)

    assert done.exit_code == Exit.RECORD, done.output
    assert "cannot be written: No space left" in done.stderr
    assert not Path(words[-1]).exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "x", "-o", "rows.txt"], "'rows.csv'"),
        (["report", "x", "-o", "page.pdf"], "'page.html'"),
        (["report", "x", "-o", "no/such/page.html"], "in a folder that exists"),
        ([*ASKED, "x.csv", *EXACT, "--export", "rows.txt"], "'rows.csv'"),
    ],
)
def test_a_file_that_could_not_be_written_is_refused_before_the_work(
    run: Run, words: list[str], said: str
) -> None:
    done = run(*words)

    assert done.exit_code == Exit.USAGE
    assert said in " ".join(done.stderr.split())


def test_a_run_goes_on_where_it_stopped_whatever_the_folder(
    run: Run,
    provider: FakeProvider,
    there: tuple[str, ...],
    capitals: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    provider.misbehave(WRONG_KEY, on=lambda billed: billed.number > 2)
    monkeypatch.chdir(capitals.parent)
    words = [*EXACT, *there, "--run", "broken", "--concurrency", 1]
    stopped = run(*ASKED, capitals.name, *words)
    before = len(provider.bill)
    provider.behave()

    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    again = run("resume", "broken", "--json", "--export", "rows.jsonl")

    assert stopped.exit_code == Exit.CONFIGURATION
    assert "dspex resume broken" in stopped.stderr
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["score"] == 75.0
    assert len(provider.bill) - before == 2
    assert len(Path("rows.jsonl").read_text("utf-8").splitlines()) == 4


def test_a_run_of_that_name_is_not_gone_on_with_by_accident(
    run: Run, there: tuple[str, ...], asked: str, capitals: Path
) -> None:
    words = [*ASKED, capitals, *EXACT, *there, "--run", asked]

    refused, went_on = run(*words), run(*words, "--resume")

    assert refused.exit_code == Exit.USAGE
    assert "Add --resume" in refused.stderr
    assert went_on.exit_code == 0
    assert went_on.stdout.startswith("75.0")


def test_a_run_that_changed_is_told_by_what(
    run: Run, there: tuple[str, ...], asked: str, capitals: Path
) -> None:
    words = ["evaluate", "country -> capital: str, reason", capitals, *EXACT, *there]

    done = run(*words, "--run", asked, "--resume")

    assert done.exit_code == Exit.CONFIGURATION
    assert "was begun as something else" in done.stderr


def test_a_run_that_python_began_says_how_to_go_on(run: Run) -> None:
    rows = dspex.load([{"n": 1}], inputs=["n"])
    with dspex.Runtime():
        dspex.Evaluate(devset=rows, metric=lambda *_: 1.0, run="mine")(lambda n: n)

    done = run("resume", "mine")

    assert done.exit_code == Exit.USAGE
    assert "Evaluate(..., run='mine')" in done.stderr


def test_a_run_that_somebody_works_on_is_busy(
    run: Run, there: tuple[str, ...], asked: str, capitals: Path
) -> None:
    record = RunRecord.open(RunPlace(run=asked, home=home()), owner=True)

    done = run("resume", asked, *there)

    record.close("interrupted", {})
    assert done.exit_code == Exit.BUSY


def test_no_key_is_in_the_record(
    run: Run,
    there: tuple[str, ...],
    capitals: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    words = [*ASKED, capitals, *EXACT, *there, "--api-key-env", "MY_KEY"]

    done = run(*words, "--run", "one")

    kept = b"".join(path.read_bytes() for path in (home() / "runs").iterdir())
    assert done.exit_code == 0
    assert b"sk-very-secret" not in kept
    assert b"MY_KEY" in kept


@pytest.mark.parametrize(
    "address", ["http://me:sk-secret@host/v1", "http://host/v1?key=sk-secret"]
)
def test_an_address_that_may_hold_a_password_is_not_kept(address: str) -> None:
    order = Order(
        program="a -> b",
        data=Path("rows.csv"),
        metric="exact_match:b",
        choice=ModelChoice(model="fake", api_base=address),
        limits=RunLimits(),
        folder=Path.cwd(),
    )

    assert "sk-secret" not in json.dumps(order.notes())


def head_of(name: str) -> RunHead:
    return RunRecord.open(RunPlace(run=name, home=home()), owner=False).head


def test_the_head_of_a_run_knows_what_was_ordered(asked: str, capitals: Path) -> None:
    told = head_of(asked).settings["notes"]["dspex evaluate"]

    assert told["program"] == "country -> capital"
    assert told["data"] == str(capitals)
    assert told["metric"] == "exact_match:capital"


def test_a_name_that_is_misspelt_is_told_with_the_one_that_was_meant(
    run: Run, capitals: Path, there: tuple[str, ...]
) -> None:
    metric = ("--metric", "exact_match:capital")
    run("evaluate", "country -> capital", capitals, *metric, *there, "--run", "first")

    close, far = run("show", "frist"), run("show", "another")

    assert close.stderr.endswith("Did you mean 'first'?\n")
    assert "Did you mean" not in far.stderr
    assert close.exit_code == far.exit_code == Exit.USAGE
