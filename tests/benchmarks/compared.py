"""dspex, DSPy, inspect_ai and promptfoo: the figures of `docs/explanation/compared.md`.

Run it with `python -m tests.benchmarks.compared [--json] [--dspy-python PATH]
[--inspect-python PATH] [--promptfoo FOLDER] [--sections NAMES] [--examples N]
[--workers N] [--latency SECONDS] [--repeat N] [--patience SECONDS]`. It prints the
table of that page. Who is not named is left out, and the last line says so; FOLDER is
where `npm install promptfoo` was run, with `node@22` beside it where the machine's is
older.

Each is a real program in processes of its own. They get the same questions, 16 at a
time, and the same answers from the same fake provider on loopback; inspect_ai and
promptfoo get dspex's prompt as text, and compare the whole answer. Rounds are paired:
in each, all take their turn. Figures are medians of the rounds.

- `importing`: what it costs to start, load what an evaluation needs, and leave.
- `evaluating`: whole programs without a cache, of as many examples as workers and of
  `--examples`. The first is the start; the difference is what further examples cost.
- `killed`: the provider's bill of 200 examples after `kill -9` in the middle and going
  on in each one's own way: `run=`, the two caches, `eval-retry`, `--resume`.
- `failing`: what the result says when the metric raises on a fifth of the examples.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dspex.testing import FakeProvider
from tests.benchmarks.client import listed
from tests.benchmarks.compared_contestants import Contestant, Order, contestants
from tests.benchmarks.compared_process import Running, Spent, run
from tests.benchmarks.compared_table import table
from tests.benchmarks.fault_rows import RIGHT

FAILING_OF, FAILS_EVERY = 100, 5

OPTIONS = {
    "dspy": "--dspy-python",
    "inspect_ai": "--inspect-python",
    "promptfoo": "--promptfoo",
}
"""How one says where each of the others is."""

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    examples: int = 500
    workers: int = 16
    latency: float = 0.02
    """Seconds that the provider takes for an answer."""
    repeat: int = 5
    """Rounds, beside the one that warms up."""
    patience: float = 150.0
    """Seconds after which a program is killed."""
    killed_of: int = 200
    """Examples of an evaluation that is killed."""
    killed_after: int = 64
    """Requests on the bill after which it is."""
    killed_latency: float = 0.2


class FailedError(Exception):
    """A contestant that did not do what it was to be measured at."""


@contextmanager
def homes(those: Sequence[Contestant]) -> Iterator[dict[str, Path]]:
    """Give each a folder for what it writes."""
    with ExitStack() as stack:
        yield {
            it.name: Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
                )
            )
            for it in those
        }


def answering(latency: float) -> FakeProvider:
    """Make the provider; nothing else goes on in its process meanwhile."""
    return FakeProvider(answer=lambda _messages: RIGHT, latency=latency)


def checked(spent: Spent) -> Spent:
    """Refuse a job that failed."""
    if spent.code:
        raise FailedError(f"exit status {spent.code}: {spent.output[-300:]}")
    return spent


def paired(
    those: Sequence[Contestant], repeat: int, measure: Callable[[Contestant], Figures]
) -> dict[str, Figures]:
    """Let all take turns; the first round, which warms up, is left out.

    Who fails has a text instead of figures: the others take minutes.
    """
    rounds: dict[str, list[Figures]] = {it.name: [] for it in those}
    failed: dict[str, Figures] = {}
    for _ in range(repeat + 1):
        for it in those:
            if it.name in failed:
                continue
            try:
                rounds[it.name].append(measure(it))
            except FailedError as error:
                failed[it.name] = {"error": str(error)}
    return {
        name: failed.get(name) or medians(found[1:]) for name, found in rounds.items()
    }


def medians(rounds: Sequence[Figures]) -> Figures:
    """Return the median of each figure, and between what the CPU times were."""
    columns = {key: [each[key] for each in rounds] for key in rounds[0]}
    found: Figures = {key: statistics.median(it) for key, it in columns.items()}
    for key, values in columns.items():
        if key.startswith("cpu_"):
            found[f"{key}_range"] = [min(values), max(values)]
    return found


class Comparison:
    """What is measured of whom."""

    def __init__(self, those: Sequence[Contestant], sizes: Sizes) -> None:
        self._those = those
        self._sizes = sizes

    def importing(self) -> Figures:
        """Start, load, leave."""
        versions: dict[str, str] = {}
        with homes(self._those) as home:

            def measure(it: Contestant) -> Figures:
                spent = checked(run(it.starting(home[it.name]), self._sizes.patience))
                versions[it.name] = spent.output.split()[-1]
                return {"wall_s": spent.wall_s, "cpu_s": spent.cpu_s}

            found = paired(self._those, self._sizes.repeat, measure)
        return {
            name: {**figures, "version": versions.get(name)}
            for name, figures in found.items()
        }

    def evaluating(self) -> Figures:
        """Evaluate a few and many; the difference is what an example costs."""
        sizes = self._sizes
        with homes(self._those) as home, answering(sizes.latency) as provider:

            def measure(it: Contestant) -> Figures:
                few, many = (
                    self._evaluated(it, home[it.name], provider.base_url, examples)
                    for examples in (sizes.workers, sizes.examples)
                )
                further = sizes.examples - sizes.workers
                return {
                    "start_wall_s": few.wall_s,
                    "cpu_start_s": few.cpu_s,
                    "wall_s": many.wall_s - few.wall_s,
                    "cpu_ms": 1000 * (many.cpu_s - few.cpu_s) / further,
                }

            return paired(self._those, sizes.repeat, measure)

    def _evaluated(
        self, it: Contestant, home: Path, base_url: str, examples: int
    ) -> Spent:
        order = Order(base_url=base_url, examples=examples, workers=self._sizes.workers)
        spent = checked(run(it.evaluating(order, home), self._sizes.patience))
        if examples < self._sizes.examples:
            return spent  # asking for the result of each would take long
        told = it.told(home, spent.output)
        if told["score"] != 100:
            raise FailedError(f"score {told['score']}: {told['says']}")
        return spent

    def killed(self) -> Figures:
        """Kill each in the middle, let it go on, and read the bill."""
        return {it.name: self._killed(it) for it in self._those}

    def _killed(self, it: Contestant) -> Figures:
        patience = self._sizes.patience
        with (
            homes([it]) as home,
            answering(self._sizes.killed_latency) as provider,
        ):
            order = Order(
                base_url=provider.base_url,
                examples=self._sizes.killed_of,
                workers=self._sizes.workers,
                resumable=True,
            )
            running = Running(it.evaluating(order, home[it.name]))
            try:
                provider.wait_for_bill(self._sizes.killed_after, patience)
            except TimeoutError as error:
                return {"error": f"{error} {running.kill().output[-300:]}"}
            running.kill()
            before = len(provider.bill)
            spent = run(it.going_on(order, home[it.name]), patience)
            told = it.told(home[it.name], spent.output)
            bill = provider.bill
        answered = {json.dumps(it.body) for it in bill if it.fate == "answered"}
        twice = sum(it.fate == "answered" for it in bill) - len(answered)
        counted = {"before": before, "requests": len(bill), "answered_twice": twice}
        return {**counted, **told}

    def failing(self) -> Figures:
        """Have each metric raise, and read the result."""
        return {it.name: self._failing(it) for it in self._those}

    def _failing(self, it: Contestant) -> Figures:
        with (
            homes([it]) as home,
            answering(self._sizes.latency) as provider,
        ):
            order = Order(
                base_url=provider.base_url,
                examples=FAILING_OF,
                workers=self._sizes.workers,
                fails_every=FAILS_EVERY,
            )
            spent = run(it.evaluating(order, home[it.name]), self._sizes.patience)
            told = it.told(home[it.name], spent.output)
            return {"requests": len(provider.bill), "exit": spent.code, **told}

    SECTIONS: Mapping[str, Callable[[Comparison], Figures]] = {
        "importing": importing,
        "evaluating": evaluating,
        "killed": killed,
        "failing": failing,
    }
    """What is measured, by name."""


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--dspy-python", help="a Python that has DSPy")
    parser.add_argument("--inspect-python", help="a Python that has inspect_ai, openai")
    parser.add_argument("--promptfoo", help="the folder where npm installed promptfoo")
    parser.add_argument("--sections", type=listed(str), help="which; all unless given")
    measured = ("examples", "workers", "latency", "repeat", "patience")
    usual = Sizes()
    for size in measured:
        default = getattr(usual, size)
        parser.add_argument(f"--{size}", type=type(default), default=default)
    options = parser.parse_args(words)
    those = contestants(options.dspy_python, options.inspect_python, options.promptfoo)
    sizes = Sizes(**{size: getattr(options, size) for size in measured})
    comparison = Comparison(those, sizes)
    figures: Figures = {"load_before": os.getloadavg()[0]}
    for name in options.sections or Comparison.SECTIONS:
        figures[name] = Comparison.SECTIONS[name](comparison)
        # As they come: a whole run takes minutes.
        print(name, json.dumps(figures[name]), file=sys.stderr, flush=True)
    figures["load_after"] = os.getloadavg()[0]
    names = [it.name for it in those]
    figures["left_out"] = {k: v for k, v in OPTIONS.items() if k not in names}
    print(json.dumps(figures, indent=2) if options.json else table(figures, names))


if __name__ == "__main__":
    main()
