"""Where a run's files lie."""

from __future__ import annotations

import gc
import re
from pathlib import Path

from dspex.evaluate.record.place import RunPlace, folder

MANY = 50


def test_a_run_finds_its_own_logs_and_no_other_runs(tmp_path: Path) -> None:
    folder(tmp_path).mkdir()
    names = ["a.1.log", "a.12.old", "a.1.2.log", "a.x.log", "b.1.log", "a.sqlite"]
    for name in names:
        (folder(tmp_path) / name).touch()

    found = {run: RunPlace(run=run, home=tmp_path).logs() for run in ("a", "a.1", "c")}

    assert {run: [path.name for path in paths] for run, paths in found.items()} == {
        "a": ["a.1.log", "a.12.old"],
        "a.1": ["a.1.2.log"],
        "c": [],
    }


def test_a_run_that_looked_for_its_logs_is_not_remembered(tmp_path: Path) -> None:
    folder(tmp_path).mkdir()
    before = _patterns()

    for number in range(MANY):
        RunPlace(run=f"remembered-{number}", home=tmp_path).logs()

    assert _patterns() - before < MANY


def _patterns() -> int:
    """Patterns there are; `re` keeps the last 512 it was asked to compile."""
    gc.collect()
    return sum(isinstance(one, re.Pattern) for one in gc.get_objects())
