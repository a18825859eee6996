"""Cancel runs at random moments, and count what is left of them.

```
python -m tests.leaks --runs 100 --json
```

Run it in a process of its own: it sends itself SIGINT. It ends with 1 when anything was
left.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import sys
import time
from typing import Any

from tests.leaks.left import counted, left_since
from tests.leaks.runs import WAYS, Way, asks, by_task, moments, run_in


def main() -> int:
    """Make the runs, one after another, and say what each left."""
    parser = argparse.ArgumentParser(prog="python -m tests.leaks")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    # What the first run of a process opens for good is no leak of the others.
    run_in(Way("warm", by_task(asks)), 1.0)
    # All that is there now is not looked through again at each count.
    gc.freeze()
    leaks = list(_leaks(options.runs, options.seed))
    told = {
        "runs": options.runs,
        "seed": options.seed,
        "leaks": leaks,
        "seconds": round(time.monotonic() - began, 1),
    }
    if options.json:
        print(json.dumps(told))
    else:
        print(f"{options.runs} runs, {len(leaks)} left something", *leaks, sep="\n")
    return 1 if leaks else 0


def _leaks(runs: int, seed: int) -> Any:
    ways = itertools.islice(itertools.cycle(WAYS), runs)
    each = zip(ways, moments(seed, runs), strict=True)
    for number, (way, moment) in enumerate(each):
        before = counted()
        run_in(way, moment)
        left = left_since(before)
        if left:
            yield {"run": number, "way": way.name, "moment": moment, "left": left}


if __name__ == "__main__":
    sys.exit(main())
