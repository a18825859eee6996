"""The three steps of `MIPROv2`: make demos, propose instructions, try combinations."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from dspex.core.lm import LanguageModel
from dspex.programs.program import Program
from dspex.programs.walk import beside
from dspex.teleprompt.few_shot.bootstrapping import Bootstrapping
from dspex.teleprompt.few_shot.demo_sets import drawn_sets, made_sets
from dspex.teleprompt.mipro.extent import Extent
from dspex.teleprompt.mipro.grounded import GroundedProposer, Grounds
from dspex.teleprompt.mipro.prompt_search import BASELINE, Choices, PromptSearch
from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.conducting import Found
from dspex.teleprompt.studies.judging import lift_of
from dspex.teleprompt.studies.lift import Lift, cross_fitted
from dspex.teleprompt.studies.study import Study

P = TypeVar("P", bound=Program)


@dataclass(kw_only=True)
class MIPROSearch(Generic[P]):
    """One search; call it with the study it works in, once."""

    student: P
    """The program to improve."""
    how: Bootstrapping
    """How demos are made."""
    extent: Extent
    """How much is tried, on what."""
    grounds: Grounds
    """What proposals are made in the light of."""
    prompt_model: LanguageModel | None
    """Who proposes."""
    temperature: float
    """How freely."""
    rng: random.Random
    """Where draws come from."""
    search: PromptSearch | None = None
    """The trials, once they have begun."""
    asked: int = 0
    """Answers of the prompt model, once all instructions are proposed."""

    def __call__(self, study: Study) -> Found[P]:
        """Do the three steps, and judge the winner."""
        extent, rng = self.extent, self.rng
        sets = drawn_sets(extent.demo_sets, extent.trainset, self.how, rng)
        demos = made_sets(study, self.student, self.how, sets)
        proposer = GroundedProposer(
            study, self.student, self.prompt_model, self.grounds, self.temperature
        )
        instructions = proposer.instructions(extent.instructions, demos, rng)
        self.asked = proposer.asked
        choices = Choices(
            instructions=instructions,
            demos=None if extent.is_zero_shot else demos,
        )
        self.search = PromptSearch(study, extent.valset, choices, extent.trials, rng)
        best = self.search.best()
        winner: P = best.program
        lift = self._lift(study, winner)
        return Found(program=winner, number=best.number, lift=lift)

    def _lift(self, study: Study, winner: Program) -> Lift | None:
        if study.order.testset is not None or study.order.valset is None:
            return lift_of(study, winner)
        # Of the valset only what was drawn was chosen by.
        given = next(each for each in study.candidates if each.number == BASELINE)
        return cross_fitted(given.scores, study.candidates, "the valset")

    def describe(self, winner: Program) -> None:
        """Give the winner DSPy's attributes."""
        scored, log = [], {}
        if self.search is not None:
            scored, log = self.search.scored, dict(self.search.log)
        ranked = sorted(scored, key=lambda each: -each["score"])
        full = [each["score"] for each in ranked if each["full_eval"]]
        told = {
            "candidate_programs": [each for each in ranked if each["full_eval"]],
            "mb_candidate_programs": [each for each in ranked if not each["full_eval"]],
            "trial_logs": log,
            "score": max(full, default=0.0),
            "total_calls": len(log),
            "prompt_model_total_calls": self.asked,
        }
        vars(winner).update({name: beside(value) for name, value in told.items()})


def save_all(folder: Path, candidates: Sequence[Candidate]) -> None:
    """Write the program of each candidate to a file of its own, as DSPy does."""
    place = folder / "evaluated_programs"
    place.mkdir(parents=True, exist_ok=True)
    for each in candidates:
        each.program.save(place / f"program_{each.number}.json")
