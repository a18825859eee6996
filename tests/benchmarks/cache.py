"""What the cache costs: hits and puts a second, and a hit beside a locked file.

Run it with `python -m tests.benchmarks.cache [--json] [--seconds N] [--runs N]`. Each
figure is the best of some runs, because other programs on the machine only ever slow it
down; the microseconds of CPU, of all threads together, depend on them less.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dspex.cache.cache import Cache, new_caller
from dspex.cache.database import Database
from dspex.cache.entry import Entry
from dspex.cache.key import Identity, identify
from dspex.cache.store import StorePlace
from dspex.core.lm import Message, Reply, Request, Usage
from dspex.runtime.config import Config
from dspex.runtime.runtime import Runtime

ANSWER = Reply(
    texts=("word " * 300,), usage=Usage(prompt_tokens=300, completion_tokens=300)
)
WRITER = """
import sys, time
from pathlib import Path
from tests.benchmarks.cache import write_for
print(*write_for(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
"""


def question(number: int | str) -> Identity:
    """About 500 bytes of prompt."""
    asked = Message("user", f"{number} {'question ' * 55}")
    request = Request(model="m", messages=(asked,), settings={"temperature": 0.0})
    return identify("openai", "http://127.0.0.1:1/v1", request)


@contextmanager
def cache(
    home: Path, *, persist: bool = True, entries: int = 100_000
) -> Iterator[Cache]:
    config = Config(home=home, persist=persist, cache_entries=entries)
    with Runtime(config) as runtime:
        yield runtime.cache


@dataclass(frozen=True, slots=True, order=True)
class Rate:
    """How often a second, and what each time cost."""

    per_second: float
    cpu_us: float


def rate(piece: Callable[[int], object], seconds: float, threads: int = 1) -> Rate:
    """Measure a piece of work that so many threads do side by side."""
    counts = [0] * threads
    over = threading.Event()

    def work(which: int) -> None:
        number = 0
        while not over.is_set():
            for _ in range(50):
                piece(number)
                number += 1
            counts[which] = number

    crowd = [threading.Thread(target=work, args=(which,)) for which in range(threads)]
    began, used = time.perf_counter(), time.process_time()
    for thread in crowd:
        thread.start()
    over.wait(seconds)
    over.set()
    for thread in crowd:
        thread.join()
    count = sum(counts)
    return Rate(
        count / (time.perf_counter() - began),
        1e6 * (time.process_time() - used) / count,
    )


def memory_hits(home: Path, seconds: float, threads: int) -> Rate:
    """Hits a second from memory, through the handle; the request is ready."""
    with cache(home, persist=False) as kept:
        asked = [question(number) for number in range(1_000)]
        for identity in asked:
            kept.look_up(identity, new_caller())
            kept.settle(identity.key, ANSWER)
        return rate(
            lambda number: kept.look_up(asked[number % 1_000], "caller"),
            seconds,
            threads,
        )


def identities(seconds: float) -> Rate:
    """Requests named a second: canonical text and digest."""
    return rate(question, seconds)


def store_hits(home: Path, seconds: float, threads: int) -> Rate:
    """Hits a second from the file, through the handle: memory holds one answer."""
    asked = [question(number) for number in range(2_000)]
    fill(home, asked)
    with cache(home, entries=1) as kept:

        def look_up(number: int) -> None:
            identity, caller = asked[number % 2_000], new_caller()
            if kept.look_up(identity, caller) is None:
                # The file took too long.
                kept.leave(identity.key, caller)

        found = rate(look_up, seconds, threads)
        counts = kept.statistics()
    share = counts.stored_hits / (counts.hits + counts.shared + counts.misses)
    return Rate(found.per_second * share, found.cpu_us / max(share, 1e-9))


def fill(home: Path, asked: list[Identity]) -> None:
    place = StorePlace(path=home / "cache" / "answers-1.db")
    kept = place.open()
    kept.write(
        Entry(identity=each, reply=ANSWER, created=time.time()) for each in asked
    )
    kept.close()


def write_for(home: Path, name: str, seconds: float) -> tuple[int, float]:
    """Put answers through the handle for so long, and commit them.

    Returns:
        How many, and the seconds of CPU they took.
    """
    count, used = 0, time.process_time()
    with cache(home) as kept:
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            for _ in range(200):
                identity = question(f"{name} {count}")
                kept.look_up(identity, new_caller())
                kept.settle(identity.key, ANSWER)
                count += 1
            while kept.flush():
                pass
    return count, time.process_time() - used


def puts(home: Path, seconds: float, processes: int) -> Rate:
    """Answers that so many processes bring to one file: looked up, settled, stored."""
    StorePlace(path=home / "cache" / "answers-1.db").open().write([])
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(home), str(which), str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for which in range(processes)
    ]
    told = [writer.communicate()[0].split() for writer in writers]
    count = sum(int(each) for each, _ in told)
    return Rate(count / seconds, 1e6 * sum(float(cpu) for _, cpu in told) / count)


def database_puts(home: Path, seconds: float) -> Rate:
    """Rows a second into the file in batches of 32, without actors."""
    kept: Database = StorePlace(path=home / "cache" / "answers-1.db").open()
    numbers = iter(range(10**9))

    def batch(_number: int) -> None:
        kept.write(
            Entry(identity=question(next(numbers)), reply=ANSWER, created=1.0)
            for _ in range(32)
        )

    found = rate(batch, seconds)
    return Rate(32 * found.per_second, found.cpu_us / 32)


def hit_while_locked(home: Path, seconds: float) -> dict[str, float]:
    """Microseconds of a memory hit while another process holds the file's lock."""
    with cache(home) as kept:
        for number in range(100):
            identity = question(number)
            kept.look_up(identity, new_caller())
            kept.settle(identity.key, ANSWER)
        kept.flush()
        other = sqlite3.connect(home / "cache" / "answers-1.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        spans = []
        began = time.perf_counter()
        number = 0
        while time.perf_counter() - began < seconds:
            # Something to write waits all the time.
            miss = question(f"new {number}")
            kept.look_up(miss, new_caller())
            kept.settle(miss.key, ANSWER)
            at = time.perf_counter()
            kept.look_up(question(number % 100), "caller")
            spans.append(time.perf_counter() - at)
            number += 1
        other.execute("ROLLBACK")
        other.close()
    ordered = sorted(spans)
    return {
        "hit_while_locked_median_us": 1e6 * statistics.median(spans),
        "hit_while_locked_p99_us": 1e6 * ordered[int(0.99 * len(ordered))],
    }


def best(measure: Callable[[Path], Rate], runs: int) -> Rate:
    """The best of some runs, each in a folder of its own."""
    figures = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            figures.append(measure(Path(folder)))
    return max(figures)


def measured(seconds: float, runs: int) -> Iterator[tuple[str, float]]:
    """All figures by name."""
    rates: dict[str, Callable[[Path], Rate]] = {
        "identities": lambda _at: identities(seconds),
        "memory_hits_1_thread": lambda at: memory_hits(at, seconds, 1),
        "memory_hits_8_threads": lambda at: memory_hits(at, seconds, 8),
        "store_hits_1_thread": lambda at: store_hits(at, seconds, 1),
        "store_hits_8_threads": lambda at: store_hits(at, seconds, 8),
        "puts_without_actors": lambda at: database_puts(at, seconds),
        "puts_1_process": lambda at: puts(at, seconds, 1),
        "puts_4_processes": lambda at: puts(at, seconds, 4),
    }
    for name, measure in rates.items():
        found = best(measure, runs)
        yield f"{name}_per_s", found.per_second
        yield f"{name}_cpu_us", found.cpu_us
    with tempfile.TemporaryDirectory() as folder:
        yield from hit_while_locked(Path(folder), seconds).items()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    figures = {}
    for name, value in measured(options.seconds, options.runs):
        figures[name] = round(value, 1)
        if not options.json:
            print(f"{name:32} {value:>12,.1f}", flush=True)
    if options.json:
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
