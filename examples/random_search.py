"""Random search: choose the best of many sets of demonstrations.

    python random_search.py

A scripted model answers, so there is no key, no network and no cost. Some examples of
its task help as demonstrations and some do not, and nothing says which.
"""

from __future__ import annotations

import dspex
from dspex.testing import ScriptedTask


def main() -> None:
    """Choose on one set of rows, judge on another, within a budget of calls."""
    task = ScriptedTask(train=60, dev=200, demo_gain=0.15)
    choosing, judging = task.devset[:60], task.devset[60:]
    program = dspex.Predict("question -> answer")
    budget = dspex.Budget(calls=2_000)
    optimiser = dspex.BootstrapFewShotWithRandomSearch(
        metric=task.metric,
        max_bootstrapped_demos=4,
        max_labeled_demos=4,
        num_candidate_programs=12,
    )

    with dspex.context(lm=task.lm()):
        found = optimiser.compile(
            program,
            trainset=task.trainset,
            valset=choosing,
            testset=judging,
            budget=budget,
        )

    print(optimiser.study)
    print(f"\n{budget}")
    print(f"{len(found.demos)} demonstrations, the first: {found.demos[0].toDict()}")
    print(f"Right: {task.accuracy(found):.0%} of all; the best is {task.optimum:.0%}.")


if __name__ == "__main__":
    main()
