"""Plans: what they come to, and how they are told."""

from __future__ import annotations

from dspex.core.lm import Usage
from dspex.teleprompt.studies.plan import PerRun, PlanStep, StudyPlan

KNOWN = PerRun(
    calls=2.0,
    usage=Usage(prompt_tokens=200, completion_tokens=100),
    dollars=0.03,
    rows=3,
)


def plan(*steps: PlanStep, **changes: object) -> StudyPlan:
    return StudyPlan(optimiser="COPRO", steps=steps, **changes)  # type: ignore[arg-type] # any field


def step(
    least: int, most: int, each: PerRun = KNOWN, what: str = "wordings"
) -> PlanStep:
    return PlanStep(what=what, least=least, most=most, each=each)


def test_steps_are_added_up() -> None:
    whole = plan(step(1, 4), step(2, 2))

    assert whole.calls == (6, 12)
    assert whole.tokens == 400 + 200
    assert whole.dollars == 0.06


def test_what_nobody_knows_is_said_to_be_unknown() -> None:
    asked = step(3, 3, PerRun(calls=1.0), "proposals")

    whole = plan(step(1, 4), asked)

    assert (whole.tokens, whole.dollars) == (None, None)
    assert str(whole).splitlines()[0] == (
        "COPRO: 5 to 11 calls, at most 400 tokens and $0.04, beside proposals, not "
        "every price is known"
    )


def test_a_step_that_is_never_done_costs_nothing() -> None:
    whole = plan(step(1, 1), step(0, 0, PerRun(calls=1.0)))

    assert whole.tokens == 100
    assert whole.dollars == 0.01


def test_time_is_told_for_a_pace_that_is_known() -> None:
    assert plan(step(4, 8)).seconds(0.5, concurrency=4) == (1.0, 2.0)
    half = PerRun(calls=2.0, cached=1.0)
    assert plan(step(4, 8, half)).seconds(0.5, concurrency=4) == (0.5, 1.0)


def test_a_notebook_shows_the_steps_and_the_notes() -> None:
    page = plan(step(1, 4), notes=("It asks more for long rows.",))._repr_html_()

    assert "COPRO: 2 to 8 calls" in page
    assert "<td>wordings</td>" in page
    assert "It asks more for long rows." in page
