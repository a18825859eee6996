"""`dspex evaluate` against a provider on loopback."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dspex.cli.console import Exit
from dspex.testing import WRONG_KEY, FakeProvider
from tests.cli.conftest import Run

EXACT = ("--metric", "exact_match:capital")

CODE = """
import dspex

class Capital(dspex.Program):
    def __init__(self):
        self.find = dspex.Predict("country -> capital")

    def forward(self, country):
        return self.find(country=country)

program = Capital()

def plain(country):
    return dspex.Prediction(capital={"Peru": "Lima"}[country])

def lenient(example, prediction):
    return 0.5

def words(example, prediction):
    return {"words": dspex.metrics.f1("capital")(example, prediction), "of": 1}

def number_of(example, prediction):
    return 3

several = {"lenient": lenient, "words": words}
number = 3
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the module `my_code` in it, which is the current folder."""
    (tmp_path / "my_code.py").write_text(CODE)
    (tmp_path / "my_broken_code.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in ("my_code", "my_broken_code"):
        sys.modules.pop(name, None)


def test_the_score_is_told_with_what_it_covers(
    run: Run, there: tuple[str, ...], capitals: Path
) -> None:
    done = run("evaluate", "country -> capital", "--data", capitals, *EXACT, *there)

    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("75.0 ± 25.0 (4 examples)\n95 % interval: 30.1 to")
    assert "4 calls" in done.stdout
    assert "below full score: 1 of 4" in done.stdout
    assert "expected  capital='Oslo'" in done.stdout
    assert "answered  capital='Copenhagen'" in done.stdout
    assert done.stderr == ""


def test_json_holds_the_numbers_and_nothing_else(
    run: Run, there: tuple[str, ...], capitals: Path
) -> None:
    words = ["--data", capitals, *EXACT, *there, "--json"]

    found = json.loads(run("evaluate", "country -> capital", *words).stdout)

    assert found["score"] == 75.0
    assert found["n"] == found["calls"] == 4
    assert found["complete"] is True
    assert found["failures"] == found["not_measured"] == {}
    assert found["model"] == "openai/fake"
    assert 0 < found["interval"][0] < found["score"] < found["interval"][1] < 100


@pytest.mark.parametrize(("percent", "code"), [(75, Exit.OK), (75.1, Exit.FAILED)])
def test_a_score_below_what_is_asked_for_fails(
    percent: float,
    code: Exit,
    run: Run,
    there: tuple[str, ...],
    capitals: Path,
) -> None:
    words = ["--data", capitals, *EXACT, *there, "--fail-under", percent, "--json"]

    done = run("evaluate", "country -> capital", *words)

    assert done.exit_code == code
    assert json.loads(done.stdout)["score"] == 75.0
    assert ("below --fail-under" in done.stderr) == (code is Exit.FAILED)


@pytest.mark.parametrize("percent", ["nan", "inf", "-inf", "high"])
def test_what_no_score_can_be_is_no_bound_for_one(
    percent: str, run: Run, there: tuple[str, ...], capitals: Path
) -> None:
    words = ["--data", capitals, *EXACT, *there, f"--fail-under={percent}"]

    assert run("evaluate", "country -> capital", *words).exit_code == Exit.USAGE


def test_a_score_that_may_turn_out_too_low_fails(
    run: Run, there: tuple[str, ...], capitals: Path, code: Path
) -> None:
    words = ["my_code:plain", capitals, "--inputs", "country", *EXACT, *there]
    range_and_bound = ["--metric-range", -1, 1, "--fail-under", 0]

    # Nothing is measured: 0.0 as far as anybody knows, and -100 at worst.
    done = run("evaluate", *words, *range_and_bound, "--total-timeout", 1e-6)

    assert done.exit_code == Exit.FAILED
    assert "may turn out to be -100" in done.stderr
    assert "dspex resume" in done.stderr


def test_a_score_without_bounds_is_json_all_the_same(
    run: Run, there: tuple[str, ...], capitals: Path, code: Path
) -> None:
    words = ["my_code:plain", capitals, "--inputs", "country", *EXACT, *there]
    unbound = ["--metric-range", "-inf", "inf", "--total-timeout", 1e-6, "--json"]

    found = json.loads(run("evaluate", *words, *unbound).stdout)

    assert found["score_range"] == [None, None]
    assert found["score_at_best"] is None


def test_scores_lie_where_the_metric_range_says(
    run: Run, there: tuple[str, ...], capitals: Path, code: Path
) -> None:
    words = ["my_code:plain", capitals, "--inputs", "country", "--limit", 1, *there]
    metric = ["--metric", "my_code:number_of", "--run", "wide"]

    without = run("evaluate", *words, "--metric", "my_code:number_of")
    wide = run("evaluate", *words, *metric, "--metric-range", 0, 5)
    again = run("resume", "wide")

    assert "MetricRangeError" in without.stdout
    assert wide.stdout.startswith("300.0 (1 examples)")
    assert again.stdout.startswith("300.0 (1 examples)"), again.output


def test_debugging_knows_range_and_trials(
    run: Run, there: tuple[str, ...], capitals: Path, code: Path
) -> None:
    words = ["my_code:plain", capitals, "--inputs", "country", "--limit", 1, *there]
    options = ["--metric", "my_code:number_of", "--metric-range", 0, 5, "--trials", 2]

    told = run("evaluate", *words, *options, "--debug")

    assert told.exit_code == 0, told.output
    assert "example 0: score 3" in told.stdout
    assert "example 0, trial 1: score 3" in told.stdout


@pytest.mark.parametrize("ends", [(1, 0), (1, 1), ("nan", 1)])
def test_what_is_no_range_of_scores_is_usage(
    ends: tuple[object, object], run: Run, there: tuple[str, ...], capitals: Path
) -> None:
    words = ["country -> capital", capitals, *EXACT, *there]

    done = run("evaluate", *words, "--metric-range", *ends)

    assert done.exit_code == Exit.USAGE
    assert "is no range of scores" in " ".join(done.stderr.split())


def test_a_rehearsal_counts_every_trial(
    run: Run, provider: FakeProvider, there: tuple[str, ...], capitals: Path
) -> None:
    words = ["country -> capital", capitals, *EXACT, *there, "--trials", 3]

    found = json.loads(run("evaluate", *words, "--dry-run", "--json").stdout)

    assert (found["examples"], found["trials"], found["calls"]) == (4, 3, 12)
    assert not provider.bill


def test_limit_takes_the_first_rows(
    run: Run, there: tuple[str, ...], capitals: Path
) -> None:
    words = ["--data", capitals, *EXACT, *there, "--limit", 2]

    done = run("evaluate", "country -> capital", *words)

    assert done.stdout.startswith("100.0 ± 0.0 (2 examples)")


@pytest.mark.parametrize("name", ["my_code:program", "my_code:Capital"])
def test_a_program_of_the_users_own(
    name: str, run: Run, there: tuple[str, ...], capitals: Path, code: Path
) -> None:
    words = ["--data", capitals, "--inputs", "country", *EXACT, *there]

    done = run("evaluate", name, *words)

    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("75.0 ± 25.0 (4 examples)")


def test_a_plain_function_whose_errors_are_kept_with_their_examples(
    run: Run, there: tuple[str, ...], capitals: Path, code: Path
) -> None:
    words = ["--data", capitals, "--inputs", "country", *EXACT, *there]

    done = run("evaluate", "my_code:plain", *words)

    assert done.stdout.startswith("25.0 ± 25.0 (4 examples)")
    assert "3 failed by program (KeyError), first example 1" in done.stdout


def test_a_metric_of_the_users_own(
    run: Run, there: tuple[str, ...], capitals: Path, code: Path
) -> None:
    words = ["--data", capitals, *there, "--metric", "my_code:lenient"]

    done = run("evaluate", "country -> capital", *words)

    assert done.stdout.startswith("50.0 ± 0.0 (4 examples)")


def test_several_metrics_of_the_users_own_are_columns(
    run: Run, there: tuple[str, ...], capitals: Path, code: Path
) -> None:
    words = ["--data", capitals, *there, "--metric", "my_code:several"]

    shown = run("evaluate", "country -> capital", *words)
    told = run("evaluate", "country -> capital", *words, "--json")

    assert "lenient 50.0, words" in shown.stdout
    assert json.loads(told.stdout)["columns"]["lenient"] == 50.0


def test_words_in_common_are_a_metric(
    run: Run, there: tuple[str, ...], capitals: Path
) -> None:
    words = ["--data", capitals, *there, "--metric", "f1:capital", "--limit", 2]

    done = run("evaluate", "country -> capital", *words)

    assert done.stdout.startswith("100.0 ± 0.0 (2 examples)")


@pytest.mark.parametrize(
    ("program", "metric", "said"),
    [
        ("no_such_module:program", "exact_match:capital", "no module"),
        ("my_code:progam", "exact_match:capital", "Did you mean 'program'?"),
        ("my_code:number", "exact_match:capital", "expected something to call"),
        ("my_code:program", "my_code:number", "expected a function"),
        ("my_code:program", "exactmatch", "names no metric"),
        ("my_code:program", "exact_match", "names no metric"),
        ("my_code:program", "exact_match:capitol", "the columns are"),
        ("my_code:program", "exactmatch:capital", "mean 'exact_match:capital'?"),
        ("my_code:program", "my_code.py:words", "Write my_code:words."),
        ("my_code.py:program", "exact_match:capital", "Write my_code:program."),
        ("./my_code.py:program", "exact_match:capital", "Write my_code:program."),
        ("code/mine.py", "exact_match:capital", "Write code.mine:program."),
        ("../my_code.py", "exact_match:capital", "Change into its folder, and write"),
        ("my_code", "exact_match:capital", "or as my_code:program"),
    ],
)
def test_what_is_not_there_is_usage(
    program: str,
    metric: str,
    said: str,
    run: Run,
    there: tuple[str, ...],
    capitals: Path,
    code: Path,
) -> None:
    words = ["--data", capitals, "--inputs", "country", "--metric", metric, *there]

    done = run("evaluate", program, *words)

    assert done.exit_code == Exit.USAGE
    assert said in done.stderr
    assert done.stdout == ""


def test_a_program_of_the_users_own_does_not_say_its_inputs(
    run: Run, there: tuple[str, ...], capitals: Path, code: Path
) -> None:
    done = run("evaluate", "my_code:program", "--data", capitals, *EXACT, *there)

    assert done.exit_code == Exit.USAGE
    assert "--inputs" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f():\n    return 1 / 0\n\n\nf()\n", 'my_broken_code.py", line 5, in'),
        ("def f(:\n", 'my_broken_code.py", line 1\n    def f(:'),
        ("import no_such_module\n", "line 1, in <module>\n    import no_such_module"),
    ],
)
def test_it_is_shown_where_a_module_raised_and_nothing_of_ours(
    text: str, said: str, run: Run, capitals: Path, code: Path
) -> None:
    (code / "my_broken_code.py").write_text(text)

    done = run("evaluate", "my_broken_code:x", "--data", capitals, *EXACT)

    assert done.exit_code == Exit.FAILED
    assert said in done.stderr
    assert "importlib" not in done.stderr
    assert "programs.py" not in done.stderr


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        # Left alone, a script that ends so would pass for a good score.
        ("import sys\nsys.exit(0)\n", "x", "ended with exit(0)"),
        (
            "class Mine:\n    def __init__(self, lm): ...\n",
            "Mine",
            "making a Mine raised TypeError",
        ),
    ],
    ids=["a module that exits", "a class that needs an argument"],
)
def test_code_that_gives_no_program_is_told(
    text: str, name: str, said: str, run: Run, capitals: Path, code: Path
) -> None:
    (code / "my_broken_code.py").write_text(text)

    done = run("evaluate", f"my_broken_code:{name}", "--data", capitals, *EXACT)

    assert (done.exit_code, said in done.stderr) == (Exit.FAILED, True)


def test_traceback_shows_where_an_error_came_from_that_was_put_into_words(
    run: Run, capitals: Path, code: Path
) -> None:
    words = ("evaluate", "my_broken_code:x", "--data", capitals, *EXACT)

    done = run(*words, "--traceback")

    assert "in _imported" in done.stderr
    assert done.exit_code == Exit.FAILED


def test_a_module_that_cannot_be_imported_is_told_with_its_error(
    run: Run, there: tuple[str, ...], capitals: Path, code: Path
) -> None:
    done = run("evaluate", "my_broken_code:x", "--data", capitals, *EXACT, *there)

    assert done.exit_code == Exit.FAILED
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", None, "there is no file"),
        ("rows.jsonl", '{"country": "Peru"}\n{oops\n', "line 2"),
        ("rows.jsonl", '{"country": "Peru"}\n{oops\n[]\n', "line 3"),
        ("rows.csv", "land,capital\nPeru,Lima\n", "there is no field 'country'"),
        ("rows.xls", "x", "suffix"),
    ],
)
def test_data_that_cannot_be_read_is_bad_data(
    name: str,
    content: str | None,
    said: str,
    run: Run,
    there: tuple[str, ...],
    tmp_path: Path,
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)

    done = run("evaluate", "country -> capital", "--data", path, *EXACT, *there)

    assert done.exit_code == Exit.BAD_DATA
    assert said in done.stderr


def test_a_wrong_key_stops_the_run_with_one_message(
    run: Run, provider: FakeProvider, there: tuple[str, ...], capitals: Path
) -> None:
    provider.misbehave(WRONG_KEY)
    words = ["--data", capitals, *EXACT, *there, "--concurrency", 1]

    done = run("evaluate", "country -> capital", *words)

    assert done.exit_code == Exit.CONFIGURATION
    assert len(provider.bill) == 1
    assert "Traceback" not in done.stderr


def test_too_many_errors_fail_and_show_what_was_measured(
    run: Run, there: tuple[str, ...], capitals: Path, code: Path
) -> None:
    words = ["--data", capitals, "--inputs", "country", *EXACT, *there]
    limits = ["--max-errors", 2, "--concurrency", 1, "--json"]

    done = run("evaluate", "my_code:plain", *words, *limits)

    assert done.exit_code == Exit.FAILED
    # One more may be at work when the second is counted.
    assert json.loads(done.stdout)["failures"]["program"] in (2, 3)
    assert "max_errors" in done.stderr


def test_a_share_of_failures_and_no_limit_are_limits_too(
    run: Run, there: tuple[str, ...], capitals: Path, code: Path
) -> None:
    words = ["evaluate", "my_code:plain", capitals, "--inputs", "country", *EXACT]

    for limit in ("none", "50%", "0.5"):
        assert run(*words, *there, "--max-errors", limit).exit_code == 0


@pytest.mark.parametrize("limit", ["0", "1.5", "many", "0%", "100%", "nan", "-1"])
def test_what_is_no_limit_of_failures_is_usage(
    limit: str, run: Run, there: tuple[str, ...], capitals: Path
) -> None:
    words = ["country -> capital", capitals, *EXACT, *there]

    done = run("evaluate", *words, f"--max-errors={limit}")

    assert done.exit_code == Exit.USAGE
    assert "Write a count such as 10" in " ".join(done.stderr.split())


def test_trials_measure_each_example_again(
    run: Run, provider: FakeProvider, there: tuple[str, ...], capitals: Path
) -> None:
    words = ["country -> capital", capitals, *EXACT, *there, "--trials", 2]

    told = run("evaluate", *words)

    assert told.stdout.startswith("75.0 ± 25.0 (4 examples, 2 trials each)")
    assert "below full score: 2 of 8" in told.stdout
    assert len(provider.bill) == 8


def test_program_and_metric_in_processes_of_their_own(
    run: Run, there: tuple[str, ...], capitals: Path, code: Path
) -> None:
    words = ["my_code:program", capitals, "--inputs", "country", *there]

    done = run(
        "evaluate", *words, "--metric", "my_code:lenient", "--isolate", "process"
    )

    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("50.0")


def test_page_and_rows_are_written_with_the_result(
    run: Run, there: tuple[str, ...], capitals: Path, tmp_path: Path
) -> None:
    files = ["--report", tmp_path / "page.html", "--export", tmp_path / "rows.jsonl"]

    done = run("evaluate", "country -> capital", capitals, *EXACT, *there, *files)

    assert done.exit_code == 0
    assert "Denmark" in (tmp_path / "page.html").read_text("utf-8")
    assert len((tmp_path / "rows.jsonl").read_text("utf-8").splitlines()) == 4


def test_a_rehearsal_shows_the_prompt_and_asks_nobody(
    run: Run, provider: FakeProvider, there: tuple[str, ...], capitals: Path
) -> None:
    words = ["country -> capital", capitals, *EXACT, *there]

    told = run("evaluate", *words, "--dry-run")
    plain = json.loads(run("evaluate", *words, "--dry-run", "--json").stdout)

    assert provider.bill == ()
    assert "[[ ## country ## ]]\nPeru" in told.stdout
    assert "4 calls for 4 examples" in told.stdout
    assert (plain["calls"], plain["share_cached"]) == (4, 0.0)
    assert json.loads(run("runs", "--json").stdout) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "said twice, or not at all"),
        (["rows.csv", "--data", "rows.csv"], "said twice, or not at all"),
        (["rows.csv", "--resume"], "Add --run NAME"),
        (["rows.csv", "--run", "a", "--no-persist"], "Leave one of the two out"),
        (["rows.csv", "--example", "1"], "Add --debug"),
        (["rows.csv", "--debug", "--json"], "Leave those out"),
    ],
)
def test_options_that_make_no_sense_together_are_usage(
    words: list[str], said: str, run: Run, there: tuple[str, ...]
) -> None:
    done = run("evaluate", "country -> capital", *words, *EXACT, *there)

    assert done.exit_code == Exit.USAGE
    assert said in " ".join(done.stderr.split())
