"""Coordinate ascent: the search of `COPRO`, one predictor after the other."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from dspex.core.lm import LanguageModel
from dspex.programs.program import Program
from dspex.programs.walk import beside
from dspex.teleprompt.copro.proposing import (
    ProposeAfterAttempts,
    ProposeInstruction,
    Wording,
    wordings,
)
from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.study import Study

BEST_COUNTED: Final = 10
"""Wordings whose scores the statistics are of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Climbing:
    """How to climb; see `COPRO`, whose words these are."""

    breadth: int
    """Wordings in each round."""
    depth: int
    """Rounds."""
    temperature: float
    """How freely the model proposes."""
    lm: LanguageModel | None
    """Who proposes; `None` for the configured model."""


@dataclass(kw_only=True)
class _Tried:
    """A wording of one predictor, and the best that was scored with it."""

    wording: Wording
    candidate: Candidate
    depth: int


@dataclass(kw_only=True)
class _Place:
    """One predictor of the program: what was proposed for it, and what was tried."""

    name: str
    all: list[Wording]
    latest: list[Wording]
    tried: dict[Wording, _Tried] = field(default_factory=dict)
    statistics_best: list[dict[str, float]] = field(default_factory=list)
    statistics_latest: list[dict[str, float]] = field(default_factory=list)

    def ranked(self) -> list[_Tried]:
        """Return what was tried, the best first; of equal ones the earlier."""
        return sorted(self.tried.values(), key=lambda each: -_points(each.candidate))


class Ascent:
    """Coordinate ascent over the wordings of a program's predictors.

    Args:
        study: The study it works in.
        how: How many wordings in how many rounds, and who proposes them.
    """

    def __init__(self, study: Study, how: Climbing) -> None:
        self._study = study
        self._how = how
        # The places keep the order of the predictors; the program goes on improving.
        self._program = study.order.student.deepcopy()
        self._places: list[_Place] = []
        self._count = 0

    def climb(self) -> Candidate:
        """Return the best candidate."""
        self._places = [
            self._first(number, name, predictor.signature)
            for number, (name, predictor) in enumerate(self._named())
        ]
        for depth in range(self._how.depth):
            for number, place in enumerate(self._places):
                self._try(depth, number, place)
            for number, place in enumerate(self._places):
                best = [_points(each.candidate) for each in place.ranked()]
                place.statistics_best.append(_summary(depth, best[:BEST_COUNTED]))
                if depth + 1 < self._how.depth:
                    self._propose(depth, number, place)
        return self._ranked()[0].candidate

    def describe(self, winner: Program, *, with_statistics: bool) -> None:
        """Give the winner DSPy's attributes."""
        told: dict[str, Any] = {
            "candidate_programs": [
                {
                    "score": each.candidate.score,
                    "program": each.candidate.program,
                    "instruction": each.wording.instruction,
                    "prefix": each.wording.prefix,
                    "depth": each.depth,
                }
                for each in self._ranked()
            ],
            "total_calls": self._count,
        }
        if with_statistics:
            told["results_best"] = _columns(
                (place.name, place.statistics_best) for place in self._places
            )
            told["results_latest"] = _columns(
                (place.name, place.statistics_latest) for place in self._places
            )
        vars(winner).update({name: beside(value) for name, value in told.items()})

    # The parts of a round.

    def _named(self) -> list[tuple[str, Any]]:
        return self._program.named_predictors()

    def _first(self, number: int, name: str, signature: Any) -> _Place:
        basic = Wording.of(signature)
        proposed = wordings(
            self._study,
            f"round0.p{number}",
            ProposeInstruction,
            count=self._how.breadth - 1,
            temperature=self._how.temperature,
            lm=self._how.lm,
            basic_instruction=basic.instruction,
        )
        first = [*proposed, Wording.said(basic.instruction, basic.prefix)]
        return _Place(name=name, all=list(first), latest=list(first))

    def _try(self, depth: int, number: int, place: _Place) -> None:
        """Score the wordings of one predictor, and go on with the best so far."""
        several = len(self._places) > 1
        # The other predictors have changed since the earlier ones were scored.
        trying = place.all if several else place.latest
        pieces = [
            partial(self._scored, depth, number, self._count + turn, wording)
            for turn, wording in enumerate(trying)
        ]
        scores: list[float] = []
        for wording, candidate in zip(
            trying, self._study.side_by_side(pieces), strict=True
        ):
            points = _points(candidate)
            scores.append(points)
            known = place.tried.get(wording)
            if known is None:
                place.tried[wording] = _Tried(
                    wording=wording, candidate=candidate, depth=depth
                )
            elif _points(known.candidate) < points:
                # In its old place among the others, which decides between equal ones.
                known.candidate, known.depth = candidate, depth
        self._count += len(trying)
        if scores:
            latest = scores[-self._how.breadth :]
            place.statistics_latest.append(_summary(depth, latest))
        best = place.ranked()[0].wording
        _, predictor = self._named()[number]
        predictor.signature = best.put_into(predictor.signature)

    def _scored(
        self, depth: int, number: int, count: int, wording: Wording
    ) -> Candidate:
        study, program = self._study, self._program.deepcopy()
        name, predictor = program.named_predictors()[number]
        predictor.signature = wording.put_into(predictor.signature)
        of = "" if name == "self" else f" for {name!r}"
        result = study.score(f"{count:04d}.score", program, study.order.trainset)
        return study.report(
            Candidate.measured(
                program,
                result,
                number=count,
                label=wording.instruction,
                origin=f"a wording{of} tried in round {depth + 1}",
                facts={
                    "instruction": wording.instruction,
                    "prefix": wording.prefix,
                    "depth": depth,
                },
            )
        )

    def _propose(self, depth: int, number: int, place: _Place) -> None:
        """Ask for the next wordings, with the best until now in view."""
        ranked, breadth = place.ranked(), self._how.breadth
        proposed = wordings(
            self._study,
            f"round{depth + 1}.p{number}",
            ProposeAfterAttempts,
            count=breadth,
            temperature=self._how.temperature,
            lm=self._how.lm,
            attempted_instructions=list(_told(ranked[:breadth])),
        )
        place.latest = proposed
        place.all.extend(proposed)

    def _ranked(self) -> list[_Tried]:
        """Return all that was tried, the best first.

        A program that was tried for the sake of two predictors is there twice, as in
        DSPy.
        """
        tried = [each for place in self._places for each in place.tried.values()]
        return sorted(tried, key=lambda each: -_points(each.candidate))


def _told(ranked: Sequence[_Tried]) -> Iterator[str]:
    """Yield what is told of attempts, the worst first."""
    for number, each in enumerate(reversed(ranked), start=1):
        yield f"Instruction #{number}: {each.wording.instruction}"
        yield f"Prefix #{number}: {each.wording.prefix}"
        yield f"Resulting Score #{number}: {each.candidate.score}"


def _points(candidate: Candidate) -> float:
    return 0.0 if candidate.score is None else candidate.score


def _summary(depth: int, scores: Sequence[float]) -> dict[str, float]:
    return {
        "depth": depth,
        "max": max(scores),
        "average": statistics.fmean(scores),
        "min": min(scores),
        "std": statistics.pstdev(scores),
    }


def _columns(
    places: Iterable[tuple[str, list[dict[str, float]]]],
) -> dict[str, dict[str, list[float]]]:
    """Return the summaries of each predictor as DSPy has them: a list for each."""
    names = ("depth", "max", "average", "min", "std")
    return {
        name: {column: [row[column] for row in rows] for column in names}
        for name, rows in places
    }
