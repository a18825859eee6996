"""The benchmark of programs runs; what it measures is for people to read."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.docs.pages import ROOT


def test_the_benchmark_prints_every_figure() -> None:
    words = ["-m", "tests.benchmarks.programs", "--json", "--repeat", "1"]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
    )

    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["import"]["dspex"]["cpu_s"] > 0
    assert figures["import_to_first_answer"]["dspex"]["cpu_s"] > 0
    assert len(figures["format_and_parse_cpu_us"]["dspex"]) == 15
