"""Every security case has a test, and the tests that the table names exist."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.security.cases import CASES, Case

TESTS = Path(__file__).parents[1]
NUMBERS = {f"S{number}" for number in (*range(1, 18), 19, 20, 22, 23, 24)}


def names_in(file: str) -> set[str]:
    """The names of the tests in a file."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_case_that_was_asked_for_is_in_the_table_once() -> None:
    names = [case.name for case in CASES]

    assert set(names) >= NUMBERS
    assert len(names) == len(set(names))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_is_held_by_tests_that_exist(case: Case) -> None:
    assert bool(case.tests) != bool(case.open_until)
    for test in case.tests:
        file, _, name = test.partition("::")
        assert name in names_in(file), test


def test_every_test_of_this_folder_holds_a_case() -> None:
    named = {test for case in CASES for test in case.tests}
    files = {
        f"security/{path.name}" for path in Path(__file__).parent.glob("test_*.py")
    }

    unnamed = {file for file in files if not any(one.startswith(file) for one in named)}

    assert unnamed == {"security/test_cases.py"}
