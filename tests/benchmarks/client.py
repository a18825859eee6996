"""What one call costs: CPU, time and memory, beside plain HTTP clients.

Run it with `python -m tests.benchmarks.client [--json] [--rows NAMES]
[--concurrency NUMBERS] [--latency SECONDS] [--calls N] [--repeat N]`, the lists with
commas. The provider is a process of its own and so is each row, so a CPU figure is the
caller's alone. Figures are medians over the repetitions.

`wall_over_ideal` is the time taken over what it would have to take: the provider's
latency for each round of calls, or the CPU measured, whichever is more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from tests.benchmarks.client_rows import ROWS
from tests.benchmarks.first import provider

SECONDS_OF_WAITING = 4.0
"""About how long one round may take because of the provider's latency."""


def available() -> list[str]:
    """Return the rows that this dspex has."""
    import dspex

    return [row for row in ROWS if row != "lm_tasks" or hasattr(dspex.LM, "acall")]


def calls_of(options: argparse.Namespace, concurrency: int, latency: float) -> int:
    """Return how many calls a round makes."""
    wanted: int = options.calls
    if latency:
        wanted = min(wanted, int(SECONDS_OF_WAITING * concurrency / latency))
    return max(wanted, 2 * concurrency)


def calls(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure every row at every concurrency and latency that was asked for."""
    figures = []
    for latency in options.latency:
        for row in options.rows:
            for concurrency in options.concurrency:
                made = calls_of(options, concurrency, latency)
                with provider(latency) as base_url:
                    cell = in_own_process(row, base_url, concurrency, made, options)
                ideal = made / concurrency * latency
                least = max(ideal, made * cell["cpu_ms"] / 1000)
                figures.append(
                    {
                        "row": row,
                        "latency_ms": round(1000 * latency),
                        "concurrency": concurrency,
                        "calls": made,
                        "cpu_ms": round(cell["cpu_ms"], 3),
                        "wall_over_ideal": round(cell["wall_s"] / least, 2),
                        "peak_rss_mb": round(cell["peak_rss_mb"], 1),
                    }
                )
                print(figures[-1], file=sys.stderr, flush=True)
    return figures


def in_own_process(
    row: str, base_url: str, concurrency: int, made: int, options: argparse.Namespace
) -> dict[str, float]:
    """Measure one cell where nothing else has been loaded."""
    words = [row, f"{base_url}/chat/completions", concurrency, made, options.repeat]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.client_rows", *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    cell: dict[str, float] = json.loads(done.stdout)
    return cell


SECTIONS: dict[str, Callable[[argparse.Namespace], Any]] = {"calls": calls}
"""What is measured, by name."""


def listed(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Read words between commas."""
    return lambda text: [kind(word) for word in text.split(",")]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sections", type=listed(str), default=list(SECTIONS))
    parser.add_argument("--rows", type=listed(str), default=available())
    parser.add_argument(
        "--concurrency", type=listed(int), default=[1, 16, 64, 256, 1000]
    )
    parser.add_argument("--latency", type=listed(float), default=[0.0, 0.02, 0.2])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    figures = {name: SECTIONS[name](options) for name in options.sections}
    figures["load_average"] = os.getloadavg()[0]
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(name, value)


if __name__ == "__main__":
    main()
