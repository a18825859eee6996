"""dspex and DSPy beside each other: the figures of `docs/explanation/compared.md`.

Run it with `python -m tests.benchmarks.compared [--json] [--dspy-python PATH]
[--sections NAMES] [--examples N] [--workers N] [--latency SECONDS] [--repeat N]
[--patience SECONDS]`.
Both run the same lines on the same fake provider, one after the other, each in a fresh
process. Figures are medians; without `--dspy-python` DSPy's are left out.

- `importing`: seconds until the names one needs are there, by `time.process_time`.
- `evaluating`: wall time, and CPU for each example, of `tests.benchmarks.evaluate`.
- `killed`: what is on the provider's bill after `kill -9` and the same call again.
- `failing`: the score when the metric raises on a fifth of the examples.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from typing import Any

from tests.benchmarks.client import listed
from tests.benchmarks.evaluate import Bench
from tests.benchmarks.fault_rows import ROWS
from tests.benchmarks.faults import line
from tests.benchmarks.first import provider
from tests.docs.pages import ROOT

IMPORT = """
import importlib, sys, time
wall, cpu = time.perf_counter(), time.process_time()
library = importlib.import_module(sys.argv[1])
library.LM, library.Evaluate, library.Predict
print(time.perf_counter() - wall, time.process_time() - cpu)
"""

KILLED = "SIGKILL, and the same again with the cache"
FAILING = "metric raises on 20 of 100"

Figures = dict[str, Any]


def importing(name: str, python: str, repeat: int) -> Figures:
    """Import in fresh processes; the first, which writes bytecode, is left out."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    path = str(ROOT) if name == "dspex" else ""
    runs = []
    with tempfile.TemporaryDirectory() as bytecode:
        for _ in range(repeat + 1):
            done = subprocess.run(
                [python, "-c", IMPORT, name],
                env={**kept, "PYTHONPATH": path, "PYTHONPYCACHEPREFIX": bytecode},
                capture_output=True,
                text=True,
                check=True,
            )
            runs.append([float(word) for word in done.stdout.split()])
    wall, cpu = map(statistics.median, zip(*runs[1:], strict=True))
    return {"wall_s": wall, "cpu_s": cpu}


def evaluating(bench: Bench) -> Figures:
    """Evaluate with the cache off; dspex's figures over DSPy's beside them."""
    options = bench.options
    with provider(options.latency) as base_url:
        return bench.sides(
            ["dspex", "dspy"],
            "answers",
            base_url=base_url,
            examples=options.examples,
            workers=options.workers,
            repeat=options.repeat,
        )


def disturbed(name: str, pythons: dict[str, str], patience: float) -> Figures:
    """Run one row of `tests.benchmarks.faults` with each library."""
    [row] = [row for row in ROWS if row.name == name]
    return {
        library: line(row, python, library, patience)
        for library, python in pythons.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--dspy-python", help="a Python that has DSPy")
    parser.add_argument("--sections", type=listed(str), help="which; all unless given")
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--patience", type=float, default=150.0)
    options = parser.parse_args()
    bench = Bench(options)
    pythons = bench.pythons()
    del pythons["threads"]
    sections: dict[str, Callable[[], Figures]] = {
        "importing": lambda: {
            name: importing(name, python, options.repeat)
            for name, python in pythons.items()
        },
        "evaluating": lambda: evaluating(bench),
        "killed": lambda: disturbed(KILLED, pythons, options.patience),
        "failing": lambda: disturbed(FAILING, pythons, options.patience),
    }
    chosen = options.sections or sections
    figures: Figures = {name: sections[name]() for name in chosen}
    figures["load_average"] = os.getloadavg()[0]
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(name, value)


if __name__ == "__main__":
    main()
