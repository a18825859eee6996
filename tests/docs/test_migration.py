"""The programs that came from DSPy: what migrate makes of them runs, and does the same.

With `DSPEX_DSPY_PYTHON` set to an interpreter that has DSPy, the programs run as they
were before, too, on DSPy itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from tests.docs import migration_page
from tests.docs.pages import ROOT

DRIVER = ROOT / "tests/tools/drive_program.py"
DATA = ROOT / "tests/data/from_dspy"
DSPY = os.environ.get("DSPEX_DSPY_PYTHON")

PROGRAMS = pytest.mark.parametrize(
    "program", list(migration_page.programs()), ids=lambda program: program.stem
)


def run(package: str, python: str, program: Path) -> dict[str, Any]:
    """Run a program on a package's dummy model, and return what it gave."""
    answers = DATA / f"{program.stem}.json"
    done = subprocess.run(
        [python, str(DRIVER), package, str(program), str(answers)],
        env={**os.environ, "PYTHONPATH": str(ROOT) if package == "dspex" else ""},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return cast("dict[str, Any]", json.loads(done.stdout.splitlines()[-1]))


def expected(program: Path) -> dict[str, Any]:
    """Return what a program gives on DSPy, as it was measured there."""
    data = json.loads((DATA / f"{program.stem}.json").read_text("utf-8"))
    return cast("dict[str, Any]", data["result"])


@PROGRAMS
def test_the_program_after_is_what_migrate_makes_of_it(program: Path) -> None:
    after = (migration_page.AFTER / program.name).read_text(encoding="utf-8")

    assert after == migration_page.after(program), (
        "write it again: python -m tests.docs.migration_page"
    )


def test_the_page_shows_the_programs_as_they_are() -> None:
    page = migration_page.PAGE.read_text(encoding="utf-8")

    assert migration_page.written(page) == page, (
        "write it again: python -m tests.docs.migration_page"
    )
    for program in migration_page.programs():
        assert f"<!-- program: {program.stem} -->" in page


@PROGRAMS
def test_the_program_after_does_on_dspex_what_it_did_on_dspy(program: Path) -> None:
    found = run("dspex", sys.executable, migration_page.AFTER / program.name)

    assert found == expected(program)


@pytest.mark.skipif(DSPY is None, reason="DSPEX_DSPY_PYTHON names no interpreter")
@PROGRAMS
def test_the_program_before_does_this_on_dspy(program: Path) -> None:
    assert DSPY is not None

    assert run("dspy", DSPY, program) == expected(program)
