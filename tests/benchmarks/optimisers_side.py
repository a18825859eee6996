"""One side of `tests.benchmarks.optimisers`: the same lines, whichever the library.

    python optimisers_side.py dspex|dspy OPTIMISER '{"base_url": "...", ...}'

It is run by its path, by a Python that has the library, and imports nothing of this
project. Whatever is written here works with both libraries, because dspex keeps DSPy's
names. It prints its figures as JSON; a process is one side of one row, so CPU time is
that side's alone.
"""

from __future__ import annotations

import importlib
import json
import logging
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MODEL = "gpt-4o-mini"
"""In DSPy's table of prices: a model that is not costs it more."""

Figures = dict[str, Any]
Rows = list[dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for."""

    base_url: str
    workers: int
    repeat: int
    candidates: int
    train: Rows = field(default_factory=list)
    chosen_on: Rows = field(default_factory=list)


def right(example: Any, prediction: Any, trace: Any = None) -> bool:
    """Compare."""
    return bool(example.answer == prediction.answer)


def examples(library: Any, rows: Rows) -> list[Any]:
    """Return rows as the library's examples."""
    return [library.Example(**row).with_inputs("question") for row in rows]


# What is done, by optimiser.


def bootstrap(library: Any, student: Any, order: Order) -> object:
    """Look for demos."""
    more = {"num_threads": order.workers} if library.__name__ == "dspex" else {}
    optimiser = library.BootstrapFewShot(
        metric=right, max_bootstrapped_demos=8, max_labeled_demos=8, **more
    )
    return optimiser.compile(student, trainset=examples(library, order.train))


def random_search(library: Any, student: Any, order: Order) -> object:
    """Choose the best of several sets of demos."""
    teleprompt = importlib.import_module(f"{library.__name__}.teleprompt")
    optimiser = teleprompt.BootstrapFewShotWithRandomSearch(
        metric=right,
        max_bootstrapped_demos=4,
        max_labeled_demos=4,
        num_candidate_programs=order.candidates,
        num_threads=order.workers,
    )
    return optimiser.compile(
        student,
        trainset=examples(library, order.train),
        valset=examples(library, order.chosen_on),
    )


def copro(library: Any, student: Any, order: Order) -> object:
    """Climb over wordings."""
    teleprompt = importlib.import_module(f"{library.__name__}.teleprompt")
    optimiser = teleprompt.COPRO(metric=right, breadth=order.candidates, depth=3)
    return optimiser.compile(
        student,
        trainset=examples(library, order.chosen_on),
        eval_kwargs={"num_threads": order.workers, "display_progress": False},
    )


def mipro(library: Any, student: Any, order: Order) -> object:
    """Combine instructions and demos."""
    teleprompt = importlib.import_module(f"{library.__name__}.teleprompt")
    optimiser = teleprompt.MIPROv2(
        metric=right,
        auto=None,
        num_candidates=order.candidates,
        num_threads=order.workers,
    )
    return optimiser.compile(
        student,
        trainset=examples(library, order.train),
        valset=examples(library, order.chosen_on),
        num_trials=2 * order.candidates,
        minibatch_size=len(order.chosen_on) // 2,
    )


OPTIMISERS: dict[str, Callable[[Any, Any, Order], object]] = {
    "BootstrapFewShot": bootstrap,
    "BootstrapFewShotWithRandomSearch": random_search,
    "COPRO": copro,
    "MIPROv2": mipro,
}
"""What can be measured, by name."""


def measured(
    library: Any, work: Callable[[Any, Any, Order], object], order: Order
) -> Figures:
    """Do the work so often; the median of each figure."""
    library.configure(
        lm=library.LM(
            f"openai/{MODEL}",
            api_base=order.base_url,
            api_key="sk-bench",
            cache=False,
        )
    )
    walls, costs = [], []
    # The first round opens connections and imports modules.
    for number in range(1 + order.repeat):
        student = library.Predict("question -> answer")
        wall, cpu = time.perf_counter(), time.process_time()
        work(library, student, order)
        if number:
            walls.append(time.perf_counter() - wall)
            costs.append(time.process_time() - cpu)
    return {"wall_s": statistics.median(walls), "cpu_s": statistics.median(costs)}


def main() -> None:
    """Measure one optimiser, and print it as JSON."""
    name, optimiser, words = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    # DSPy's optimisers report with print(), and the figures have to stand alone.
    out, sys.stdout = sys.stdout, sys.stderr
    library = importlib.import_module(name)
    figures = measured(library, OPTIMISERS[optimiser], Order(**json.loads(words)))
    json.dump(figures, out)


if __name__ == "__main__":
    main()
