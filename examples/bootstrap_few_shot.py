"""Bootstrapped few-shot: demonstrations that a teacher made and a metric accepted.

    python bootstrap_few_shot.py

A scripted model answers, so there is no key, no network and no cost. What it would ask
is told first; what it did is shown from its record, by the name it was given.
"""

from __future__ import annotations

import dspex
from dspex.testing import ScriptedTask


def main() -> None:
    """Plan, compile under a budget, and look at what became of it."""
    task = ScriptedTask(train=30, dev=60, demo_gain=0.3)
    program = dspex.Predict("question -> answer")
    optimiser = dspex.BootstrapFewShot(
        metric=task.metric, max_bootstrapped_demos=4, max_labeled_demos=4
    )

    with dspex.context(lm=task.lm()):
        print(optimiser.plan(program, trainset=task.trainset, valset=task.devset))
        optimiser.compile(
            program,
            trainset=task.trainset,
            valset=task.devset,
            budget=dspex.Budget(calls=200),
            run="bootstrapped",
        )

    study = dspex.load_study("bootstrapped", program=program)
    print(f"\n{study.lift}")
    (made,) = study.candidates
    print(f"{made.label}, by {made.origin}")
    for demo in made.program.demos:
        print(f"  {demo['question']} {demo['answer']}")


if __name__ == "__main__":
    main()
