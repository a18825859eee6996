"""What dspex costs beside the model: examples a second, CPU, import, memory.

Run it with `python -m tests.benchmarks.first [--json] [--examples N] [--workers N]
[--latency SECONDS] [--repeat N]`. The provider is a process of its own, so the CPU
figure is dspex's alone. Figures are medians over the repetitions.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PROVIDER = """
import sys
from dspex.testing import FakeProvider
answer = lambda messages: "[[ ## answer ## ]]\\nyes\\n\\n[[ ## completed ## ]]"
with FakeProvider(answer=answer, latency=float(sys.argv[1])) as provider:
    print(provider.base_url, flush=True)
    sys.stdin.read()
"""

IMPORT = """
import time
{memory}
before = memory_mb("VmRSS")
wall, cpu = time.perf_counter(), time.process_time()
import dspex
{more}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
rss = memory_mb("VmRSS")
print(wall, cpu, rss, rss - before)
"""


def memory_mb(field: str) -> float:
    """Return this process's memory: `VmRSS` now, or `VmHWM` at its peak.

    Its source is also run in fresh processes, so it stands alone.
    """
    import resource
    import sys
    from pathlib import Path

    status = Path("/proc/self/status")
    if status.exists():
        lines = [line.split() for line in status.read_text().splitlines()]
        return next(int(line[1]) / 1024 for line in lines if line[0] == f"{field}:")
    # The second best: a child inherits it from its parent.
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


@contextmanager
def provider(latency: float) -> Iterator[str]:
    """A fake provider in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROVIDER, str(latency)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(10)


def evaluation(options: argparse.Namespace) -> dict[str, float]:
    """Evaluate `Predict` against the provider, cache off."""
    import dspex

    rows = [{"question": str(n), "answer": "yes"} for n in range(options.examples)]
    devset = dspex.load(rows, inputs=["question"])
    program = dspex.Predict("question -> answer")
    rates, costs = [], []
    with provider(options.latency) as base_url, dspex.Runtime():
        lm = dspex.LM("openai/gpt-4o-mini", api_base=base_url, cache=False)
        evaluate = dspex.Evaluate(
            devset=devset,
            metric=lambda example, prediction: example.answer == prediction.answer,
            concurrency=options.workers,
            display_progress=False,
        )
        with dspex.context(lm=lm):
            evaluate(program)  # connections, imports
            for _ in range(options.repeat):
                wall, cpu = time.perf_counter(), time.process_time()
                result = evaluate(program)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                assert result.score == 100.0, str(result)
                rates.append(options.examples / wall)
                costs.append(1000 * cpu / options.examples)
    ideal = options.workers / options.latency if options.latency else float("inf")
    return {
        "examples_per_second": statistics.median(rates),
        "cpu_ms_per_example": statistics.median(costs),
        "share_of_ideal": statistics.median(rates) / ideal,
        "peak_rss_mb": memory_mb("VmHWM"),
    }


def importing(more: str, repeat: int) -> dict[str, float]:
    """Import in fresh processes."""
    script = IMPORT.format(memory=inspect.getsource(memory_mb), more=more)
    runs: list[list[float]] = []
    for _ in range(repeat):
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
        )
        runs.append([float(word) for word in done.stdout.split()])
    names = ("wall_s", "cpu_s", "rss_mb", "rss_added_mb")
    columns = zip(*runs, strict=True)
    return dict(zip(names, map(statistics.median, columns), strict=True))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    use = "dspex.LM, dspex.Evaluate, dspex.Predict"
    # The imports come first, while this process, their parent, is still small.
    figures: dict[str, Any] = {
        "import_dspex": importing("", options.repeat),
        "import_and_use": importing(use, options.repeat),
        "evaluate": evaluation(options),
        "load_average": os.getloadavg()[0],
    }
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(name, value)


if __name__ == "__main__":
    main()
