"""`BootstrapFewShot` beside DSPy's, on searches drawn at random.

`python -m tests.tools.dspy_bootstrap --dspy-python PATH [--seeds N]` runs each search
in a real DSPy, in dspex with 16 at a time, and one row after the other. It prints where
they differ, and ends with 1 when they do anywhere.

What is not compared: a metric's threshold of 0, which DSPy takes for none; and a
predictor that is called several times in one run, of whose steps each library draws one
by a hash of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from typing import Any

from tests.bootstrap_reference import one_by_one
from tests.docs.pages import ROOT
from tests.tools.bootstrap_side import Scenario

SIDE = ROOT / "tests/tools/bootstrap_side.py"


def drawn(seed: int) -> Scenario:
    """Draw a search."""
    rng = random.Random(seed)
    questions, rounds = rng.randint(1, 40), rng.randint(1, 3)
    verdicts: list[float | str] = [0.5, 1.0]
    verdicts += [0.0] * rng.randint(0, 6)
    if rng.random() < 0.5:
        verdicts += ["program", "metric"]
    return Scenario(
        rows=[*range(questions), *rng.choices(range(questions), k=rng.randint(0, 3))],
        script=[rng.choices(verdicts, k=rounds) for _ in range(questions)],
        demos=rng.randint(1, 6),
        labeled=rng.randint(0, 8),
        rounds=rounds,
        threshold=rng.choice([None, 0.5, 1.0]),
        errors=rng.randint(1, 12),
    )


def in_library(python: str, library: str, searches: list[Scenario]) -> list[Any]:
    """Run all searches in one process of that Python."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            # Not with the script's folder: a file there may be called as a library is.
            [python, "-P", str(SIDE), library],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT) if library == "dspex" else "",
                "DSPEX_HOME": home,
                "DSPY_CACHEDIR": home,
            },
            input=json.dumps(searches),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
    found: list[Any] = json.loads(done.stdout)
    return found


def main() -> int:
    """Compare, and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dspy-python", required=True, help="a Python that has DSPy")
    parser.add_argument("--seeds", type=int, default=200)
    options = parser.parse_args()
    searches = [drawn(seed) for seed in range(options.seeds)]
    ours = in_library(sys.executable, "dspex", searches)
    theirs = in_library(options.dspy_python, "dspy", searches)
    differ = raised = 0
    for seed, (search, mine, dspys) in enumerate(
        zip(searches, ours, theirs, strict=True)
    ):
        wanted = one_by_one(search).demos
        raised += wanted is None
        if not mine == dspys == wanted:
            differ += 1
            print(f"seed {seed}: {json.dumps(search)}")
            print(f"  dspex {mine}\n  dspy {dspys}\n  one by one {wanted}")
    print(f"{len(searches)} searches, {raised} of which raise; {differ} differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
