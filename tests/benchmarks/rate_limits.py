"""How close to a provider's limit real calls come, and what they waste on 429s.

Run it with `python -m tests.benchmarks.rate_limits [--json] [--requests N] [--rate N]
[--callers N ...] [--latency SECONDS] [--only NAME ...] [--at-once N]`. Where
`tests.benchmarks.limits` plays the limiter alone in virtual time, here each row is an
`LM` without its cache, in a process of its own, with all its actors; its provider is
another process. A row takes about `requests / rate` seconds, and `--at-once` rows run
side by side.

`ratio` is the time taken in ideal times, and `waste` the 429s for each answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from tests.benchmarks.limited_provider import Bucket, Meter, Window
from tests.benchmarks.limits import MOST_RATIO, MOST_WASTE

PROVIDER = """
import collections, json, sys
from dspex.testing import FakeProvider, RateLimit
latency, limit = json.loads(sys.argv[1])
with FakeProvider(latency=latency) as provider:
    print(provider.base_url, flush=True)
    sys.stdin.readline()
    provider.set_limit(RateLimit(**limit))
    print(flush=True)
    sys.stdin.read()
    refused = [entry for entry in provider.bill if entry.limited]
    by_call = collections.Counter(entry.idempotency_key for entry in refused)
    print(json.dumps([len(refused), max(by_call.values(), default=0)]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A way to count."""

    seconds: float
    """The span of the limit."""
    kind: str
    """As `RateLimit` names it."""

    def limit(self, rate: int) -> dict[str, Any]:
        """What to make a `RateLimit` of."""
        return {
            "kind": self.kind,
            "requests": self._requests(rate),
            "per": self.seconds,
        }

    def meter(self, rate: int) -> Meter:
        """The same, for the arithmetic of what is possible."""
        if self.kind == "window":
            return Window(self._requests(rate), self.seconds, 0.0)
        return Bucket(rate, self._requests(rate))

    def _requests(self, rate: int) -> int:
        return max(1, round(rate * self.seconds))


KINDS = {
    "bucket": Kind(seconds=1.0, kind="bucket"),
    "small bucket": Kind(seconds=0.2, kind="bucket"),
    "window of 1 s": Kind(seconds=1.0, kind="window"),
    "window of 10 s": Kind(seconds=10.0, kind="window"),
}
"""By name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one row measures."""

    provider: str
    """How the provider counts; a name in `KINDS`."""
    announced: bool
    """Whether headers tell of the limit."""
    retry_after: bool
    """Whether a 429 says when to come back, in whole seconds."""
    callers: int
    """How many wait for an answer at a time."""
    requests: int
    """How many there are in all."""
    rate: int
    """How many a second the provider lets through."""
    latency: float
    """Seconds of an answer."""


@contextmanager
def limited_provider(case: Case) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A fake provider in a process of its own, not limited yet, and its address."""
    limit = {
        **KINDS[case.provider].limit(case.rate),
        "announce": case.announced,
        "retry_after": "seconds" if case.retry_after else None,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", PROVIDER, json.dumps([case.latency, limit])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.wait(10)


def play(case: Case) -> dict[str, Any]:
    """Measure one case in this process."""
    import dspex

    with limited_provider(case) as (base_url, process), dspex.Runtime():
        assert process.stdin is not None
        assert process.stdout is not None
        lm = dspex.LM("openai/m", api_base=base_url, api_key="sk-1", cache=False)
        # The limit is new when the clock starts: a window begins, a bucket is full.
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()
        began = time.perf_counter()
        answered = asyncio.run(_ask(lm, case))
        seconds = time.perf_counter() - began
        refused, most_refusals = json.loads(process.communicate()[0])
    fastest = case.callers / case.latency if case.latency else float("inf")
    ideal = KINDS[case.provider].meter(case.rate).ideal(case.requests, fastest)
    ratio, waste = seconds / ideal, refused / max(1, answered)
    return {
        **asdict(case),
        "ratio": round(ratio, 3),
        "waste": round(waste, 4),
        "most_refusals": most_refusals,
        "answered": answered,
        "met": answered == case.requests
        and ratio <= MOST_RATIO[case.announced]
        and (not case.announced or waste <= MOST_WASTE),
    }


async def _ask(lm: Any, case: Case) -> int:
    """Make every call; how many were answered."""
    import dspex

    left = iter(range(case.requests))

    async def caller() -> int:
        answers = 0
        for number in left:
            try:
                await lm.acall(f"question {number}")
            except dspex.LMError as error:
                print(error, file=sys.stderr)
            else:
                answers += 1
        return answers

    return sum(await asyncio.gather(*(caller() for _ in range(case.callers))))


def cases(options: argparse.Namespace) -> list[Case]:
    """Every combination that was asked for."""
    return [
        Case(
            provider=provider,
            announced=announced,
            retry_after=retry_after,
            callers=callers,
            requests=options.requests,
            rate=options.rate,
            latency=options.latency,
        )
        for provider, announced, retry_after, callers in product(
            options.only, (True, False), (False, True), options.callers
        )
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--callers", type=int, nargs="+", default=[16, 64, 256])
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--at-once", type=int, default=8)
    options = parser.parse_args()
    # A fresh process for each row, as the parts of dspex live as long as theirs.
    with ProcessPoolExecutor(
        options.at_once,
        mp_context=multiprocessing.get_context("spawn"),
        max_tasks_per_child=1,
    ) as pool:
        rows = list(pool.map(play, cases(options)))
    if options.json:
        print(json.dumps({"load_average": os.getloadavg()[0], "rows": rows}, indent=2))
        return
    print("  ".join(f"{name:>14}" for name in rows[0]))
    for row in rows:
        print("  ".join(f"{value!s:>14}" for value in row.values()))
    print(f"{sum(row['met'] for row in rows)} of {len(rows)} within their bounds")


if __name__ == "__main__":
    main()
