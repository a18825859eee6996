"""One side of `tests.benchmarks.faults`: the same lines, in the library named first.

    python faults_side.py dspex|dspy '{"base_url": ..., "examples": 200, ...}'

It is run by its path, by a Python that has the library, and imports nothing of this
project. It evaluates once and prints what came of it, as JSON on one line, as soon as
that is known; how long the process lives on after that line is for its parent to see.
"""

from __future__ import annotations

import importlib
import json
import logging
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import Any

READY = "ready"
"""The line that is printed when the clock starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One evaluation, as the parent orders it."""

    base_url: str
    warm_url: str
    """A provider without faults, for an example before the clock starts."""
    examples: int = 200
    times: int = 1
    """How often each question is asked, one after the other."""
    steps: int = 1
    """Calls that the program makes for an example, one after the other."""
    metric_fails_every: int = 0
    """The metric raises on one in so many; 0 never."""
    max_errors: int | None = None
    """Errors at which to stop; `None` leaves the default."""
    cache: bool = False
    lm: dict[str, Any] = field(default_factory=dict)
    """More settings of the model, for both libraries."""
    dspex_only: dict[str, Any] = field(default_factory=dict)
    """Settings of `Evaluate` that DSPy does not have."""


def program(library: Any, steps: int) -> Any:
    """Return a program of so many steps."""

    class Steps(library.Module):  # type: ignore[misc] # of whichever library
        def __init__(self) -> None:
            super().__init__()
            self.ask = library.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            for step in range(1, steps):
                self.ask(question=f"{question} step {step}")
            return self.ask(question=question)

    return Steps()


def evaluate(library: Any, name: str, order: Order) -> Any:
    """Evaluate once."""
    settings = {"api_base": order.base_url, "api_key": "sk-bench", "cache": order.cache}
    model = library.LM("openai/gpt-4o-mini", **settings, **order.lm)
    library.configure(lm=model)
    numbers = (number // order.times for number in range(order.examples))
    rows = ({"question": f"q{n}", "answer": "yes"} for n in numbers)

    def metric(example: Any, prediction: Any, trace: Any = None) -> bool:
        every = order.metric_fails_every
        if every and int(example.question[1:]) % every == 0:
            raise ValueError("the metric has a bug")
        return bool(example.answer == prediction.answer)

    more = dict(order.dspex_only) if name == "dspex" else {}
    if order.max_errors is not None:
        more["max_errors"] = order.max_errors
    evaluation = library.Evaluate(
        devset=[library.Example(**row).with_inputs("question") for row in rows],
        metric=metric,
        num_threads=16,
        display_progress=False,
        **more,
    )
    return evaluation(program(library, order.steps))


def told_of(error: BaseException) -> dict[str, Any]:
    """What an error says, and what was measured before it."""
    causes: list[str] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and len(causes) < 4:
        causes.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    result = getattr(error, "result", None)
    return {
        "error": f"{type(error).__name__}: {error}"[:400],
        "causes": causes,
        "kept": None if result is None else measured(result),
    }


def measured(result: Any) -> int:
    """Return how many examples a result has an outcome for."""
    outcomes = getattr(result, "outcomes", None)
    if outcomes is None:
        return len(result.results)
    return sum(outcome is not None for outcome in outcomes)


def main() -> None:
    """Evaluate, and say what came of it."""
    name, words = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    # The line with what came of it stands alone.
    out, sys.stdout = sys.stdout, sys.stderr
    library = importlib.import_module(name)
    order = Order(**json.loads(words))
    evaluate(library, name, Order(base_url=order.warm_url, warm_url="", examples=1))
    # A shell's background jobs ignore Ctrl-C, and their children after them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(READY, file=out, flush=True)
    began = time.monotonic()
    try:
        result = evaluate(library, name, order)
        told = {"score": result.score}
        if name == "dspex":
            told["says"] = str(result)[:400]
    # Ctrl-C is what some of the rows are about.
    except BaseException as error:
        told = told_of(error)
    told["wall_s"] = round(time.monotonic() - began, 2)
    print(json.dumps(told), file=out, flush=True)


if __name__ == "__main__":
    main()
