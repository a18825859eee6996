"""`--json`: standard output is the result, whatever a user's code prints, and JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from dspex.cli.console import Exit
from dspex.testing import FakeProvider, answers_by_input
from tests.cli.conftest import Run
from tests.docs.pages import ROOT

LOUD: Final = """
import os, sys
print("imported", flush=True)
os.system("echo from a child")
sys.__stdout__.write("from below\\n")

def program(country):
    print("asked")
    return {"capital": "Lima"}

def metric(example, prediction):
    print("scored")
    return 1.0
"""
CALL: Final = ("--inputs", "country", "--metric", "loud:metric", "--no-persist")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module that prints wherever it can; the current one."""
    (tmp_path / "loud.py").write_text(LOUD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def in_a_process(*words: object, **options: object) -> subprocess.CompletedProcess[Any]:
    command = [sys.executable, "-m", "dspex", *map(str, words)]
    return subprocess.run(command, capture_output=True, check=False, **options)  # type: ignore[call-overload, no-any-return] # the options are those of each test


def test_what_a_module_and_its_children_print_is_no_part_of_the_json(
    folder: Path, capitals: Path, there: tuple[str, ...]
) -> None:
    words = ("evaluate", "loud:program", capitals, *CALL, *there)

    done = in_a_process(*words, "--json", text=True)

    assert json.loads(done.stdout)["score"] == 100.0
    printed = {"imported", "from a child", "from below", "asked", "scored"}
    assert printed <= set(done.stderr.splitlines())


def test_what_it_prints_stands_beside_a_result_for_people(
    folder: Path, capitals: Path, there: tuple[str, ...]
) -> None:
    done = in_a_process("evaluate", "loud:program", capitals, *CALL, *there, text=True)

    assert "from a child" in done.stdout
    assert "100.0 ± 0.0 (4 examples)" in done.stdout


def test_the_json_of_a_command_in_a_process_of_somebody_elses_is_clean_as_well(
    run: Run,
    folder: Path,
    capitals: Path,
    there: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))

    done = run("evaluate", "loud:program", capitals, *CALL, *there, "--json")

    sys.modules.pop("loud")
    assert json.loads(done.stdout)["score"] == 100.0
    assert "scored" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_in_any_encoding(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    capital = "Perú 日本 🇵🇪 “”"
    with FakeProvider(answer=answers_by_input({"Peru": {"capital": capital}})) as known:
        there = ("--model", "fake", "--api-base", known.base_url)
        words = ("predict", "country -> capital", "country=Peru", *there, "--json")

        done = in_a_process(*words, cwd=ROOT)

    assert json.loads(done.stdout.decode(encoding)) == {"capital": capital}


FULL: Final = Path("/dev/full")
needs_full = pytest.mark.skipif(
    not FULL.exists(), reason="there is no disk here that is always full"
)


@needs_full
@pytest.mark.parametrize(
    "words",
    ["--help", "--version", "runs --help", "demo --help", "config show --json"],
)
def test_a_full_disk_is_told_whatever_was_to_be_written(words: str) -> None:
    command = [sys.executable, "-m", "dspex", *words.split()]
    with FULL.open("w") as full:
        done = subprocess.run(
            command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )

    assert done.returncode == Exit.RECORD
    assert "cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "mistake of dspex" not in done.stderr


@needs_full
def test_the_exit_code_is_right_where_nothing_can_be_said() -> None:
    command = [sys.executable, "-m", "dspex", "show", "nobody-knows-it"]
    with FULL.open("w") as full:
        done = subprocess.run(command, cwd=ROOT, stderr=full)

    assert done.returncode == Exit.USAGE
