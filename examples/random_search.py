"""Random search: choose the best of many sets of demonstrations.

    python random_search.py

A scripted model answers, so there is no key, no network and no cost. Some examples of
its task help as demonstrations and some do not, and nothing says which.
"""

from __future__ import annotations

import dspex
from dspex.testing import ScriptedTask


def main() -> None:
    """Choose on one set of rows, and judge on another."""
    task = ScriptedTask(train=30, dev=90, demo_gain=0.15)
    choosing, judging = task.devset[:30], task.devset[30:]
    program = dspex.Predict("question -> answer")
    optimiser = dspex.BootstrapFewShotWithRandomSearch(
        metric=task.metric,
        max_bootstrapped_demos=4,
        max_labeled_demos=4,
        num_candidate_programs=6,
    )

    with dspex.context(lm=task.lm()):
        found = optimiser.compile(
            program,
            trainset=task.trainset,
            valset=choosing,
            testset=judging,
        )

    print(optimiser.study)
    print(f"\n{len(found.demos)} demonstrations, the first: {found.demos[0].toDict()}")
    print(f"Right: {task.accuracy(found):.0%} of all, with the instruction as it was.")


if __name__ == "__main__":
    main()
