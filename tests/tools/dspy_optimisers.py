"""Optimisers beside DSPy's, on searches drawn at random.

`python -m tests.tools.dspy_optimisers --dspy-python PATH [--seeds N]` runs random
search, `COPRO` and `MIPROv2` in a real DSPy and in dspex, with the same replies of the
model, and compares all that was tried, its scores, and the winner. It prints where they
differ, and ends with 1 when they do anywhere. `BootstrapFewShot` has a command of its
own: `tests.tools.dspy_bootstrap`.

What is not compared, as it differs on purpose: see decision 027.
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

from tests.docs.pages import ROOT
from tests.tools.optimisers_side import Scenario

SIDE = ROOT / "tests/tools/optimisers_side.py"
OPTIMISERS = ("random_search", "copro", "mipro")


def drawn(seed: int, optimiser: str) -> Scenario:
    """Draw a search of an optimiser."""
    rng = random.Random(f"{optimiser} {seed}")
    steps = rng.choice([1, 1, 2])
    options, told = _OPTIONS[optimiser](rng)
    return Scenario(
        optimiser=optimiser,  # type: ignore[typeddict-item] # one of the three
        seed=seed,
        steps=steps,
        train=rng.randint(6, 25),
        val=rng.randint(12, 30),
        options=options,
        compile=told,
    )


def _random_search(rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    options = {
        "max_bootstrapped_demos": rng.randint(1, 4),
        "max_labeled_demos": rng.randint(0, 5),
        "num_candidate_programs": rng.randint(0, 5),
        "stop_at_score": rng.choice([None, None, 60.0]),
        "max_rounds": rng.randint(1, 2),
        "num_threads": 4,
        "max_errors": 1000,
    }
    return options, {}


def _copro(rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    options = {"breadth": rng.randint(2, 5), "depth": rng.randint(1, 4)}
    return {**options, "init_temperature": 1.2}, {}


def _mipro(rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    is_zero_shot = rng.random() < 0.3
    options = {
        "auto": None,
        "num_candidates": rng.randint(4, 7),
        "max_bootstrapped_demos": 0 if is_zero_shot else rng.randint(1, 4),
        "max_labeled_demos": 0 if is_zero_shot else rng.randint(0, 4),
        "num_threads": 4,
        "max_errors": 1000,
        "seed": rng.randint(1, 50),
    }
    told = {
        "num_trials": rng.randint(3, 15),
        "minibatch": rng.random() < 0.6,
        "minibatch_size": rng.randint(4, 10),
        "minibatch_full_eval_steps": rng.randint(2, 5),
    }
    return options, told


_OPTIONS = {"random_search": _random_search, "copro": _copro, "mipro": _mipro}


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


def difference(mine: Any, theirs: Any, place: str = "") -> str | None:
    """Say where two results differ first; `None` when they are the same."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for name in {**mine, **theirs}:
            found = difference(mine.get(name), theirs.get(name), f"{place}.{name}")
            if found is not None:
                return found
        return None
    if isinstance(mine, list) and isinstance(theirs, list):
        if len(mine) != len(theirs):
            return f"{place}: {len(mine)} here, {len(theirs)} in DSPy"
        for number, (here, there) in enumerate(zip(mine, theirs, strict=True)):
            found = difference(here, there, f"{place}[{number}]")
            if found is not None:
                return found
        return None
    return None if mine == theirs else f"{place}: {mine!r} here, {theirs!r} in DSPy"


def main() -> int:
    """Compare, and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dspy-python", required=True, help="a Python that has DSPy")
    parser.add_argument("--seeds", type=int, default=40, help="of each optimiser")
    parser.add_argument("--optimiser", choices=OPTIMISERS, action="append")
    options = parser.parse_args()
    chosen = options.optimiser or OPTIMISERS
    searches = [
        drawn(seed, optimiser) for optimiser in chosen for seed in range(options.seeds)
    ]
    ours = in_library(sys.executable, "dspex", searches)
    theirs = in_library(options.dspy_python, "dspy", searches)
    differ = 0
    for search, mine, dspys in zip(searches, ours, theirs, strict=True):
        found = difference(mine, dspys)
        if found is not None:
            differ += 1
            print(f"{search['optimiser']} {search['seed']}: {found}")
            print(f"  {json.dumps(search)}")
    print(f"{len(searches)} searches; {differ} differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
