"""COPRO: find the words that an instruction lacks.

    python copro.py

A scripted model answers, so there is no key, no network and no cost. It likes three
words in its instruction, and does not say which.
"""

from __future__ import annotations

import dspex
from dspex.testing import ScriptedTask


def main() -> None:
    """Improve the instruction, and say by how much."""
    task = ScriptedTask(
        train=24,
        dev=60,
        words=("verbatim", "lowercase", "once"),
        word_gain=0.2,
        echo_share=0.8,
    )
    program = dspex.Predict("question -> answer")
    optimiser = dspex.COPRO(metric=task.metric, breadth=5, depth=2)

    with dspex.context(lm=task.lm()):
        print(optimiser.plan(program, trainset=task.trainset, testset=task.devset))
        found = optimiser.compile(program, trainset=task.trainset, testset=task.devset)

    print(f"\n{optimiser.study}")
    print(f"\nIt was told: {program.signature.instructions}")
    print(f"It is told:  {found.signature.instructions}")
    print(f"Right: {task.accuracy(found):.0%} of all, without demonstrations.")


if __name__ == "__main__":
    main()
