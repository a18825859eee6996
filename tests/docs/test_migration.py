"""The programs that came from DSPy: what migrate makes of them runs, and does the same.

What they gave on DSPy is written down; `tests.tools.dspy_programs` asks it again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.docs import migration_page
from tests.tools.dspy_programs import expected, run

PROGRAMS = pytest.mark.parametrize(
    "program", list(migration_page.programs()), ids=lambda program: program.stem
)


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
