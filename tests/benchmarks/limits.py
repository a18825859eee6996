"""How close to a provider's limit the limiter comes, and what it wastes on 429s.

Run it with `python -m tests.benchmarks.limits [--json] [--seeds N] [--requests N]
[--only NAME ...]`. It plays in virtual time, so its figures do not depend on the
machine. Every provider allows 50 requests a second; `ratio` is the time taken in ideal
times, `waste` the 429s for each answer, and both are the worst of the seeds.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.benchmarks.limited_provider import Bucket, Case, Life, Meter, Window, World

RATE = 50

PROVIDERS: dict[str, Callable[[random.Random], Meter]] = {
    "bucket of 50": lambda _: Bucket(RATE, RATE),
    "bucket of 10": lambda _: Bucket(RATE, RATE // 5),
    "10, told as 50": lambda _: Bucket(RATE, RATE // 5, RATE),
    "50 each second": lambda chance: Window(RATE, 1.0, chance.uniform(0, 1)),
    "500 each 10 s": lambda chance: Window(10 * RATE, 10.0, chance.uniform(0, 10)),
}
"""Ways to count."""

MOST_RATIO = {True: 1.15, False: 1.3}
"""What the time may be at most, in ideal times, for an announced and an unknown one."""

MOST_WASTE = 0.05
"""429s for each answer that an announced limit may cost at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    provider: str
    """How the provider counts."""
    case: Case
    """What was played, but for the seed."""
    lives: tuple[Life, ...]
    """What came of it, by seed."""

    def figures(self) -> dict[str, Any]:
        """The line as plain values."""
        case, lives = self.case, self.lives
        ratio, waste = (
            max(life.ratio for life in lives),
            max(life.waste for life in lives),
        )
        answered = min(life.answered for life in lives)
        is_frugal = not case.announced or waste <= MOST_WASTE
        return {
            "provider": self.provider,
            "announced": case.announced,
            "headers": "of the reply" if case.told_late else "of the arrival",
            "retry_after": case.retry_after,
            "latency": case.latency,
            "callers": case.callers,
            "arrivals": case.arrivals,
            "ratio": round(ratio, 3),
            "waste": round(waste, 4),
            "most_refusals": max(life.most_refusals for life in lives),
            "answered": answered,
            "met": answered == case.requests
            and ratio <= MOST_RATIO[case.announced]
            and is_frugal,
        }


def cases(requests: int) -> Iterator[tuple[str, Case]]:
    """Yield every combination."""
    ways = ((16, None), (64, None), (256, None), (64, 1.1 * RATE))
    for provider, meter in PROVIDERS.items():
        for announced, told_late in ((True, False), (True, True), (False, False)):
            for retry_after in (False, True):
                for latency in (0.005, 0.02, 0.2):
                    for callers, arrivals in ways:
                        yield (
                            provider,
                            Case(
                                meter=meter,
                                announced=announced,
                                told_late=told_late,
                                retry_after=retry_after,
                                latency=latency,
                                callers=callers,
                                arrivals=arrivals,
                                requests=requests,
                            ),
                        )


def play(case: Case, seeds: int) -> tuple[Life, ...]:
    """Play one case once for each seed."""
    return tuple(World(replace(case, seed=seed)).live() for seed in range(seeds))


def main() -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--only", nargs="+", choices=list(PROVIDERS))
    options = parser.parse_args()
    rows = [
        Row(provider=provider, case=case, lives=play(case, options.seeds)).figures()
        for provider, case in cases(options.requests)
        if not options.only or provider in options.only
    ]
    if options.json:
        print(json.dumps({"seeds": options.seeds, "rows": rows}, indent=2))
        return
    for row in rows:
        print("  ".join(f"{value!s:>14}" for value in row.values()))
    print(f"{sum(row['met'] for row in rows)} of {len(rows)} within their bounds")


if __name__ == "__main__":
    main()
