"""The command as a whole: help, version, errors, exit codes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import dspex
from dspex.cli.console import Exit, exit_code
from dspex.cli.demo import TASK_NAMES
from dspex.cli.main import main
from dspex.core import errors
from dspex.demo.tasks import TASKS
from tests.cli.conftest import Run
from tests.docs.pages import ROOT
from tests.repl.terminal import CTRL_C, ENTER, Terminal


def test_version(run: Run) -> None:
    done = run("--version")

    assert done.stdout == f"dspex {dspex.__version__}\n"


@pytest.mark.parametrize("name", sorted(main.commands))
def test_each_option_of_each_command_says_what_it_does(name: str, run: Run) -> None:
    done = run(name, "--help")

    assert done.exit_code == 0
    options = [p for p in main.commands[name].params if isinstance(p, click.Option)]
    assert [option.name for option in options if not option.help] == []
    assert [o.opts[0] for o in options if o.opts[0] not in done.stdout] == []


@pytest.mark.parametrize("name", sorted(main.commands))
def test_the_reference_has_the_help_of_each_option_word_for_word(name: str) -> None:
    page = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    options = [p for p in main.commands[name].params if isinstance(p, click.Option)]

    missing = [
        option.opts[0]
        for option in options
        if re.sub(r"\s+", " ", option.help or "") not in page
    ]

    assert missing == []


def test_the_reference_lists_the_exit_codes() -> None:
    page = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")

    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}

    assert listed == {int(code) for code in Exit}


def test_help_loads_no_part_of_the_runtime() -> None:
    heavy = {"pykka", "httpx", "pydantic", "structlog", "dspex.runtime"}
    script = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from dspex.cli.main import main\n"
        "assert CliRunner().invoke(main, ['demo', '--help']).exit_code == 0\n"
        "print(*sys.modules)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert heavy & set(done.stdout.split()) == set()


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dspex", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.stdout == f"dspex {dspex.__version__}\n"


def test_the_tasks_on_the_command_line_are_those_there_are() -> None:
    assert TASK_NAMES == TASKS


@pytest.mark.parametrize(
    "words",
    [
        ["demoo"],
        ["demo", "--task", "rivers"],
        ["demo", "--limit", "0"],
        ["predict"],
        ["predict", "country", "country=Peru"],
        ["predict", "country -> country", "country=Peru"],
        ["evaluate", "a -> b"],
        ["demo", "--api-base", "http://127.0.0.1:1/v1"],
        ["demo", "--save", "program.pickle"],
        ["demo", "--save", "no/such/folder/program.json"],
    ],
)
def test_a_command_line_that_makes_no_sense_is_usage(
    words: list[str], run: Run
) -> None:
    done = run(*words)

    assert done.exit_code == Exit.USAGE
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "nobody/x"], "the known prefixes are"),
        (["--model", "openai/gpt-4o-mini"], "OPENAI_API_KEY"),
        pytest.param(
            ["--model", "local/no.gguf"],
            "there is no local model",
            marks=pytest.mark.model,  # needs the extra that serves models
        ),
    ],
)
def test_a_model_that_cannot_be_had_is_configuration(
    words: list[str], said: str, run: Run
) -> None:
    done = run("predict", "country -> capital", "country=Peru", *words)

    assert done.exit_code == Exit.CONFIGURATION
    assert said in done.stderr
    assert done.stdout == ""


def test_without_a_model_and_without_the_extra_the_line_to_install_it_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda *_names: None)

    done = run("demo")

    assert done.exit_code == Exit.CONFIGURATION
    assert "pip install 'dspex[demo]'" in done.stderr
    assert "--model" in done.stderr


def test_a_key_typed_where_its_variable_belongs_is_not_repeated(run: Run) -> None:
    words = ["--model", "openai/x", "--api-key-env", "sk-very-secret"]

    done = run("predict", "a -> b", "a=1", *words)

    assert done.exit_code == Exit.CONFIGURATION
    assert "sk-very-secret" not in done.output


def test_a_key_goes_to_the_address_it_was_named_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-right")
    with dspex.testing.FakeProvider(
        answer=lambda _messages: dspex.testing.chat_answer(b="yes"), api_key="sk-right"
    ) as provider:
        there = ["--model", "Org/Name", "--api-base", provider.base_url]
        with_key = run("predict", "a -> b", "a=1", *there, "--api-key-env", "MY_KEY")
        # Another question: the first answer is kept, and needs no key any more.
        without = run("predict", "a -> b", "a=2", *there)

    assert with_key.stdout == "b: yes\n"
    assert without.exit_code == Exit.CONFIGURATION
    assert "sk-right" not in without.output


def test_a_traceback_is_shown_only_when_it_is_wanted(run: Run) -> None:
    words = ["predict", "a -> b", "a=1", "--model", "nobody/x"]

    plain, asked = run(*words), run(*words, "--traceback")
    first = run("--traceback", *words)

    assert "Traceback" not in plain.stderr
    assert "Traceback" in asked.stderr
    assert "Traceback" in first.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.DataError("x"), Exit.BAD_DATA),
        (errors.SignatureError("x"), Exit.USAGE),
        (errors.MissingInputError("x"), Exit.USAGE),
        (errors.ConfigurationError("x"), Exit.CONFIGURATION),
        (errors.LMAuthError("x"), Exit.CONFIGURATION),
        (errors.LMBillingError("x"), Exit.CONFIGURATION),
        (errors.CircuitOpenError("x"), Exit.UNAVAILABLE),
        (errors.LMTimeoutError("x"), Exit.UNAVAILABLE),
        (errors.LMInvalidRequestError("x"), Exit.FAILED),
        (errors.EvaluationError("x"), Exit.FAILED),
        (errors.AdapterError("x"), Exit.FAILED),
        (errors.RuntimeClosedError("x"), Exit.INTERNAL),
        (errors.RunNotFoundError("x", run="r"), Exit.USAGE),
        (errors.RunExistsError("x", run="r"), Exit.USAGE),
        (errors.RunBusyError("x", run="r", pid=1, host="h", since=0.0), Exit.BUSY),
        (errors.RunFencedError("x", run="r"), Exit.RECORD),
        (errors.RecordFullError("x", run="r", path=None), Exit.RECORD),
        (errors.RecordDamagedError("x", run="r", path=None), Exit.BAD_DATA),
        (errors.RunChangedError("x", run="r", changes=()), Exit.CONFIGURATION),
        (ZeroDivisionError("x"), Exit.INTERNAL),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_each_error_has_its_exit_code(error: BaseException, code: Exit) -> None:
    assert exit_code(error) is code


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (errors.CircuitOpenError("down"), Exit.UNAVAILABLE),
        (errors.RunFencedError("x", run="r"), Exit.RECORD),
        (KeyError("x"), Exit.FAILED),
        (None, Exit.FAILED),
    ],
)
def test_an_evaluation_that_stopped_takes_the_code_of_its_cause(
    cause: BaseException | None, code: Exit
) -> None:
    stopped = errors.EvaluationError("x")
    stopped.__cause__ = cause

    assert exit_code(stopped) is code


def test_a_reader_that_goes_away_is_no_error(
    there: tuple[str, ...], capitals: Path
) -> None:
    words = ["evaluate", "country -> capital", "--data", str(capitals), *there]
    command = [sys.executable, "-m", "dspex", *words, "--metric", "exact_match:capital"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()

    assert said == b""


# A finder of modules that a Ctrl-C meets while the command is being loaded.
LOADING = """
import runpy, sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "dspex.cli.evaluate":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
runpy.run_module("dspex", run_name="__main__")
"""


def test_ctrl_c_while_it_is_loaded_ends_it_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADING, "runs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.stderr == "dspex: interrupted\n"
    assert done.returncode == Exit.INTERRUPTED


def test_ctrl_c_at_a_question_ends_as_ctrl_c_does(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "dspex", "purge", "--cache"]
    (tmp_path / "home" / "cache").mkdir(parents=True)
    with Terminal(words, tmp_path, {"DSPEX_HOME": str(tmp_path / "home")}) as terminal:
        terminal.expect("[y/N]")
        # CPython may only hear of Ctrl-C when another key wakes it.
        terminal.type(CTRL_C + ENTER)
        said = terminal.rest()

        assert "dspex: interrupted" in said
        assert terminal.process.returncode == Exit.INTERRUPTED


def test_a_folder_that_was_deleted_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    done = run("runs")

    assert done.exit_code == Exit.USAGE
    assert "the folder this was begun in has been deleted" in done.stderr
