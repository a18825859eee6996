"""Labelled few-shot: show the model some of your examples as they are.

    python labeled_few_shot.py

A scripted model answers, so there is no key, no network and no cost. The optimiser
makes no call at all, so it is the first thing to try, and the yardstick for the rest.
"""

from __future__ import annotations

import dspex
from dspex.testing import ScriptedTask


def main() -> None:
    """Compare programs with ever more demonstrations on the same rows."""
    task = ScriptedTask(train=30, dev=60, demo_gain=0.3)
    evaluate = dspex.Evaluate(devset=task.devset, metric=task.metric)
    program = dspex.Predict("question -> answer")

    with dspex.context(lm=task.lm()):
        before = evaluate(program)
        print(f"without: {before}")
        for count in (2, 8):
            optimiser = dspex.LabeledFewShot(k=count)
            shown = optimiser.compile(program, trainset=task.trainset)
            after = evaluate(shown)
            print(f"{count} demonstrations: {after}")
            names = ("without", f"{count} demonstrations")
            print(f"  {dspex.compare(before, after, names=names).verdict}")


if __name__ == "__main__":
    main()
