"""The comparison is made, in small, and says what the page says."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.docs.pages import ROOT


def test_the_comparison_tells_the_cost_the_bill_and_the_score() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.benchmarks.compared", "--json"),
            *("--examples", "20", "--workers", "4", "--latency", "0", "--repeat", "1"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr

    figures = json.loads(done.stdout)

    assert figures["importing"]["dspex"]["cpu_s"] > 0
    assert figures["evaluating"]["dspex"]["cpu_ms"] > 0
    killed, failing = figures["killed"]["dspex"], figures["failing"]["dspex"]
    # Far less than all of what was answered before is asked again.
    assert killed["score"] == 100.0
    assert 200 <= killed["requests"] < 200 + killed["before"]
    assert failing["score"] == 80.0
    assert "20 failed by metric (ValueError)" in failing["says"]
