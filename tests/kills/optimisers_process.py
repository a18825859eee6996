"""A process that works on a recorded search until it is done, or killed.

It prints what the search came to as one JSON object, and begins by a line that says
that it is at work.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import dspex
from tests.kills.optimisers_work import MODEL, PRICE, searched


def main() -> None:
    """Begin the search, or go on with it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--optimiser", required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--calls", type=int)
    parser.add_argument("--dollars", type=float)
    options = parser.parse_args()
    is_capped = options.calls is not None or options.dollars is not None
    budget = dspex.Budget(calls=options.calls, dollars=options.dollars)
    with dspex.Runtime(dspex.Config(home=options.home, prices={MODEL: PRICE})):
        print("at work", flush=True)
        came = searched(
            options.optimiser,
            options.url,
            threads=options.concurrency,
            budget=budget if is_capped else None,
        )
    print(json.dumps(asdict(came)))


if __name__ == "__main__":
    main()
