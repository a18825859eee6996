"""One side of `tests.benchmarks.evaluate`: the same lines, in the library named first.

    python evaluate_side.py dspex|dspy|threads SECTION '{"examples": 1000, ...}'

It is run by its path, by a Python that has the library, and imports nothing of this
project. Whatever is written here works with both libraries, because dspex keeps DSPy's
names. `threads` is the least that Python's own library can do: a pool of threads, and a
connection of `http.client` for each. Each figure is printed as JSON; a process is one
side of one row, so CPU time and memory are that side's alone.
"""

from __future__ import annotations

import http.client
import importlib
import json
import logging
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MODEL = "gpt-4o-mini"
"""In DSPy's table of prices: a model that is not costs it more."""

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What is asked for; each section reads what it needs."""

    base_url: str = ""
    examples: int = 1000
    workers: int = 16
    repeat: int = 1
    persist: bool | None = None
    """Whether dspex keeps a record of the run; `None` leaves the default."""
    accepted: float = 1.0
    """Which part of the answers a bootstrap's metric accepts."""


def memory_mb() -> float:
    """Return this process's memory now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) / 1024 for x in lines if x.startswith("VmRSS:"))


def measured(work: Callable[[], object], examples: int, repeat: int) -> Figures:
    """Do the work so often; the median of each figure."""
    walls, costs = [], []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        costs.append(time.process_time() - cpu)
    wall, cpu = statistics.median(walls), statistics.median(costs)
    return {
        "wall_s": wall,
        "examples_per_second": examples / wall,
        "cpu_ms": 1000 * cpu / examples,
    }


# The bare pool of threads.


class Line:
    """A connection for each thread, kept open."""

    def __init__(self, base_url: str) -> None:
        self._parts = urlsplit(base_url)
        self._mine = threading.local()

    def ask(self, question: str) -> str:
        """Post a question as a chat; the completion's text."""
        try:
            connection: http.client.HTTPConnection = self._mine.connection
        except AttributeError:
            connection = http.client.HTTPConnection(
                self._parts.hostname or "", self._parts.port
            )
            self._mine.connection = connection
        body = {"model": MODEL, "messages": [{"role": "user", "content": question}]}
        headers = {
            "Content-Type": "application/json",
            "Authorization": "Bearer sk-bench",
        }
        path = f"{self._parts.path}/chat/completions"
        connection.request("POST", path, json.dumps(body).encode(), headers)
        answered = json.loads(connection.getresponse().read())
        text: str = answered["choices"][0]["message"]["content"]
        return text


def bare_evaluation(sizes: Sizes) -> Callable[[], None]:
    """Ask every question on a pool, and count the right answers."""
    line = Line(sizes.base_url)
    pool = ThreadPoolExecutor(sizes.workers)

    def scored(number: int) -> bool:
        return "yes" in line.ask(str(number))

    def work() -> None:
        assert all(pool.map(scored, range(sizes.examples)))

    return work


def bare_machinery(sizes: Sizes) -> Callable[[], None]:
    """Run a function that asks nobody on a pool."""
    pool = ThreadPoolExecutor(sizes.workers)

    def work() -> None:
        assert all(pool.map(lambda number: number >= 0, range(sizes.examples)))

    return work


# The libraries.


def devset(library: Any, count: int) -> list[Any]:
    """Return so many examples."""
    rows = ({"question": str(n), "answer": "yes"} for n in range(count))
    return [library.Example(**row).with_inputs("question") for row in rows]


def right(example: Any, prediction: Any, trace: Any = None) -> bool:
    """Compare."""
    return bool(example.answer == prediction.answer)


def configure(library: Any, sizes: Sizes, *, cache: bool) -> None:
    """Use the provider's model."""
    settings = {"api_base": sizes.base_url, "api_key": "sk-bench", "cache": cache}
    library.configure(lm=library.LM(f"openai/{MODEL}", **settings))


def evaluation(
    library: Any, program: Any, examples: Any, sizes: Sizes
) -> Callable[[], None]:
    """Return what evaluates the program once."""
    more = {} if sizes.persist is None else {"persist": sizes.persist}
    evaluate = library.Evaluate(
        devset=examples,
        metric=right,
        num_threads=sizes.workers,
        display_progress=False,
        **more,
    )

    def work() -> None:
        result = evaluate(program)
        assert result.score == 100.0, str(result)

    return work


def asking(library: Any, sizes: Sizes, *, cache: bool = False) -> Callable[[], None]:
    """Return what evaluates a predictor."""
    configure(library, sizes, cache=cache)
    program = library.Predict("question -> answer")
    return evaluation(library, program, devset(library, sizes.examples), sizes)


def silent(library: Any) -> Any:
    """Return a program that asks no model."""

    class Silent(library.Module):  # type: ignore[misc] # of whichever library
        def forward(self, question: str) -> Any:
            return library.Prediction(answer="yes")

    return Silent()


# The sections.


def warmed(work: Callable[[], None], sizes: Sizes) -> Figures:
    """Measure after a round that opens connections and imports modules."""
    work()
    return measured(work, sizes.examples, sizes.repeat)


def answers(name: str, sizes: Sizes) -> Figures:
    """Every example asks the provider."""
    if name == "threads":
        return warmed(bare_evaluation(sizes), sizes)
    return warmed(asking(importlib.import_module(name), sizes), sizes)


def cached(name: str, sizes: Sizes) -> Figures:
    """The same again, from the cache."""
    return warmed(asking(importlib.import_module(name), sizes, cache=True), sizes)


def machinery(name: str, sizes: Sizes) -> Figures:
    """No example asks anybody."""
    if name == "threads":
        return measured(bare_machinery(sizes), sizes.examples, sizes.repeat)
    library = importlib.import_module(name)
    small = devset(library, 50)
    evaluation(library, silent(library), small, sizes)()
    examples = devset(library, sizes.examples)
    work = evaluation(library, silent(library), examples, sizes)
    return measured(work, sizes.examples, sizes.repeat)


def stream(name: str, sizes: Sizes) -> Figures:
    """Examples that are made one by one: memory after each tenth of them."""
    library = importlib.import_module(name)
    seen: list[float] = []

    def made() -> Iterator[Any]:
        for number in range(sizes.examples):
            if number % (sizes.examples // 10) == 0:
                seen.append(memory_mb())
            example = library.Example(question=str(number), answer="yes")
            yield example.with_inputs("question")

    work = evaluation(library, silent(library), made(), sizes)
    figures = measured(work, sizes.examples, 1)
    seen.append(memory_mb())
    # Without the first tenth, in which what is always there is made.
    return {**figures, "rss_mb": seen, "added_mb": seen[-1] - seen[1]}


def bootstrap(name: str, sizes: Sizes) -> Figures:
    """Look for demos, with a metric that accepts so many of the answers."""
    library = importlib.import_module(name)
    configure(library, sizes, cache=False)
    judged: list[str] = []

    def metric(example: Any, prediction: Any, trace: Any = None) -> bool:
        judged.append(example.question)
        number = int(example.question)
        return int((number + 1) * sizes.accepted) > int(number * sizes.accepted)

    more = {"num_threads": sizes.workers} if name == "dspex" else {}
    trainset = devset(library, sizes.examples)
    student = library.Predict("question -> answer")
    student(question="warm up")

    def work() -> None:
        judged.clear()
        optimiser = library.BootstrapFewShot(metric=metric, **more)
        optimiser.compile(student, trainset=trainset)

    figures = measured(work, sizes.examples, sizes.repeat)
    return {"wall_s": figures["wall_s"], "judged": len(judged)}


SECTIONS: dict[str, Callable[[str, Sizes], Figures]] = {
    "answers": answers,
    "cached": cached,
    "machinery": machinery,
    "stream": stream,
    "bootstrap": bootstrap,
}
"""What can be measured, by name."""


def main() -> None:
    """Measure one section, and print it as JSON."""
    name, section, words = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    # DSPy's optimisers report with print(), and the figures have to stand alone.
    out, sys.stdout = sys.stdout, sys.stderr
    figures = SECTIONS[section](name, Sizes(**json.loads(words)))
    json.dump(figures, out)


if __name__ == "__main__":
    main()
