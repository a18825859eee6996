"""inspect_ai's side of `tests.benchmarks.compared`: its task, run by `inspect eval`.

It is loaded by a Python that has inspect_ai, and imports nothing of this project. The
prompt stands in the sample, as it is; the scorer is inspect_ai's own, and another only
where one is to raise.
"""

from __future__ import annotations

import importlib
from typing import Any

inspect_ai = importlib.import_module("inspect_ai")
datasets = importlib.import_module("inspect_ai.dataset")
models = importlib.import_module("inspect_ai.model")
scorers = importlib.import_module("inspect_ai.scorer")
solvers = importlib.import_module("inspect_ai.solver")

# `inspect eval` looks for a decorator of this name.
task = inspect_ai.task


@scorers.scorer(metrics=[scorers.accuracy()])
def exact_or_raise(every: int) -> Any:
    """Compare, and raise on one sample in so many."""

    async def score(state: Any, target: Any) -> Any:
        if (int(state.sample_id) - 1) % every == 0:
            raise ValueError("the metric has a bug")
        same = state.output.completion == target.text
        return scorers.Score(value=scorers.CORRECT if same else scorers.INCORRECT)

    return score


@task
def compared(
    examples: int, system: str, user: str, answer: str, fails_every: int = 0
) -> Any:
    """Ask every question once."""
    samples = [
        datasets.Sample(
            id=number + 1,
            input=[
                models.ChatMessageSystem(content=system),
                models.ChatMessageUser(
                    content=user.replace("{{question}}", f"q{number}")
                ),
            ],
            target=answer,
        )
        for number in range(examples)
    ]
    return inspect_ai.Task(
        dataset=samples,
        solver=solvers.generate(),
        scorer=exact_or_raise(fails_every) if fails_every else scorers.exact(),
    )
