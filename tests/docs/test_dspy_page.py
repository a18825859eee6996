"""The table of DSPy's names: whole, true, and each line with a test or a reason."""

from __future__ import annotations

import ast
from functools import cache

import pytest

import dspex
from dspex.migrate.absent import ABSENT
from tests.docs import dspy_page
from tests.docs.dspy_table import STATUSES, Row, ledger, ours, rows
from tests.docs.pages import ROOT
from tests.tools import dspy_names

ROWS = list(rows())


@cache
def functions_of(path: str) -> frozenset[str]:
    """Return the names of the test functions of a file."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def test_the_page_is_what_data_and_code_say() -> None:
    page = dspy_page.PAGE.read_text(encoding="utf-8")

    assert dspy_page.written(page) == page, (
        "docs/reference/dspy.md is behind; write it again: "
        "python -m tests.docs.dspy_page"
    )


def test_every_name_of_dspy_is_on_the_page() -> None:
    page = dspy_page.PAGE.read_text(encoding="utf-8")
    table = page.partition(dspy_page.BEGIN)[2]
    facts = dspy_names.read()

    missing = [
        name
        for name in (*facts["names"], *facts["settings"])
        if f"\n| `{name}` |" not in table
    ]

    assert missing == []


def test_each_name_is_there_or_has_a_reason_not_to_be() -> None:
    assert [row.name for row in ROWS if row.status not in STATUSES] == []


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.status], ids=lambda row: row.name
)
def test_each_judgement_is_shown_by_a_test_or_has_a_reason(row: Row) -> None:
    if row.status == "absent":
        assert ours(row.name) is None
        assert row.note
        return
    path, _, name = row.test.partition("::")

    assert ours(row.name) is not None
    assert name in functions_of(path), f"{row.test} is no test"
    assert row.note or row.status != "stricter"


def test_each_parameter_and_method_that_is_lacking_has_a_reason() -> None:
    without = [
        f"{row.name}{item}"
        for row in ROWS
        for item, reason in row.lacks.items()
        if not reason
    ]

    assert without == []


def test_each_setting_is_there_or_has_a_reason_not_to_be() -> None:
    absent = ledger()["settings"]
    there = {key for key in dspy_names.read()["settings"] if key in dspex.settings}

    assert there | set(absent) == set(dspy_names.read()["settings"])
    assert there & set(absent) == set()


def test_nothing_is_judged_that_dspy_has_not() -> None:
    names = dspy_names.read()["names"]

    assert set(ledger()["names"]) - set(names) == set()
    assert set(ledger()["names"]) & set(ABSENT) == set()
