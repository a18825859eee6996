"""What a program costs before and after its model answers, beside DSPy.

Run it with `python -m tests.benchmarks.programs [--json] [--dspy-python PATH]
[--repeat N]`. Measured are the CPU time of formatting a prompt and parsing its answer,
the import, and the way from the import to the first answer of a provider on this
machine. Both libraries run the very same lines (`programs_side`), in turn, each in a
fresh process; without `--dspy-python` only dspex's figures are printed. Figures are
medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.first import provider
from tests.docs.pages import ROOT

SIDE = ROOT / "tests/benchmarks/programs_side.py"

Figures = dict[str, float]


def side(python: str, library: str, *words: str) -> Figures:
    """Run one side in a fresh process."""
    # As an installed package has it: compiled once.
    compiled = Path(tempfile.gettempdir()) / "dspex-benchmark-compiled"
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE"
    }
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            # Not with the script's folder: a file there is called supervisors.
            [python, "-P", str(SIDE), library, *words],
            env={
                **environment,
                "PYTHONPYCACHEPREFIX": str(compiled),
                "PYTHONPATH": str(ROOT) if library == "dspex" else "",
                "DSPEX_HOME": home,
                "DSPY_CACHEDIR": home,
            },
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    figures: Figures = json.loads(done.stdout)
    return figures


def median(rounds: list[Figures]) -> Figures:
    """Return the median of each figure."""
    return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}


def measure(pythons: dict[str, str], repeat: int, *words: str) -> dict[str, Figures]:
    """Let the libraries take turns, so that a busy moment meets both."""
    rounds: dict[str, list[Figures]] = {library: [] for library in pythons}
    for library, python in pythons.items():
        side(python, library, *words)  # compiles what is new
    for _ in range(repeat):
        for library, python in pythons.items():
            rounds[library].append(side(python, library, *words))
    return {library: median(found) for library, found in rounds.items()}


def with_share(found: dict[str, Figures]) -> dict[str, Any]:
    """Add dspex's share of DSPy's figures."""
    if "dspy" not in found:
        return dict(found)
    ours, theirs = found["dspex"], found["dspy"]
    share = {key: round(ours[key] / theirs[key], 3) for key in ours if theirs.get(key)}
    return {**found, "share_of_dspy": share}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--dspy-python", help="a Python that has DSPy")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    pythons = {"dspex": sys.executable}
    if options.dspy_python:
        pythons["dspy"] = options.dspy_python
    repeat = options.repeat
    figures: dict[str, Any] = {"import": measure(pythons, repeat, "import")}
    figures["import_and_name_parts"] = measure(pythons, repeat, "names")
    with provider(0.0) as base_url:
        figures["import_to_first_answer"] = measure(pythons, repeat, "first", base_url)
    figures["format_and_parse_cpu_us"] = measure(pythons, repeat, "format", "1")
    figures = {name: with_share(found) for name, found in figures.items()}
    figures["load_average"] = os.getloadavg()[0]
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(name, json.dumps(value, indent=2))


if __name__ == "__main__":
    main()
