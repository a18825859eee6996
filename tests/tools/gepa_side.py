"""Searches of `GEPA` in the library that is named, with the same proposals and replies.

    python tests/tools/gepa_side.py dspy > tests/data/dspy_gepa.json

writes what DSPy finds, in an environment of DSPy's own; the tests compare dspex with
it where there is no DSPy.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from typing import Any

SEARCHES = (
    {"seed": 0, "steps": 1, "use_merge": False},
    {"seed": 1, "steps": 2, "use_merge": False},
    {"seed": 2, "steps": 2, "use_merge": True},
    {"seed": 3, "steps": 1, "component_selector": "all", "skip_perfect_score": False},
    {"seed": 4, "steps": 2, "component_selector": "all", "use_merge": True},
)
"""What is drawn, and options of the constructor."""
COMPARED = (
    "best_idx",
    "candidates",
    "discovery_eval_counts",
    "num_full_val_evals",
    "parents",
    "per_val_instance_best_candidates",
    "seed",
    "total_metric_calls",
    "val_aggregate_scores",
    "val_subscores",
)
"""Of what `detailed_results` tells."""


def found_by(library: Any, side: Any, search: dict[str, Any]) -> Any:
    """Run a search, and return what it tried.

    Args:
        library: dspex or DSPy.
        side: The module `optimisers_side`, whose model and program these are.
        search: One of `SEARCHES`.
    """
    options = dict(search)
    steps = options.pop("steps")

    def proposer(
        candidate: Any, reflective_dataset: Any, components_to_update: Any
    ) -> dict[str, str]:
        return {
            name: f"Do it. {side.word(candidate[name], reflective_dataset[name])}"
            for name in components_to_update
        }

    def metric(
        gold: Any, pred: Any, trace: Any, pred_name: Any = None, pred_trace: Any = None
    ) -> Any:
        score = float(gold.answer == pred.answer)
        if pred_name is None:
            return score
        own = [dict(step[2].items()) for step in pred_trace]
        words = f"{pred_name}: {len(trace)} steps, {json.dumps(own)}"
        return library.Prediction(score=score, feedback=words)

    def scored(gold: Any, pred: Any, *more: Any) -> Any:
        # DSPy asks for scores with two arguments, whatever it checks before.
        return metric(gold, pred, *(more or (None,)))

    how = library.GEPA(
        scored,
        max_metric_calls=90,
        instruction_proposer=proposer,
        track_stats=True,
        num_threads=4,
        **options,
    )
    student = side.program(library, {"steps": steps, "program_raises": False})
    with library.context(lm=side.model(library, search["seed"])):
        winner = how.compile(
            student, trainset=side.rows(library, 0, 8), valset=side.rows(library, 8, 9)
        )
    told = winner.detailed_results.to_dict()
    return json.loads(json.dumps({name: told[name] for name in COMPARED}))


def main(name: str) -> None:
    """Run every search."""
    logging.disable(logging.CRITICAL)
    library = importlib.import_module(name)
    side = importlib.import_module("optimisers_side")
    # DSPy reports with print(), and the result has to stand alone.
    out, sys.stdout = sys.stdout, sys.stderr
    json.dump([found_by(library, side, each) for each in SEARCHES], out, indent=1)


if __name__ == "__main__":
    main(sys.argv[1])
