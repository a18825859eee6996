"""The benchmark of the cache runs; what it measures is for people to read."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.docs.pages import ROOT


def test_the_benchmark_prints_every_figure() -> None:
    words = ["-m", "tests.benchmarks.cache", "--json", "--seconds", "0.02"]
    done = subprocess.run(
        [sys.executable, *words, "--runs", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
    )

    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert len(figures) == 18
    assert figures["memory_hits_1_thread_per_s"] > 0
    assert figures["hit_while_locked_median_us"] > 0
