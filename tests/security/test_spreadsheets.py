"""Every file that a spreadsheet may open holds texts, and no formula (S16)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

import dspex
from dspex.testing import FakeProvider, chat_answer
from tests.cli.conftest import Run
from tests.security.test_hostile_texts import run

__all__ = ["run"]

STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\uff1d")
"""How a cell begins that is run."""


def formula(start: str) -> str:
    """What would be run."""
    return f"{start}cmd|'/C calc'!A0"


def cells(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [cell for row in csv.reader(file) for cell in row]


def by_python(rows: list[dict[str, str]], path: Path, _run: Run) -> None:
    examples = [dspex.Example(row).with_inputs("q") for row in rows]
    with dspex.Runtime(dspex.Config(persist=False)):
        result = dspex.Evaluate(
            devset=examples, metric=lambda *_: 1.0, persist=False, save_as_csv=path
        )(lambda q: dspex.Prediction(given=q))
    result.save_csv(path.with_name("result.csv"))


def by_command(rows: list[dict[str, str]], path: Path, run: Run) -> None:
    data = path.with_name("rows.jsonl")
    data.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    reply = chat_answer(a=formula("="))
    with FakeProvider(answer=lambda _messages: reply) as provider:
        done = run(
            *("evaluate", "q -> a", data, "--metric", "exact_match:a"),
            *("--run", "sheet", "--export", path, "--progress", "never"),
            *("--model", "m", "--api-base", provider.base_url),
        )
    assert done.exit_code == 0, done.output
    done = run("export", "sheet", "-o", path.with_name("result.csv"))
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("write", [by_python, by_command], ids=lambda one: one.__name__)
def test_no_way_of_writing_rows_writes_a_formula(
    write: Callable[[list[dict[str, str]], Path, Run], None], tmp_path: Path, run: Run
) -> None:
    rows = [{"q": formula(start), "a": formula(start)} for start in STARTS]
    path = tmp_path / "rows.csv"

    write(rows, path, run)

    for file in (path, path.with_name("result.csv")):
        found = cells(file)
        assert [cell for cell in found if "calc" in cell]
        assert [cell for cell in found if cell.startswith(STARTS)] == []


def test_a_name_of_a_field_is_no_formula_either(tmp_path: Path, run: Run) -> None:
    by_python([{"q": "1", formula("="): "x"}], tmp_path / "rows.csv", run)

    for name in ("rows.csv", "result.csv"):
        found = cells(tmp_path / name)
        assert [cell for cell in found if "calc" in cell]
        assert not [cell for cell in found if cell.startswith("=")]
