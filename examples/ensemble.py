"""Ensemble: several programs answer together, and the majority counts.

    python ensemble.py

A scripted model answers, so there is no key, no network and no cost. Each program of
the ensemble draws its answers anew, so that they fail at different questions.
"""

from __future__ import annotations

import dspex
from dspex.testing import ScriptedTask

PROGRAMS = 5


def main() -> None:
    """Ask one program, then five, and compare them question by question."""
    task = ScriptedTask(base=0.6, dev=80)
    program = dspex.Predict("question -> answer")
    programs = [program.deepcopy() for _ in range(PROGRAMS)]
    for number, each in enumerate(programs):
        each.set_lm(task.lm().copy(rollout_id=number, temperature=1.0))
    together = dspex.Ensemble(reduce_fn=dspex.majority).compile(programs)

    score = dspex.Evaluate(devset=task.devset, metric=task.metric)
    alone, joint = score(programs[0]), score(together)

    print(f"one program:    {alone}")
    print(f"five together:  {joint}")
    print(dspex.compare(alone, joint, names=("one program", "five together")).verdict)


if __name__ == "__main__":
    main()
