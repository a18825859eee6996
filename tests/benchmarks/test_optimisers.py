"""The benchmark of optimisers; what it measures is for people to read."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.docs.pages import ROOT


def test_the_benchmark_prints_a_row_for_every_optimiser_asked_for() -> None:
    words = ["--latency", "0.001", "--workers", "4", "--rows", "6", "--repeat", "1"]
    words += ["--candidates", "2", "--optimisers", "BootstrapFewShotWithRandomSearch"]

    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.optimisers", "--json", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
    )

    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert row["optimiser"] == "BootstrapFewShotWithRandomSearch"
    # Five candidates on six rows each, and a teacher's answers for three of them.
    assert row["dspex"]["calls"] >= 5 * 6 + 3
    assert row["dspex"].keys() == {"wall_s", "cpu_s", "calls", "wall_over_ideal"}
