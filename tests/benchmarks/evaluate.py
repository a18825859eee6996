"""What an evaluation costs beside its model, beside DSPy and a bare pool of threads.

Run it with `python -m tests.benchmarks.evaluate [--json] [--dspy-python PATH]
[--sections NAMES] [--latency SECONDS] [--workers NUMBERS] [--examples N] [--repeat N]`,
the lists with commas. All sides of a row run the very same lines (`evaluate_side`) on
the same provider, one after the other, each in a process of its own; the provider is
another process, so a CPU figure is that side's alone. Figures are medians; without
`--dspy-python` DSPy's are left out.

- `answers`: every example asks the provider. `wall_over_ideal` is the time taken over
  what it has to take: the latency of each round of examples, or the CPU measured,
  whichever is more.
- `cached`: the same again, from the cache.
- `machinery`: no example asks anybody. DSPy's cost grows with the square of the set, so
  it is measured at the sizes of `--dspy-sizes` only.
- `stream`: memory while a million examples are made one by one; dspex alone.
- `record`: dspex with its record of the run, and without.
- `bootstrap`: looking for demos in 200 examples.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.client import listed
from tests.benchmarks.first import provider
from tests.docs.pages import ROOT

SIDE = ROOT / "tests/benchmarks/evaluate_side.py"

SECONDS_OF_WAITING = 4.0
"""About how long one round may take because of the provider's latency."""

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """What was asked for on the command line."""

    options: argparse.Namespace

    def pythons(self) -> dict[str, str]:
        """Who can be measured, by name, with the Python that runs it."""
        found = {"dspex": sys.executable, "threads": sys.executable}
        if self.options.dspy_python:
            found["dspy"] = self.options.dspy_python
        return found

    def side(self, name: str, section: str, **sizes: Any) -> Figures:
        """Measure one side of one row in a fresh process with a home of its own."""
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run(
                # Not with the script's folder: files there are called as modules are.
                [self.pythons()[name], "-P", SIDE, name, section, json.dumps(sizes)],
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
        if done.returncode:
            # A row of its own must not cost the others: they take minutes.
            return {"error": done.stderr.strip().splitlines()[-1]}
        figures: Figures = json.loads(done.stdout)
        return figures

    def sides(self, names: list[str], section: str, **sizes: Any) -> Figures:
        """Measure several sides one after the other; dspex's figures over theirs."""
        known = [name for name in names if name in self.pythons()]
        row = {name: self.side(name, section, **sizes) for name in known}
        return {**row, **ratios(row)}


def ratios(row: Mapping[str, Figures]) -> Figures:
    """Divide dspex's figures by those of the others."""
    ours = row["dspex"]
    return {
        f"dspex_over_{name}": {
            key: round(ours[key] / theirs[key], 3)
            for key in ours
            if isinstance(theirs.get(key), float | int) and theirs[key]
        }
        for name, theirs in row.items()
        if name != "dspex"
    }


# The sections.


def answers(bench: Bench) -> Iterator[Figures]:
    """Every latency with every number of workers."""
    options = bench.options
    for latency in options.latency:
        for workers in options.workers:
            count = options.examples
            if latency:
                count = min(count, int(SECONDS_OF_WAITING * workers / latency))
            count = max(count, min(2 * workers, options.examples))
            with provider(latency) as base_url:
                row = bench.sides(
                    ["dspex", "threads", "dspy"],
                    "answers",
                    base_url=base_url,
                    examples=count,
                    workers=workers,
                    repeat=options.repeat,
                )
            # Whole rounds: the last one takes as long as the others.
            waited = -(-count // workers) * latency
            for side in (row[name] for name in bench.pythons()):
                if "cpu_ms" in side:
                    least = max(waited, count * side["cpu_ms"] / 1000)
                    side["wall_over_ideal"] = side["wall_s"] / least
            latency_ms = round(1000 * latency)
            sizes = {"latency_ms": latency_ms, "workers": workers, "examples": count}
            yield {**sizes, **row}


def cached(bench: Bench) -> Iterator[Figures]:
    """Again from the cache, in the process that filled it."""
    count = bench.options.examples
    with provider(0.0) as base_url:
        for workers in (1, 16):
            row = bench.sides(
                ["dspex", "dspy"],
                "cached",
                base_url=base_url,
                examples=count,
                workers=workers,
                repeat=bench.options.repeat,
            )
            yield {"workers": workers, "examples": count, **row}


def machinery(bench: Bench) -> Iterator[Figures]:
    """Examples that ask nobody, in sets of several sizes."""
    options = bench.options
    for count in sorted({*options.sizes, *options.dspy_sizes}):
        names = ["dspex", "threads"]
        if count in options.dspy_sizes:
            names.append("dspy")
        # A large set is its own repetition.
        repeat = options.repeat if count <= options.examples else 1
        row = bench.sides(names, "machinery", examples=count, repeat=repeat)
        yield {"examples": count, "workers": 16, **row}


def stream(bench: Bench) -> Iterator[Figures]:
    """A set that is never in memory."""
    count = bench.options.stream
    yield {"examples": count, "dspex": bench.side("dspex", "stream", examples=count)}


def record(bench: Bench) -> Iterator[Figures]:
    """With the record of the run on disk, and without any."""
    options = bench.options
    cases = {"machinery": (0.0, 16), "answers": (0.02, 16)}
    for section, (latency, workers) in cases.items():
        with provider(latency) as base_url:
            kept, not_kept = (
                bench.side(
                    "dspex",
                    section,
                    base_url=base_url,
                    examples=options.examples,
                    workers=workers,
                    repeat=options.repeat,
                    persist=persist,
                )
                for persist in (True, False)
            )
        over = ratios({"dspex": kept, "none": not_kept})["dspex_over_none"]
        sizes = {"section": section, "workers": workers, "examples": options.examples}
        yield {**sizes, "recorded": kept, "not_recorded": not_kept, "ratio": over}


def bootstrap(bench: Bench) -> Iterator[Figures]:
    """Several shares of right answers; with 0, it looks at every example."""
    for accepted in bench.options.accepted:
        with provider(0.02) as base_url:
            row = bench.sides(
                ["dspex", "dspy"],
                "bootstrap",
                base_url=base_url,
                examples=bench.options.trainset,
                workers=16,
                accepted=accepted,
                repeat=bench.options.repeat,
            )
        yield {"accepted": accepted, "examples": bench.options.trainset, **row}


SECTIONS: dict[str, Callable[[Bench], Iterator[Figures]]] = {
    "answers": answers,
    "cached": cached,
    "machinery": machinery,
    "stream": stream,
    "record": record,
    "bootstrap": bootstrap,
}
"""What is measured, by name."""


def line_of(row: Figures) -> str:
    """Write a row for people: what it is, then each side's figures."""
    sides = {key: value for key, value in row.items() if isinstance(value, dict)}
    what = " ".join(f"{key}={row[key]}" for key in row if key not in sides)
    lines = [what]
    for name, figures in sides.items():
        told = (
            f"{key} {value:,.3g}" if isinstance(value, float | int) else str(value)
            for key, value in figures.items()
            if not isinstance(value, list)
        )
        lines.append(f"    {name:20} {', '.join(told)}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--dspy-python", help="a Python that has DSPy")
    parser.add_argument("--sections", type=listed(str), default=list(SECTIONS))
    parser.add_argument("--latency", type=listed(float), default=[0.0, 0.02, 0.2])
    parser.add_argument("--workers", type=listed(int), default=[1, 16, 64, 256])
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--sizes", type=listed(int), default=[1_000, 100_000])
    parser.add_argument("--dspy-sizes", type=listed(int), default=[1_000, 4_000])
    parser.add_argument("--stream", type=int, default=1_000_000)
    parser.add_argument("--trainset", type=int, default=200)
    parser.add_argument("--accepted", type=listed(float), default=[1.0, 0.1, 0.0])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    figures: Figures = {}
    for name in options.sections:
        figures[name] = []
        for row in SECTIONS[name](Bench(options)):
            figures[name].append(row)
            # As they come: a whole run takes minutes.
            print(f"{name} {line_of(row)}", file=sys.stderr, flush=True)
    figures["load_average"] = os.getloadavg()[0]
    if options.json:
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
