"""The benchmark of optimisers; what it measures is for people to read."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks import optimisers


def test_the_benchmark_prints_a_row_for_every_optimiser_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--latency", "0.001", "--workers", "4", "--rows", "6", "--repeat", "1"]
    words += ["--candidates", "1", "--optimisers", "BootstrapFewShotWithRandomSearch"]
    monkeypatch.setattr("sys.argv", ["optimisers", "--json", *words])

    optimisers.main()

    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["optimiser"] == "BootstrapFewShotWithRandomSearch"
    # Four candidates on six rows each, and a teacher's answers for two of them.
    assert row["dspex"]["calls"] >= 4 * 6 + 2
    assert row["dspex"].keys() == {"wall_s", "cpu_s", "calls", "wall_over_ideal"}
