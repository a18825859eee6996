"""A process that works on a recorded run until it is done, or killed.

It prints what the run measured as one JSON object, and begins by a line that says that
it is at work.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import dspex
from tests.actors.rows import right, rows


def main() -> None:
    """Begin the run, or go on with it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--examples", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    options = parser.parse_args()
    lm = dspex.LM("openai/fake", api_base=options.url, cache=False)
    evaluate = dspex.Evaluate(
        devset=rows(options.examples),
        metric=right,
        concurrency=options.concurrency,
        run=options.run,
        display_progress=False,
    )
    with dspex.Runtime(dspex.Config(home=options.home)), dspex.context(lm=lm):
        print("at work", flush=True)
        result = evaluate(dspex.Predict("question -> answer"))
        told = {"score": result.score, "complete": result.complete}
        print(json.dumps(told | {"digest": result.digest}))


if __name__ == "__main__":
    main()
