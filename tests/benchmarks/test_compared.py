"""The comparison is made, in small, and says what the page says."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.docs.pages import ROOT


def test_the_comparison_tells_what_an_import_costs_and_what_failed() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.benchmarks.compared", "--json"),
            *("--sections", "importing,failing", "--repeat", "1"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr

    figures = json.loads(done.stdout)

    assert figures["importing"]["dspex"]["cpu_s"] > 0
    assert figures["failing"]["dspex"]["score"] == 80.0
    assert "20 failed by metric (ValueError)" in figures["failing"]["dspex"]["says"]
