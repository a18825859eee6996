"""What optimisers take beside their model, beside DSPy's: wall time, CPU and calls.

Run it with `python -m tests.benchmarks.optimisers [--json] [--dspy-python PATH]
[--optimisers NAMES] [--latency SECONDS] [--workers N] [--rows N] [--candidates N]
[--repeat N]`, the names with commas. Both sides of a row run the very same lines
(`optimisers_side`) on the same task, one after the other, each in a process of its own
against a fresh provider in this one, so a CPU figure is that side's alone. Nothing is
cached. Figures are medians over the repetitions, after one that does not count; `calls`
are the requests on the provider's bill for each. Without `--dspy-python` DSPy's are
left out.

`wall_over_ideal` is the time taken over the least there is: all calls in full rounds of
so many workers, or the CPU measured, whichever is more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from dspex.testing import FakeProvider, ScriptedTask
from tests.benchmarks.client import listed
from tests.benchmarks.evaluate import line_of, ratios
from tests.benchmarks.optimisers_side import OPTIMISERS
from tests.docs.pages import ROOT

SIDE = ROOT / "tests/benchmarks/optimisers_side.py"

Figures = dict[str, Any]


def row_of(options: argparse.Namespace, optimiser: str) -> Figures:
    """Measure one optimiser on each side."""
    pythons = {"dspex": sys.executable}
    if options.dspy_python:
        pythons["dspy"] = options.dspy_python
    sides = {
        name: side(options, optimiser, name, python) for name, python in pythons.items()
    }
    return {"optimiser": optimiser, **sides, **ratios(sides)}


def side(
    options: argparse.Namespace, optimiser: str, name: str, python: str
) -> Figures:
    """Measure one side, in a fresh process with a home of its own."""
    task = ScriptedTask(seed=0, train=options.rows, dev=options.rows, useful_share=0.8)
    with (
        FakeProvider(answer=task.answer, latency=options.latency) as provider,
        tempfile.TemporaryDirectory() as home,
    ):
        order = {
            "base_url": provider.base_url,
            "workers": options.workers,
            "repeat": options.repeat,
            "candidates": options.candidates,
            "train": [row.toDict() for row in task.trainset],
            "chosen_on": [row.toDict() for row in task.devset],
        }
        done = subprocess.run(
            # Not with the script's folder: files there are called as modules are.
            [python, "-P", SIDE, name, optimiser, json.dumps(order)],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT) if name == "dspex" else "",
                "DSPEX_HOME": home,
                "DSPY_CACHEDIR": home,
                "TQDM_DISABLE": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        calls = len(provider.bill) / (1 + options.repeat)
    if done.returncode:
        # A row of its own must not cost the others: they take minutes.
        return {"error": done.stderr.strip().splitlines()[-1]}
    figures: Figures = json.loads(done.stdout)
    least = max(calls / options.workers * options.latency, figures["cpu_s"])
    over = figures["wall_s"] / least
    return {**figures, "calls": calls, "wall_over_ideal": over}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--dspy-python", help="a Python that has DSPy")
    parser.add_argument("--optimisers", type=listed(str), default=list(OPTIMISERS))
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    figures: Figures = {"rows": []}
    for optimiser in options.optimisers:
        row = row_of(options, optimiser)
        figures["rows"].append(row)
        # As they come: a whole run takes minutes.
        print(line_of(row), file=sys.stderr, flush=True)
    figures["load_average"] = os.getloadavg()[0]
    if options.json:
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
