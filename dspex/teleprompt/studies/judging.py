"""Judging a study's winner on rows it was not chosen on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from dspex.core.example import Example
from dspex.programs.program import Program
from dspex.teleprompt.studies.lift import Lift, cross_fitted, judged
from dspex.teleprompt.studies.plan import PerRun, PlanStep
from dspex.teleprompt.studies.study import Study


def planned(
    judging: Sequence[Example] | None, each: PerRun, *, is_chosen_there: bool = False
) -> list[PlanStep]:
    """Return what judging the winner asks: nothing where there are no rows for it.

    Args:
        judging: The rows to judge on.
        each: What a program asks on one of them.
        is_chosen_there: Whether the winner is chosen on these rows. Then its scores are
            there, and those of the program given unless it is one of the candidates.
    """
    if judging is None:
        return []
    many = len(judging)
    if is_chosen_there:
        what = "the program given, judged"
        return [PlanStep(what=what, least=0, most=many, each=each)]
    what = "the winner and the program given, judged"
    return [PlanStep(what=what, least=2 * many, most=2 * many, each=each)]


def lift_of(
    study: Study,
    winner: Program,
    *,
    chosen_on: Sequence[Example] | None = None,
) -> Lift | None:
    """Return how much better the winner is than the student, as far as can be said.

    It is judged on the order's `testset`; else on its `valset`, and where the winner
    was chosen there, each half of it by what the other half chooses.

    Args:
        study: The study, with its candidates; it makes the evaluations.
        winner: What was chosen.
        chosen_on: The rows it was chosen on; `None` when it was not chosen by scores.

    Returns:
        The lift; `None` when there is neither set, or no metric.
    """
    order = study.order
    if order.metric is None:
        return None
    if order.testset is not None:
        return _on(study, winner, order.testset, "the testset")
    if order.valset is None:
        return None
    if chosen_on is None or chosen_on is not order.valset:
        return _on(study, winner, order.valset, "the valset")
    given = _given(study, order.valset)
    return cross_fitted(given, study.candidates, "the valset")


def _on(study: Study, winner: Program, rows: Sequence[Example], name: str) -> Lift:
    pieces = [
        partial(study.score, f"judged.{who}", program, rows)
        for who, program in (("given", study.order.student), ("winner", winner))
    ]
    given, won = study.side_by_side(pieces)
    return judged(given.scores, won.scores, name)


def _given(study: Study, rows: Sequence[Example]) -> Sequence[float]:
    """Return what the student scores, by row."""
    student = study.order.student
    state = student.dump_state()
    for candidate in study.candidates:
        if candidate.state == state and len(candidate.scores) == len(rows):
            return candidate.scores
    return study.score("judged.given", student, rows).scores
