"""`dspex migrate`: the diff, what is absent, and the files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dspex.cli.console import Exit
from tests.cli.conftest import Run

WHOLE = "import dspy\n\nqa = dspy.Predict('question -> answer')\n"
WITH_ABSENT = "import dspy\n\ncode = dspy.ProgramOfThought('question -> answer')\n"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(WHOLE, encoding="utf-8")
    return path


def test_the_diff_is_printed_and_nothing_is_written(run: Run, program: Path) -> None:
    done = run("migrate", program)

    assert done.exit_code == Exit.OK
    assert "-import dspy\n+import dspex\n" in done.stdout
    assert "+qa = dspex.Predict('question -> answer')\n" in done.stdout
    assert program.read_text() == WHOLE
    assert "Files to change (--write does it): 1 of 1." in done.stderr


def test_write_changes_the_files_and_a_second_run_finds_nothing(
    run: Run, program: Path
) -> None:
    run("migrate", program, "--write")
    again = run("migrate", program)

    assert program.read_text() == WHOLE.replace("dspy", "dspex")
    assert again.stdout == ""
    assert again.exit_code == Exit.OK


def test_an_absent_name_is_told_by_file_and_line_and_is_exit_1(
    run: Run, program: Path
) -> None:
    program.write_text(WITH_ABSENT)

    done = run("migrate", program)

    assert done.exit_code == Exit.FAILED
    assert f"{program}:3: dspex has no ProgramOfThought: " in done.stderr
    assert "dspex.ReAct" in done.stderr


def test_a_folder_is_looked_through_and_each_file_once(
    run: Run, program: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.py").write_text("print('nothing of the kind')\n")

    done = run("migrate", tmp_path, program, "--json")

    files = json.loads(done.stdout)["files"]
    assert [Path(each["path"]).name for each in files] == ["other.py", "program.py"]
    assert [each["changed"] for each in files] == [False, True]


def test_json_has_the_diff_and_the_notes(run: Run, program: Path) -> None:
    program.write_text(WITH_ABSENT)

    done = run("migrate", program, "--json", "--write")

    result = json.loads(done.stdout)
    assert result["written"] is True
    (file,) = result["files"]
    assert "+import dspex\n" in file["diff"]
    (note,) = file["notes"]
    assert (note["cell"], note["line"], note["name"]) == (None, 3, "ProgramOfThought")


def test_one_file_that_is_no_python_leaves_all_files_alone(
    run: Run, program: Path, tmp_path: Path
) -> None:
    (tmp_path / "zebra.py").write_text("import dspy\nx = (\n")

    done = run("migrate", tmp_path, "--write")

    assert done.exit_code == Exit.BAD_DATA
    assert "zebra.py cannot be read as Python" in done.stderr
    assert program.read_text() == WHOLE


def test_no_path_is_a_mistake_of_usage(run: Run) -> None:
    assert run("migrate").exit_code == Exit.USAGE
    assert run("migrate", "no/such/file.py").exit_code == Exit.USAGE
