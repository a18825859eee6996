"""The table of faults is made, and two of its rows cost what they may."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.benchmarks.fault_rows import ROWS
from tests.docs.pages import ROOT


def test_the_table_tells_score_bill_and_end_of_each_row() -> None:
    names = ["metric raises on 20 of 100", "10 steps, out of time after step 3"]
    numbers = [n for n, row in enumerate(ROWS) if row.name in names]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.benchmarks.faults", "--json"),
            *("--rows", ",".join(map(str, numbers)), "--patience", "60"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr

    metric, deadline = json.loads(done.stdout)["rows"]

    assert [metric["name"], deadline["name"]] == names
    lines: list[dict[str, Any]] = [metric["dspex"], deadline["dspex"]]
    assert [line["score"] for line in lines] == [80.0, 0.0]
    assert metric["dspex"]["requests"] == 100
    # Three steps that were done, and the one during which time was over.
    assert 0 < deadline["dspex"]["requests"] <= 4
    assert all(line["exit_s"] is not None for line in lines)


def test_the_names_of_the_rows_tell_them_apart() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
