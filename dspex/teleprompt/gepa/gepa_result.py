"""What DSPy's `GEPA` tells of a search, in its words: `detailed_results`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dspex.evaluate.results.result import EvaluationResult
from dspex.programs.program import Program
from dspex.programs.walk import Beside
from dspex.teleprompt.gepa.reflection import instructions_of
from dspex.teleprompt.studies.candidate import Candidate


@dataclass(frozen=True, kw_only=True)
class DetailedResults(Beside):
    """Tells of the candidates of `GEPA`, by their numbers; `study` tells the rest.

    Rows are known by their place among those to choose by. Scores are the metric's own
    numbers, and not points.
    """

    candidates: list[Program]
    """The programs."""
    parents: list[list[int | None]]
    """The numbers of those each was made from; `[None]` for the program given."""
    val_aggregate_scores: list[float]
    """The mean score of each."""
    val_subscores: list[dict[int, float]]
    """The score of each by row."""
    per_val_instance_best_candidates: dict[int, set[int]]
    """By row, the numbers of those that score best there."""
    discovery_eval_counts: list[int]
    """How many examples were scored before each was."""
    best_outputs_valset: dict[int, list[tuple[int, Any]]] | None = None
    """By row, what those gave there, with their numbers; kept when asked for."""
    total_metric_calls: int | None = None
    """How many examples were scored."""
    num_full_val_evals: int | None = None
    """How often all rows to choose by were scored."""
    log_dir: str | None = None
    """The folder that was named."""
    seed: int | None = None
    """The seed of all draws."""

    @property
    def best_idx(self) -> int:
        """The number of the best; of equal ones the first."""
        scores = self.val_aggregate_scores
        return max(range(len(scores)), key=scores.__getitem__)

    @property
    def best_candidate(self) -> Program:
        """The best program."""
        return self.candidates[self.best_idx]

    @property
    def highest_score_achieved_per_val_task(self) -> dict[int, float]:
        """The best score of each row."""
        best = self.per_val_instance_best_candidates
        return {row: self.val_subscores[min(best[row])][row] for row in best}

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values; a program is its instructions by predictor."""
        best = self.per_val_instance_best_candidates
        return {
            "candidates": [instructions_of(each) for each in self.candidates],
            "parents": self.parents,
            "val_aggregate_scores": self.val_aggregate_scores,
            "best_outputs_valset": self.best_outputs_valset,
            "val_subscores": self.val_subscores,
            "per_val_instance_best_candidates": {
                row: sorted(numbers) for row, numbers in best.items()
            },
            "discovery_eval_counts": self.discovery_eval_counts,
            "total_metric_calls": self.total_metric_calls,
            "num_full_val_evals": self.num_full_val_evals,
            "log_dir": self.log_dir,
            "seed": self.seed,
            "best_idx": self.best_idx,
        }


def detailed(
    candidates: Sequence[Candidate],
    results: Mapping[int, EvaluationResult] | None,
    *,
    scored: int,
    log_dir: str | None,
    seed: int | None,
) -> DetailedResults:
    """Return what there is to tell of the candidates of a search.

    Args:
        candidates: The candidates, by number.
        results: Their evaluations, where outputs are to be kept.
        scored: How many examples were scored in all.
        log_dir: The folder that was named.
        seed: The seed of all draws.
    """
    scores = [each.scores for each in candidates]
    best = {}
    for row, column in enumerate(zip(*scores, strict=True)):
        most = max(column)
        best[row] = {number for number, score in enumerate(column) if score == most}
    outputs = None
    if results is not None:
        outputs = {
            row: [(number, _output(results[number], row)) for number in sorted(numbers)]
            for row, numbers in best.items()
        }
    return DetailedResults(
        candidates=[each.program for each in candidates],
        parents=[list(each.parents) or [None] for each in candidates],
        val_aggregate_scores=[sum(each) / len(each) for each in scores],
        val_subscores=[dict(enumerate(each)) for each in scores],
        per_val_instance_best_candidates=best,
        discovery_eval_counts=[each.facts["scored_before"] for each in candidates],
        best_outputs_valset=outputs,
        total_metric_calls=scored,
        num_full_val_evals=len(candidates),
        log_dir=log_dir,
        seed=seed,
    )


def _output(result: EvaluationResult, row: int) -> Any:
    outcome = result.outcomes[row]
    return None if outcome is None else outcome.prediction
