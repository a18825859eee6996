"""KNNFewShot: demonstrations that are made for each question, of its own kind.

    python knn_few_shot.py

A scripted model answers, so there is no key, no network and no cost. Its questions are
of four kinds, and a demonstration helps questions of its own kind only.
"""

from __future__ import annotations

import re

import dspex
from dspex.testing import ScriptedTask

KINDS = 4


def by_kind(texts: list[str]) -> list[list[float]]:
    """Stand in for an embedder: texts of one kind have the same vector.

    A real one is `dspex.Embedder("openai/text-embedding-3-small")`.
    """
    kinds = [re.findall(r"kind(\d)", text)[-1] for text in texts]
    return [[float(kind == str(place)) for place in range(KINDS)] for kind in kinds]


def main() -> None:
    """Make the same number of demonstrations once for all, and for each question."""
    task = ScriptedTask(
        train=40, dev=80, kinds=KINDS, base=0.4, demo_gain=0.15, useful_share=0.8
    )
    program = dspex.Predict("question -> answer")
    once = dspex.BootstrapFewShot(task.metric, max_labeled_demos=4)
    each = dspex.KNNFewShot(
        4, task.trainset, by_kind, metric=task.metric, max_labeled_demos=4
    )

    with dspex.context(lm=task.lm()):
        score = dspex.Evaluate(devset=task.devset, metric=task.metric)
        print(f"without demonstrations:       {score(program)}")
        same_for_all = once.compile(program, trainset=task.trainset)
        print(f"the same four for all:        {score(same_for_all)}")
        of_its_kind = each.compile(program)
        print(f"four made for each question:  {score(of_its_kind)}")


if __name__ == "__main__":
    main()
