"""Be down in the middle of a run in each way, and count what that costs.

```
python -m tests.outages --examples 10000 --down 5 --way all --json
```

Each way is played with the client's own retries and without, by threads and by
coroutines. It ends with 1 when an example has no score, or when the provider got more
requests than one for each example, one for each worker, and one for each further time
the breaker looked: after 5 s, and every 5 s, so none in an outage of 5 s.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator

from dspex.client.gate import GatePolicy
from tests.outages.play import WAYS, Outage, play, told


def main() -> int:
    """Play what is asked for, one after another."""
    options = _options()
    bad = 0
    for outage in _outages(options):
        bill = play(outage)
        looks = math.ceil(outage.down / GatePolicy().reset_after) - 1
        may_cost = outage.concurrency + looks
        is_bad = bill.scored < outage.examples or bill.extra > may_cost
        bad += is_bad
        if options.json:
            print(json.dumps(told(outage, bill)), flush=True)
        else:
            retries = "default" if outage.retries is None else outage.retries
            workers = "coroutines" if outage.is_async else "threads"
            print(
                f"{outage.way:8} retries {retries:>7} {workers:10}"
                f" scored {bill.scored} extra {bill.extra} sent {bill.sent}"
                f" attempts {bill.attempts} in {bill.seconds} s",
                "BAD" if is_bad else "",
                flush=True,
            )
    return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.outages")
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--down", type=float, default=5.0)
    parser.add_argument("--way", choices=(*WAYS, "all"), default="all")
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--retries", choices=("default", "0", "both"), default="both")
    parser.add_argument(
        "--workers", choices=("threads", "async", "both"), default="both"
    )
    parser.add_argument("--timeout", type=float, help="of a request; for silence, 2 s")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _outages(options: argparse.Namespace) -> Iterator[Outage]:
    ways = WAYS if options.way == "all" else (options.way,)
    retries = {"default": (None,), "0": (0,), "both": (None, 0)}[options.retries]
    workers = {"threads": (False,), "async": (True,), "both": (False, True)}
    for way in ways:
        # A minute is the default, which nobody wants to see played.
        timeout = 2.0 if way == "silent" and not options.timeout else options.timeout
        for most in retries:
            for is_async in workers[options.workers]:
                yield Outage(
                    way=way,
                    examples=options.examples,
                    down=options.down,
                    concurrency=options.concurrency,
                    latency=options.latency,
                    retries=most,
                    timeout=timeout,
                    is_async=is_async,
                )


if __name__ == "__main__":
    sys.exit(main())
