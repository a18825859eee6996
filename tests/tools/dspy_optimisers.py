"""Optimisers beside DSPy's, on searches drawn at random.

`python -m tests.tools.dspy_optimisers --dspy-python PATH [--seeds N] [--json]` runs
`BootstrapFewShot`, random search, `COPRO` and `MIPROv2` in a real DSPy and in dspex,
with the same replies of the model, and compares all that was tried, its scores, and the
winner. It prints a line for each search, and ends with 1 where something differs.
`--optimiser NAME` takes one of them, `--first SEED` other searches.

`--write` keeps some of DSPy's searches as `tests/data/dspy_optimisers.json`, by which
the tests compare where there is no DSPy.

What differs on purpose, and is not compared, says decision 027.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.docs.pages import ROOT
from tests.tools.optimisers_side import Scenario

SIDE = ROOT / "tests/tools/optimisers_side.py"
DATA = ROOT / "tests/data/dspy_optimisers.json"
OPTIMISERS = ("bootstrap", "random_search", "copro", "mipro")

KEPT = {
    "bootstrap": (0, 1, 2),
    "random_search": (7, 14),
    "copro": (0, 13),
    "mipro": (0, 13, 15),
}
"""The seeds of small searches that are kept as data."""
NOTHING_LEFT = "No valid program found in param_score_dict"
"""What DSPy's `MIPROv2` raises when all that it tried was scored on all rows; dspex
goes on with the next trial."""

Options = tuple[dict[str, Any], dict[str, Any]]
"""Of a constructor, and of `compile`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one search in both libraries."""

    optimiser: str
    """Which one."""
    seed: int
    """Draws the search again."""
    settings: str
    """What was drawn, in a few words."""
    candidates: int
    """Scores and programs that were compared, trials included."""
    differs: str = ""
    """Where they differ first; empty when they do not."""
    decided: str = ""
    """Why they may differ here; empty when there is nothing to decide."""

    def __str__(self) -> str:
        verdict = self.differs or self.decided or "equal"
        name = f"{self.optimiser} {self.seed}"
        return f"{name:<17} {self.candidates:>4}  {verdict:<8} {self.settings}"


def drawn(seed: int, optimiser: str, *, small: bool = False) -> Scenario:
    """Draw a search of an optimiser; a small one is done in an instant."""
    rng = random.Random(f"{optimiser} {seed}")
    teacher = rng.choice(["none", "none", "program", "model"])
    options, told = _OPTIONS[optimiser](rng, small)
    search = Scenario(
        optimiser=optimiser,  # type: ignore[typeddict-item] # one of the four
        seed=seed,
        steps=rng.choice([1, 1, 2]),
        train=rng.randint(10, 12 if small else 25),
        val=rng.choice([0, rng.randint(12, 14 if small else 30)]),
        grades=rng.random() < 0.4,
        raising=rng.choice([0.0, 0.0, 0.05]),
        program_raises=False,
        doubled=rng.choice([0, 0, 2]),
        teacher="none" if optimiser == "copro" else teacher,  # type: ignore[typeddict-item] # one of the three
        demos=rng.choice([0, 0, 2]),
        options=options,
        compile=told,
    )
    shown = options.get("max_labeled_demos") or search["demos"] or teacher == "program"
    return {**search, "program_raises": not shown}


def _bootstrap(rng: random.Random, small: bool) -> Options:
    del small  # It is in any case.
    options = {
        "max_bootstrapped_demos": rng.randint(1, 6),
        "max_labeled_demos": rng.randint(0, 8),
        "max_rounds": rng.randint(1, 3),
        "max_errors": rng.choice([1, 2, 1000]),
        "metric_threshold": rng.choice([None, None, 0.5, 1.0]),
    }
    return options, {}


def _random_search(rng: random.Random, small: bool) -> Options:
    many = rng.randint(0, 2 if small else 6)
    options = {
        "max_bootstrapped_demos": rng.randint(1, 4),
        "max_labeled_demos": rng.randint(0, 5),
        "num_candidate_programs": many,
        "stop_at_score": rng.choice([None, None, None, 60.0]),
        "max_rounds": rng.randint(1, 2),
        "metric_threshold": rng.choice([None, None, 0.5, 1.0]),
        "num_threads": 4,
        "max_errors": 1000,
    }
    restrict = sorted(rng.sample(range(-3, many + 3), 4))
    told: dict[str, Any] = {"labeled_sample": rng.random() < 0.7}
    return options, {**told, "restrict": rng.choice([None, None, restrict])}


def _copro(rng: random.Random, small: bool) -> Options:
    options = {
        "breadth": rng.randint(2, 3 if small else 5),
        "depth": rng.randint(1, 2 if small else 4),
        "init_temperature": 1.2,
        "track_stats": rng.random() < 0.5,
    }
    return options, {"eval_kwargs": {"num_threads": 4}}


def _mipro(rng: random.Random, small: bool) -> Options:
    is_zero_shot, is_auto = rng.random() < 0.3, not small and rng.random() < 0.2
    options = {
        "auto": "light" if is_auto else None,
        "num_candidates": None if is_auto else rng.randint(2, 4 if small else 7),
        "max_bootstrapped_demos": 0 if is_zero_shot else rng.randint(1, 4),
        "max_labeled_demos": 0 if is_zero_shot else rng.randint(0, 4),
        "metric_threshold": rng.choice([None, None, 0.5, 1.0]),
        "num_threads": 4,
        "max_errors": 1000,
        "seed": rng.randint(1, 50),
    }
    # With so few the sampler draws at random, as in each version of Optuna.
    trials = rng.randint(3, 5 if small else 18)
    told = {
        "num_trials": None if is_auto else trials,
        "minibatch": rng.random() < 0.6,
        "minibatch_size": rng.randint(4, 8),
        "minibatch_full_eval_steps": rng.randint(2, 5),
        "view_data_batch_size": rng.randint(3, 10),
        "seed": rng.choice([None, None, 3]),
    }
    for flag in ("program", "data", "tip", "fewshot"):
        told[f"{flag}_aware_proposer"] = rng.random() < 0.7
    return options, told


_OPTIONS = {
    "bootstrap": _bootstrap,
    "random_search": _random_search,
    "copro": _copro,
    "mipro": _mipro,
}


def in_library(python: str, library: str, searches: Sequence[Scenario]) -> list[Any]:
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


def difference(mine: Any, theirs: Any, place: str = "") -> str:
    """Say where two results differ first; an empty text when they are the same."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for name in {**mine, **theirs}:
            if found := difference(mine.get(name), theirs.get(name), f"{place}.{name}"):
                return found
        return ""
    if isinstance(mine, list) and isinstance(theirs, list):
        if len(mine) != len(theirs):
            return f"{place}: {len(mine)} here, {len(theirs)} in DSPy"
        for number, (here, there) in enumerate(zip(mine, theirs, strict=True)):
            if found := difference(here, there, f"{place}[{number}]"):
                return found
        return ""
    if isinstance(mine, float) and isinstance(theirs, float):
        # Means are summed in another order.
        same = math.isclose(mine, theirs)
    else:
        same = bool(mine == theirs)
    return "" if same else f"{place}: {mine!r} here, {theirs!r} in DSPy"


def compared(search: Scenario, mine: Any, theirs: Any) -> Verdict:
    """Say what came of a search in both."""
    differs, decided = "", ""
    if NOTHING_LEFT in theirs.get("raised", "") and "winner" in mine:
        decided = "decided: DSPy raises"
    elif "raised" in mine and "raised" in theirs:
        pass  # In words of their own.
    else:
        differs = difference(mine, theirs)
    tried = [theirs.get(name, ()) for name in ("candidates", "trials")]
    return Verdict(
        optimiser=search["optimiser"],
        seed=search["seed"],
        settings=settings_of(search, theirs),
        # With nothing but a winner, that is what was compared.
        candidates=sum(map(len, tried)) or int("winner" in theirs),
        differs=differs,
        decided=decided,
    )


def settings_of(search: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Return what was drawn, in a few words."""
    said = [f"{name}={search[name]}" for name in ("steps", "train", "val")]
    said += [] if search["teacher"] == "none" else [f"teacher={search['teacher']}"]
    said += [
        f"{name}"
        for name in ("grades", "raising", "program_raises", "doubled", "demos")
        if search[name]
    ]
    told = {**search["options"], **search["compile"]}
    unsaid = {"num_threads", "max_errors", "eval_kwargs", "init_temperature"}
    said += [
        f"{name}={value}"
        for name, value in told.items()
        if value is not None and name not in unsaid
    ]
    said += ["(raises)"] if "raised" in theirs else []
    return " ".join(said)


def write(dspy_python: str) -> None:
    """Keep what DSPy finds in some small searches."""
    searches = [
        drawn(seed, optimiser, small=True)
        for optimiser, seeds in KEPT.items()
        for seed in seeds
    ]
    found = in_library(dspy_python, "dspy", searches)
    kept = [
        {"search": search, "found": each}
        for search, each in zip(searches, found, strict=True)
    ]
    DATA.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def main() -> int:
    """Compare, and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dspy-python", required=True, help="a Python that has DSPy")
    parser.add_argument("--seeds", type=int, default=40, help="of each optimiser")
    parser.add_argument("--first", type=int, default=0, help="seed of the first one")
    parser.add_argument("--optimiser", choices=OPTIMISERS, action="append")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--write", action="store_true", help="keep searches as data")
    options = parser.parse_args()
    if options.write:
        write(options.dspy_python)
        return 0
    searches = [
        drawn(seed, optimiser)
        for optimiser in options.optimiser or OPTIMISERS
        for seed in range(options.first, options.first + options.seeds)
    ]
    both = zip(
        searches,
        in_library(sys.executable, "dspex", searches),
        in_library(options.dspy_python, "dspy", searches),
        strict=True,
    )
    verdicts = [compared(*each) for each in both]
    if options.json:
        print(json.dumps([asdict(each) for each in verdicts], indent=1))
    else:
        print(*verdicts, summary(verdicts), sep="\n")
    return 1 if any(each.differs for each in verdicts) else 0


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return how many are equal, by optimiser."""
    lines = []
    for optimiser in OPTIMISERS:
        mine = [each for each in verdicts if each.optimiser == optimiser]
        differ = sum(bool(each.differs) for each in mine)
        decided = sum(bool(each.decided) for each in mine)
        tried = sum(each.candidates for each in mine)
        if mine:
            lines.append(
                f"{optimiser}: {len(mine)} searches, {tried} candidates and trials; "
                f"{differ} differ, {decided} as decided"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
