"""`dspex config`, and what the other commands take from the configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dspex.cli.configured import Options, defaults_of
from dspex.cli.console import Exit
from dspex.cli.main import main
from dspex.cli.options import PROGRESS
from dspex.configuration import keys
from dspex.configuration.reading import configuration
from dspex.testing import FakeProvider
from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands are given: a project's folder, and a user's without a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    return tmp_path


def write(text: str) -> Path:
    path = Path("dspex.toml").absolute()
    path.write_text(text, encoding="utf-8")
    return path


def sent_settings(run: Run) -> list[dict[str, object]]:
    """The settings that were sent, as the kept answers tell."""
    kept = json.loads(run("cache", "list", "--json").stdout)
    shown = [run("cache", "show", entry["key"], "--json") for entry in kept]
    return [json.loads(done.stdout)["request"]["settings"] for done in shown]


def test_the_words_of_progress_are_those_of_the_configuration() -> None:
    assert PROGRESS == keys.PROGRESS


def test_each_value_is_shown_with_who_says_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("# ours\nmax_in_flight = 12\n[evaluate]\ntrials = 3\n")
    monkeypatch.setenv("DSPEX_MAX_OUTAGE", "90")
    monkeypatch.setenv("DSPEX_EVALUATE_LIMIT", "7")

    done = run("config", "show", "--origin")

    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.exit_code == 0
    assert ["max_in_flight", "12", f"{file}:2"] in lines
    assert ["max_outage", "90.0", "DSPEX_MAX_OUTAGE"] in lines
    assert ["persist", "true", "default"] in lines
    assert ["home", os.environ["DSPEX_HOME"], "DSPEX_HOME"] in lines
    assert ["evaluate.trials", "3", f"{file}:4"] in lines
    assert ["evaluate.limit", "7", "DSPEX_EVALUATE_LIMIT"] in lines


def test_values_and_origins_are_there_for_programs(run: Run) -> None:
    file = write('[prices."openai/m"]\ninput = 1\noutput = 2\n')

    done = run("config", "show", "--json")

    shown = json.loads(done.stdout)
    assert shown["files"] == [str(file)]
    assert shown["values"]["prices"]["value"]["openai/m"]["output"] == 2
    assert shown["values"]["prices"]["origin"] == "project"
    assert (shown["values"]["prices"]["place"], shown["values"]["prices"]["line"]) == (
        str(file),
        1,
    )


def test_what_json_has_no_number_for_is_shown_as_a_text(run: Run) -> None:
    write("[evaluate]\ntimeout = inf\n")

    done = run("config", "show", "--json")

    shown = json.loads(done.stdout)["values"]["evaluate.timeout"]
    assert (done.exit_code, shown["value"]) == (0, "inf")
    assert "evaluate.timeout  inf" in run("config", "show").stdout


def test_every_value_is_what_the_commands_take_and_from_where(
    run: Run, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    own = folder / "user/dspex/dspex.toml"
    own.parent.mkdir(parents=True)
    own.write_text("max_queued = 7\nmax_errors = 7\n")
    file = write("max_errors = 6\n[evaluate]\nrun = 'a'\n")
    monkeypatch.setenv("DSPEX_EVALUATE_RUN", "1.10")
    monkeypatch.setenv("DSPEX_SETTINGS", "{ temperature = 0.5 }")
    # It says nothing, as it is empty.
    monkeypatch.setenv("DSPEX_MAX_OUTAGE", "")

    shown = json.loads(run("config", "show", "--json").stdout)

    assert shown["files"] == [str(own), str(file)]
    told = {
        name: (one["value"], one["origin"], one["place"], one["line"])
        for name, one in shown["values"].items()
        if one["origin"] != "default"
    }
    assert told == {
        "home": (os.environ["DSPEX_HOME"], "environment", "DSPEX_HOME", None),
        "max_queued": (7, "user", str(own), 1),
        "max_errors": (6, "project", str(file), 1),
        "evaluate.run": ("1.10", "environment", "DSPEX_EVALUATE_RUN", None),
        "settings": ({"temperature": 0.5}, "environment", "DSPEX_SETTINGS", None),
    }


def test_a_home_that_nobody_says_is_shown_where_it_is(
    run: Run, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.delenv("DSPEX_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "kept"))
    monkeypatch.setattr("sys.platform", "linux")

    shown = json.loads(run("config", "show", "--json").stdout)["values"]["home"]

    assert (shown["value"], shown["origin"]) == (str(folder / "kept/dspex"), "default")


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, 3),
        ({"DSPEX_CONCURRENCY": "5"}, 5),
        ({"DSPEX_CONCURRENCY": "5", "DSPEX_EVALUATE_CONCURRENCY": "6"}, 6),
    ],
)
def test_what_is_said_for_one_command_wins_unless_more_is_said_higher_up(
    environ: dict[str, str], told: int
) -> None:
    write("concurrency = 2\n[evaluate]\nconcurrency = 3\n")
    found = configuration(
        {"HOME": "/nobody", **environ}, start=Path.cwd(), commands=Options(main)
    )

    taken = defaults_of("evaluate", main.commands["evaluate"], found)

    assert taken == {"concurrency": told}


def test_a_run_goes_on_as_it_was_begun_whatever_the_defaults_are_now() -> None:
    write("concurrency = 3\nmax_errors = 3\n[resume]\nfail_under = 5\n")
    found = configuration(os.environ, start=Path.cwd(), commands=Options(main))

    taken = {
        name: defaults_of(name, main.commands[name], found)
        for name in ("evaluate", "resume")
    }

    assert taken["evaluate"] == {"concurrency": 3, "max_errors": 3}
    assert taken["resume"] == {"fail_under": 5}


def test_a_variable_that_is_no_text_is_shown_and_steers_nothing(run: Run) -> None:
    env = {**os.environ, "DSPEX_MODEL": os.fsdecode(b"a\xffb")}

    for words in (("show", "--origin"), ("show", "--json")):
        done = subprocess.run(
            [sys.executable, "-m", "dspex", "config", *words],
            capture_output=True,
            env={**env, "PYTHONPATH": str(Path(__file__).parents[2])},
            check=False,
        )
        assert done.returncode == 0
        assert b"\\udcff" in done.stdout


def test_no_key_of_the_environment_is_in_any_output(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "canary-0123456789")
    monkeypatch.setenv("OPENAI_API_KEY", "canary-9876543210")
    write("model = 'openai/m'\n")
    monkeypatch.setenv("DSPEX_API_KEY_ENV", "MY_KEY")

    for words in (("show",), ("show", "--origin"), ("show", "--json"), ("check",)):
        done = run("config", *words)
        assert done.exit_code == 0
        assert "canary" not in done.output


def test_a_file_that_is_right_is_called_so(run: Run) -> None:
    file = write("[evaluate]\nmetric = 'exact_match:capital'\nmax_errors = '5%'\n")

    done = run("config", "check", file)

    assert (done.exit_code, done.stdout) == (0, f"{file}: all is well\n")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("trails = 3", "dspex evaluate has no such option; did you mean 'trials'?"),
        ("trials = 0", "0 is not in the range x>=1."),
        ("trials = 'two'", "'two' is not a valid integer range."),
        ("trials = [1]", "[1] does not fit"),
        ("cot = 'yes'", "expected true or false"),
        ("isolate = 'room'", "is not one of 'thread', 'process'"),
        ("fail_under = nan", "is no finite number"),
        ("model = 'openai/m'", "Write model = ... there."),
        ("json = true", "has no such option"),
    ],
)
def test_a_default_that_no_option_takes_is_told_with_its_line(
    line: str, told: str, run: Run
) -> None:
    file = write(f"[evaluate]\n{line}\n")

    done = run("config", "check")

    assert done.exit_code == Exit.CONFIGURATION
    assert f"{file}:2: evaluate.{line.split()[0]}: " in done.stderr
    assert told in done.stderr


def test_faults_are_there_for_programs(run: Run) -> None:
    file = write("persist = 1\n")

    done = run("config", "check", "--json")

    shown = json.loads(done.stdout)
    assert done.exit_code == Exit.CONFIGURATION
    assert shown["ok"] is False
    [fault] = shown["faults"]
    assert (fault["place"], fault["line"], fault["key"]) == (str(file), 1, "persist")


def test_a_command_refuses_a_configuration_that_is_wrong(run: Run) -> None:
    file = write("persist = 1\n")

    done = run("where")

    assert done.exit_code == Exit.CONFIGURATION
    assert f"dspex: {file}:1: persist: 1 does not fit" in done.stderr


def test_help_is_there_beside_a_file_that_is_wrong(run: Run) -> None:
    write("persist = 1\n")

    assert run("evaluate", "--help").exit_code == 0
    assert run("--help").exit_code == 0


def test_doctor_tells_of_a_file_that_is_wrong(run: Run) -> None:
    file = write("persist = 1\n")

    done = run("doctor")

    assert done.exit_code == Exit.CONFIGURATION
    assert f"{file}:1: persist" in done.stdout


def test_a_files_home_is_the_home_of_every_command(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DSPEX_HOME")
    write('home = "kept"\n')

    done = run("where", "--json")

    assert json.loads(done.stdout)["home"] == str(folder / "kept")
    assert "DSPEX_HOME" not in os.environ


def test_an_evaluation_is_as_configured(
    run: Run, capitals: Path, provider: FakeProvider
) -> None:
    write(
        f'model = "fake"\napi_base = "{provider.base_url}"\nconcurrency = 1\n'
        "[settings]\ntemperature = 0.25\n"
        '[evaluate]\nmetric = "exact_match:capital"\nlimit = 2\ntrials = 2\n'
    )

    done = run("evaluate", "country -> capital", capitals, "--json", "--trials", "1")

    shown = json.loads(done.stdout)
    assert done.exit_code == 0, done.stderr
    assert shown["model"] == "openai/fake"
    assert len(provider.bill) == 2
    assert sent_settings(run) == [{"temperature": 0.25}] * 2


def test_a_model_on_the_command_line_has_nothing_of_the_configured_one(
    run: Run, provider: FakeProvider
) -> None:
    write('model = "openai/other"\n[settings]\ntemperature = 0.25\n')

    done = run(
        *("predict", "country -> capital", "country=Peru"),
        *("--model", "fake", "--api-base", provider.base_url),
    )

    assert (done.exit_code, done.stdout) == (0, "capital: Lima\n")
    assert sent_settings(run) == [{}]
