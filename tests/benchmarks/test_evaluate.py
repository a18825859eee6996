"""The benchmark of evaluation runs; what it measures is for people to read."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.benchmarks import evaluate
from tests.docs.pages import ROOT


def figures_of(*words: str) -> dict[str, list[dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.evaluate", "--json", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return figures


def test_the_benchmark_prints_a_row_for_every_size() -> None:
    sections = "answers,machinery,bootstrap"
    words = ["--latency", "0.001", "--workers", "4", "--examples", "10"]
    words += ["--sizes", "10", "--dspy-sizes", "10", "--trainset", "10"]
    words += ["--accepted", "0", "--repeat", "1"]

    figures = figures_of("--sections", sections, *words)

    (answered,), (silent,) = figures["answers"], figures["machinery"]
    assert (answered["latency_ms"], answered["workers"]) == (1, 4)
    for row in (answered, silent):
        assert row["examples"] == 10
        assert row["dspex"].keys() == row["threads"].keys()
        assert "cpu_ms" in row["dspex_over_threads"]
    (looked,) = figures["bootstrap"]
    assert looked["dspex"]["judged"] == 10, "none is accepted, so all are looked at"


def test_ratios_are_of_what_both_sides_have() -> None:
    row = {"dspex": {"cpu_ms": 1.0, "more": 3.0}, "dspy": {"cpu_ms": 4.0}}

    assert evaluate.ratios(row) == {"dspex_over_dspy": {"cpu_ms": 0.25}}
