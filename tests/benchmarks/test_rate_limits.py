"""The benchmark of rate limits runs; what it measures is for people to read."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.docs.pages import ROOT


def test_the_benchmark_answers_every_request_of_every_row() -> None:
    words = ["-m", "tests.benchmarks.rate_limits", "--json", "--requests", "20"]
    done = subprocess.run(
        [sys.executable, *words, "--only", "bucket", "--callers", "4"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )

    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [row["answered"] for row in rows] == [20] * 4
