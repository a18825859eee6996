"""The benchmark runs and says what it should; no test looks at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_benchmark_reports_every_case_beside_stock_and_judges_each_aim() -> None:
    done = subprocess.run(
        [sys.executable, "tests/benchmarks/supervisors.py", "--small", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )

    report = json.loads(done.stdout)
    assert {"python", "versions", "cpu_count", "load_average"} <= report.keys()
    assert list(report["cases"]) == [
        *("spawn", "ask", "ask_at_once", "tell"),
        *("recovery", "idle", "snapshot", "beside"),
    ]
    for case in report["cases"].values():
        for figures in case["contestants"].values():
            for facts in figures.values():
                assert len(facts["samples"]) == 1
                assert facts["median"] == facts["samples"][0]
                assert ("to_stock" in facts) == ("stock" in case["contestants"])
    assert {aim["case"] for aim in report["aims"]} == {
        *("spawn", "ask", "recovery", "idle", "snapshot", "beside"),
    }
    assert all(isinstance(aim["met"], bool) for aim in report["aims"])
