"""The defaults: one module, one table in the reference, and what the classes use."""

from __future__ import annotations

import ast
import inspect
import itertools
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.core import defaults

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/defaults.md"

ARGUMENT = re.compile(r"`(\w+)\((\w+)=\)`")
"""How the table names an argument: `LM(timeout=)`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    value: float | tuple[float, float]
    meaning: str
    where: str


def table() -> list[Row]:
    rows = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 4:
            name, value, meaning, where = cells
            rows.append(Row(name.strip("`"), _value(value), meaning, where))
    return rows


def _value(cell: str) -> float | tuple[float, float]:
    low, to, high = cell.partition(" to ")
    return (_number(low), _number(high)) if to else _number(cell)


def _number(cell: str) -> float:
    found = re.match(r"[\d,]+(?:\.\d+)?", cell)
    assert found is not None, cell
    return float(found.group().replace(",", ""))


def constants() -> dict[str, float | tuple[float, float]]:
    return {name: value for name, value in vars(defaults).items() if name.isupper()}


def docstrings() -> dict[str, str]:
    """Return the text under each constant, in the module's order."""
    body = ast.parse(inspect.getsource(defaults)).body
    texts = {}
    for node, after in itertools.pairwise(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            assert isinstance(after, ast.Expr)
            assert isinstance(after.value, ast.Constant)
            texts[node.target.id] = str(after.value.value)
    return texts


def test_the_page_has_each_default_in_the_order_of_the_module() -> None:
    assert [row.name for row in table()] == list(docstrings()) == list(constants())


@pytest.mark.parametrize("row", table(), ids=lambda row: row.name)
def test_a_row_has_the_value_of_the_module(row: Row) -> None:
    assert row.value == constants()[row.name]


@pytest.mark.parametrize("row", table(), ids=lambda row: row.name)
def test_a_row_has_the_meaning_that_stands_in_the_module(row: Row) -> None:
    assert row.meaning == " ".join(docstrings()[row.name].split())


@pytest.mark.parametrize(
    ("owner", "argument"),
    [found for row in table() for found in ARGUMENT.findall(row.where)],
)
def test_an_argument_the_page_names_exists(owner: str, argument: str) -> None:
    assert argument in inspect.signature(getattr(dspex, owner)).parameters


@pytest.mark.parametrize(
    ("owner", "argument", "expected"),
    [
        (dspex.LM, "num_retries", defaults.RETRIES),
        (dspex.Evaluate, "failure_score", defaults.FAILURE_SCORE),
        (dspex.Config, "max_in_flight", defaults.MAX_IN_FLIGHT),
        (dspex.Config, "breaker_failures", defaults.BREAKER_FAILURES),
        (dspex.Config, "breaker_reset", defaults.BREAKER_RESET),
        (dspex.Config, "max_outage", defaults.MAX_OUTAGE),
        (dspex.Config, "cache_entries", defaults.CACHE_ENTRIES),
        (dspex.Config, "cache_bytes", defaults.CACHE_BYTES),
        (dspex.Config, "cache_ttl", defaults.CACHE_TTL),
        (dspex.Config, "cache_disk_bytes", defaults.CACHE_DISK_BYTES),
        (dspex.Config, "cache_disk_ttl", defaults.CACHE_DISK_TTL),
        (dspex.Config, "local_idle", defaults.LOCAL_IDLE),
        (dspex.Config, "branch_restarts", defaults.BRANCH_RESTARTS),
        (dspex.Service, "max_in_flight", defaults.SERVE_IN_FLIGHT),
        (dspex.Service, "timeout", defaults.SERVE_TIMEOUT),
        (dspex.Service, "max_body", defaults.SERVE_BODY),
    ],
)
def test_a_class_uses_the_default(owner: Any, argument: str, expected: float) -> None:
    parameter = inspect.signature(owner).parameters[argument]

    assert parameter.default == expected


def test_the_settings_use_the_defaults() -> None:
    assert dspex.settings.concurrency == defaults.CONCURRENCY
    assert dspex.settings.max_errors == defaults.MAX_ERRORS


def test_every_default_is_a_finite_number() -> None:
    values = constants().values()
    numbers = [v if isinstance(v, tuple) else (v,) for v in values]

    assert all(math.isfinite(n) and n >= 0 for n in itertools.chain(*numbers))
