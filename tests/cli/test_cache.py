"""`dspex cache`, `dspex where` and `dspex purge`: what they show, delete and refuse."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dspex.cache.database import Database
from dspex.cache.entry import Absence, Entry
from dspex.cache.files import cache_file
from dspex.cli.console import Exit
from dspex.cli.main import main
from dspex.cli.units import size, span
from dspex.core.home import home
from dspex.core.lm import Reply
from tests.actors.cache_lab import answer, ask, entry
from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSPEX_HOME", str(tmp_path / "home"))


@pytest.fixture
def kept() -> Iterator[Database]:
    """Three answers, one of them three days old."""
    opened = Database(cache_file(home()))
    now = time.time()
    opened.write(
        [entry("a", now), entry("b", now - 1), entry("old", now - 3 * 86_400)],
        absences=[(ask("cut"), Absence.CUT_OFF)],
    )
    yield opened
    opened.close()


def test_without_a_file_everything_is_empty_and_nothing_is_made(run: Run) -> None:
    for words in (
        ["cache", "stats"],
        ["cache", "list"],
        ["cache", "prune", "--older-than", "1d"],
        ["cache", "clear"],
        ["cache", "export", "-"],
        ["cache", "explain", "0" * 64],
        ["where"],
        ["purge"],
    ):
        assert run(*words).exit_code == Exit.OK

    assert not home().exists()


@pytest.mark.usefixtures("kept")
def test_stats_say_how_many_and_how_large(run: Run) -> None:
    told = run("cache", "stats").stdout
    found = json.loads(run("cache", "stats", "--json").stdout)

    assert "answers      3" in told
    assert found["size"] == 3
    assert found["path"] == str(cache_file(home()))
    assert found["bytes_on_disk"] > 0


@pytest.mark.usefixtures("kept")
def test_the_list_is_newest_first_and_tells_no_prompt(run: Run) -> None:
    done = run("cache", "list", "--limit", "2")
    second = run("cache", "list", "--limit", "2", "--page", "2")
    found = json.loads(run("cache", "list", "--json").stdout)

    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        ask("a").key[:12],
        ask("b").key[:12],
    ]
    assert second.stdout.startswith(ask("old").key[:12])
    assert "re: a" not in done.stdout
    assert [each["key"] for each in found] == [ask(q).key for q in ("a", "b", "old")]
    assert "request" not in found[0]


@pytest.mark.usefixtures("kept")
def test_one_answer_is_shown_whole(run: Run) -> None:
    done = run("cache", "show", ask("a").key[:12])
    found = json.loads(run("cache", "show", ask("a").key, "--json").stdout)
    unknown = run("cache", "show", "ffff")

    assert "[user]\na\n" in done.stdout
    assert "[answer]\nre: a\n" in done.stdout
    assert found["request"]["messages"][0]["content"] == "a"
    assert found["reply"]["texts"] == ["re: a"]
    assert unknown.exit_code == Exit.FAILED
    assert "dspex cache list" in unknown.stderr


def test_text_from_a_model_cannot_steer_the_terminal(run: Run, kept: Database) -> None:
    steering = "\x1b]0;title\x07\x1b[2J\u202eabc\x9b\r"
    identity = ask(f"question {steering}")
    kept.write(
        [Entry(identity=identity, reply=Reply(texts=(steering,)), created=time.time())]
    )

    shown = run("cache", "show", identity.key).stdout
    as_json = run("cache", "show", identity.key, "--json").stdout

    for text in (shown, as_json):
        assert not set("\x1b\x07\x9b\r\u202e") & set(text)
    assert "\\x1b[2J" in shown
    assert json.loads(as_json)["reply"]["texts"] == [steering]


def test_prune_deletes_what_is_old(run: Run, kept: Database) -> None:
    done = run("cache", "prune", "--older-than", "2d")
    as_json = run("cache", "prune", "--max-size", "1GB", "--json")

    assert done.stdout.startswith("deleted 1 answers")
    assert json.loads(as_json.stdout)["answers"] == 0
    assert kept.read(ask("a")) == answer("a")
    assert kept.read(ask("old")) is None


@pytest.mark.parametrize(
    "words",
    [
        ["cache", "prune"],
        ["cache", "prune", "--older-than", "soon"],
        ["cache", "prune", "--max-size", "2 elephants"],
        ["cache", "list", "--limit", "0"],
        ["cache", "show"],
        ["cache", "import", "no/such/file"],
    ],
)
def test_a_command_line_that_makes_no_sense_is_usage(
    run: Run, words: list[str]
) -> None:
    assert run(*words).exit_code == Exit.USAGE


def test_clear_asks_first(run: Run, kept: Database) -> None:
    refused = CliRunner().invoke(main, ["cache", "clear"], input="n\n")
    before = kept.read(ask("a"))
    done = run("cache", "clear", "--yes")

    assert refused.exit_code == Exit.FAILED
    assert before == answer("a")
    assert done.stdout == "deleted 3 answers\n"
    assert kept.read(ask("a")) is None


def test_an_export_can_be_imported_elsewhere(
    run: Run, kept: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "answers.jsonl"
    done = run("cache", "export", file)
    again = run("cache", "export", file)
    piped = run("cache", "export", "-")
    monkeypatch.setenv("DSPEX_HOME", str(tmp_path / "elsewhere"))

    added = run("cache", "import", file)
    twice = json.loads(run("cache", "import", file, "--json").stdout)

    assert done.stderr == "wrote 3 answers\n"
    assert again.exit_code == Exit.FAILED
    assert piped.stdout == file.read_text()
    assert os.name != "posix" or stat.S_IMODE(file.stat().st_mode) == 0o600
    assert added.stdout.startswith("added 3 answers")
    assert (twice["added"], twice["known"]) == (0, 3)


def test_lines_that_are_no_answers_end_with_bad_data(
    run: Run, kept: Database, tmp_path: Path
) -> None:
    file = tmp_path / "answers.jsonl"
    run("cache", "export", file)
    file.write_bytes(file.read_bytes() + b"no answer\n\x1b[2J\n\xff\n")

    done = run("cache", "import", file)

    assert done.exit_code == Exit.BAD_DATA
    assert "3 lines are no answers" in done.stderr
    assert "line 4" in done.stderr
    assert "line 6: it is no UTF-8" in done.stderr
    assert "\x1b" not in done.output


@pytest.mark.usefixtures("kept")
def test_explain_says_why_an_answer_is_not_there(run: Run) -> None:
    assert "in the file" in run("cache", "explain", ask("a").key).stdout
    cut = run("cache", "explain", ask("cut").key)
    found = json.loads(run("cache", "explain", ask("cut").key, "--json").stdout)

    assert "cut off" in cut.stdout
    assert "messages[0].content differs" in cut.stdout
    assert found["absence"] == "cut off"


@pytest.mark.usefixtures("kept")
def test_explain_takes_the_beginning_of_a_key_that_is_known(run: Run) -> None:
    for question, said in (("a", "in the file"), ("cut", "cut off")):
        assert said in run("cache", "explain", ask(question).key[:12]).stdout
    unknown = run("cache", "explain", "ffff")
    never_seen = run("cache", "explain", "f" * 64)

    assert unknown.exit_code == Exit.FAILED
    assert "'ffff'" in unknown.stderr
    assert "never seen" in never_seen.stdout


def test_a_file_that_is_none_of_ours_is_bad_data_once(run: Run) -> None:
    path = cache_file(home())
    path.parent.mkdir(parents=True, mode=0o700)
    path.write_bytes(b"no database" * 500)

    first, second = run("cache", "stats"), run("cache", "stats")

    assert first.exit_code == Exit.BAD_DATA
    assert "set aside" in first.stderr
    assert second.exit_code == Exit.OK


# Where, and purge.


@pytest.mark.usefixtures("kept")
def test_where_shows_each_folder_and_file(run: Run) -> None:
    done = run("where")
    found = json.loads(run("where", "--json").stdout)

    assert done.stdout.splitlines()[0] == str(home())
    assert "answers-1.db" in done.stdout
    assert found["home"] == str(home())
    assert [each["name"] for each in found["folders"]] == [
        "cache",
        "runs",
        "models",
        "control",
    ]
    assert found["folders"][0]["bytes"] > 0


def test_purge_asks_and_deletes_what_is_named(run: Run, kept: Database) -> None:
    kept.close()
    (home() / "models").mkdir()
    (home() / "models" / "file").write_text("x")

    refused = CliRunner().invoke(main, ["purge", "--cache"], input="n\n")
    before = cache_file(home()).exists()
    named = run("purge", "--cache", "--yes")
    left = sorted(path.name for path in home().iterdir())
    rest = run("purge", "--yes")

    assert refused.exit_code == Exit.FAILED
    assert before
    assert str(home() / "cache") in named.stdout
    assert left == ["models"]
    assert rest.exit_code == Exit.OK
    assert list(home().iterdir()) == []


def test_purge_touches_nothing_else(run: Run, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    home().mkdir(parents=True)
    (home() / "mine").write_text("x")
    (home() / "cache").symlink_to(precious)

    done = run("purge", "--yes")

    assert done.exit_code == Exit.FAILED
    assert "is a link" in done.stderr
    assert (precious / "file").exists()
    assert (home() / "mine").exists()


def test_purge_refuses_a_home_that_is_not_dspexs_own(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DSPEX_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()

    done = run("purge", "--yes")

    assert done.exit_code == Exit.CONFIGURATION
    assert (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1.5 h", 5400), ("30d", 2_592_000), ("2W", 1_209_600)],
)
def test_spans_are_read_in_seconds(text: str, seconds: float) -> None:
    assert span(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"), [("0B", 0), ("1.5kB", 1500), ("500mb", 5e8), ("2 GB", 2e9)]
)
def test_sizes_are_read_in_bytes(text: str, count: float) -> None:
    assert size(text) == count


def test_of_a_folder_with_many_files_the_largest_are_shown(run: Run) -> None:
    folder = home() / "runs"
    folder.mkdir(parents=True)
    for number in range(25):
        (folder / f"run-{number:02}.sqlite").write_bytes(b"x" * (1_000 + number))

    shown = run("where").stdout

    assert "run-24.sqlite" in shown
    assert "run-04.sqlite" not in shown
    assert "5.0 kB  in 5 smaller files" in shown
