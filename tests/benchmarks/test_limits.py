"""The benchmark plays every case and says which bounds were kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_benchmark_answers_every_request_of_every_case() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.benchmarks.limits", "--json"),
            *("--seeds", "1", "--requests", "60", "--only", "bucket of 50"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )

    rows = json.loads(done.stdout)["rows"]
    assert len(rows) == 72
    assert {row["answered"] for row in rows} == {60}
