"""One search for demos, in the library that is handed in: dspex or DSPy.

    python bootstrap_side.py dspy|dspex < SCENARIOS.json

It runs by its path in DSPy's own environment too, so it imports nothing of this
project. A scenario says what the metric gives for each question in each round; the
result is every predictor's demos, or that the search raised.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Callable
from typing import Any, TypedDict


class Scenario(TypedDict):
    """A search, as numbers and words."""

    rows: list[int]
    """The question of each row of the training set; one may come twice."""
    script: list[list[float | str]]
    """By question and round: what the metric gives, or who raises ("program",
    "metric")."""
    demos: int
    """Demos wanted."""
    labeled: int
    """Demos in all."""
    rounds: int
    """Rounds for each row."""
    threshold: float | None
    """What the metric must reach."""
    errors: int
    """Errors at which the search stops."""


Demos = dict[str, list[dict[str, Any]]]
"""By predictor name."""


def _nothing() -> None:
    """Let every answer arrive at once."""


def model(library: Any, gate: Callable[[], None]) -> Any:
    """A model that answers with the question and the round it was asked in."""

    class Scripted(library.BaseLM):  # type: ignore[misc] # of whichever library
        def __call__(
            self,
            prompt: str | None = None,
            messages: list[dict[str, Any]] | None = None,
            **settings: Any,
        ) -> list[str]:
            gate()
            turn = (messages or [])[-1]["content"]
            question = turn.partition("[[ ## question ## ]]")[2].split()[0]
            called = {**self.kwargs, **settings}
            told = f"{question} {called.get('rollout_id') or 0}"
            # As a section, and not as the one that is asked for.
            name = "answer" if "[[ ## plan ## ]]\n" in turn else "plan"
            return [f"[[ ## {name} ## ]]\n{name} {told}\n\n[[ ## completed ## ]]"]

    return Scripted("scripted")


def program(library: Any, scenario: Scenario) -> Any:
    """Two predictors, one after the other; it raises where the script says so."""

    class TwoSteps(library.Module):  # type: ignore[misc] # of whichever library
        def __init__(self) -> None:
            super().__init__()
            self.plan = library.Predict("question -> plan")
            self.answer = library.Predict("question, plan -> answer")

        def forward(self, question: str) -> Any:
            plan = self.plan(question=question).plan
            if said(scenario, plan) == "program":
                raise ValueError(plan)
            return self.answer(question=question, plan=plan)

    return TwoSteps()


def said(scenario: Scenario, answer: str) -> float | str:
    """What the script says of an answer, which ends in its question and round."""
    question, number = answer.split()[-2:]
    return scenario["script"][int(question[1:])][int(number)]


def examples(library: Any, scenario: Scenario) -> list[Any]:
    """The training set."""
    rows = [{"question": f"q{n}", "plan": "-", "answer": "-"} for n in scenario["rows"]]
    return [library.Example(**row).with_inputs("question") for row in rows]


def optimiser(library: Any, scenario: Scenario, **options: Any) -> Any:
    """What searches."""

    def metric(example: Any, prediction: Any, trace: Any = None) -> Any:
        verdict = said(scenario, prediction.answer)
        if verdict == "metric":
            raise ValueError(prediction.answer)
        return verdict

    return library.BootstrapFewShot(
        metric=metric,
        metric_threshold=scenario["threshold"],
        max_bootstrapped_demos=scenario["demos"],
        max_labeled_demos=scenario["labeled"],
        max_rounds=scenario["rounds"],
        max_errors=scenario["errors"],
        **options,
    )


def search(
    library: Any,
    scenario: Scenario,
    found: Any,
    gate: Callable[[], None] = _nothing,
) -> Demos | None:
    """Run `found`, the optimiser; the demos, or `None` when it raised."""
    student = program(library, scenario)
    with library.context(lm=model(library, gate)):
        try:
            taught = found.compile(student, trainset=examples(library, scenario))
        except Exception:
            return None
    return {
        name: [dict(demo.items()) for demo in predictor.demos]
        for name, predictor in taught.named_predictors()
    }


def main(name: str) -> None:
    """Run every scenario."""
    logging.disable(logging.CRITICAL)
    library = importlib.import_module(name)
    # DSPy reports with print(), and the result has to stand alone.
    out, sys.stdout = sys.stdout, sys.stderr
    scenarios = json.load(sys.stdin)
    found = [search(library, each, optimiser(library, each)) for each in scenarios]
    json.dump(found, out)


if __name__ == "__main__":
    main(sys.argv[1])
