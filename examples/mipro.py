"""MIPROv2: find an instruction and demonstrations at once.

    python mipro.py

A scripted model answers, so there is no key, no network and no cost. It needs the extra
`optuna`: pip install 'dspex[optuna]'. The study has a name: stop it with Ctrl-C, or
kill it, and the same command goes on where it stopped.
"""

from __future__ import annotations

import dspex
from dspex.testing import ScriptedTask


def main() -> None:
    """Try combinations of instructions and demonstrations, and show what was chosen."""
    task = ScriptedTask(train=30, dev=60, word_gain=0.15)
    choosing, judging = task.devset[:30], task.devset[30:]
    program = dspex.Predict("question -> answer")
    optimiser = dspex.MIPROv2(metric=task.metric, auto="light")

    with dspex.context(lm=task.lm()):
        found = optimiser.compile(
            program,
            trainset=task.trainset,
            valset=choosing,
            testset=judging,
            run="mipro-example",
        )

    print(optimiser.study)
    print(f"\nIt is told: {found.signature.instructions}")
    print(f"and sees {len(found.demos)} demonstrations.")
    print(f"Right: {task.accuracy(found):.0%} of all; the best is {task.optimum:.0%}.")
    print("Draw it again with: dspex show mipro-example")


if __name__ == "__main__":
    main()
