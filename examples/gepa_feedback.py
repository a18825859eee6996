"""GEPA: say in words what was wrong, and have instructions written in their light.

    python gepa_feedback.py

A scripted model answers, so there is no key, no network and no cost. It likes four
words in its instruction. The metric names one of them now and then, and as often a word
that does not help, as a person would who only guesses.
"""

from __future__ import annotations

import dspex
from dspex.testing import ScriptedTask


def main() -> None:
    """Let instructions evolve, and judge the best of them on rows of its own."""
    task = ScriptedTask(
        train=24,
        dev=80,
        words=("verbatim", "lowercase", "once", "unquoted"),
        word_gain=0.15,
        proposal_share=0.2,
        echo_share=0.6,
    )
    choosing, judging = task.devset[:20], task.devset[20:]
    program = dspex.Predict("question -> answer")
    lm = task.lm()
    optimiser = dspex.GEPA(task.feedback_metric, max_metric_calls=120, reflection_lm=lm)

    row = task.trainset[0]
    said = task.feedback_metric(row, dspex.Prediction(answer="?")).feedback
    print(f"The metric says: {said}\n")

    with dspex.context(lm=lm):
        found = optimiser.compile(
            program, trainset=task.trainset, valset=choosing, testset=judging
        )

    print(optimiser.study)
    print(f"\nIt was told: {program.signature.instructions}")
    print(f"It is told:  {found.signature.instructions}")
    print(f"Right: {task.accuracy(found):.0%} of all, without demonstrations.")


if __name__ == "__main__":
    main()
