"""MIPROv2: find an instruction and demonstrations at once, in two steps of a program.

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
    task = ScriptedTask(train=60, dev=200, demo_gain=0.1)
    choosing, judging = task.devset[:60], task.devset[60:]
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
