"""Parts of a run crash before, inside and after each of their messages.

Whatever is lost with them, each example is counted once and none is missing.
"""

from __future__ import annotations

import itertools

import pytest

import dspex
from dspex.evaluate.running.aggregator import (
    Accepted,
    AggregatorActor,
    GetStanding,
    Look,
)
from dspex.evaluate.running.coordinator import CoordinatorActor, LookAtTime
from dspex.evaluate.scheduling.source import SourceActor, StreamMoved, TakeExamples
from supervisors import Actor
from supervisors.testing import Fault, FaultKind, FaultPlan
from tests.actors.rows import right, rows

COUNT = 120
KINDS = (FaultKind.CRASH_BEFORE, FaultKind.CRASH_AFTER, FaultKind.KILL)
MESSAGES: dict[type[Actor], tuple[type, ...]] = {
    AggregatorActor: (Look, GetStanding),
    CoordinatorActor: (Accepted, LookAtTime, StreamMoved),
    SourceActor: (TakeExamples,),
}
ONCE = (GetStanding, LookAtTime)
"""What comes but once in a run where nothing goes wrong."""


def program(question: str) -> dspex.Prediction:
    return dspex.Prediction(answer=question.replace("q", "a"))


def evaluated(plan: FaultPlan, *, persist: bool, stream: bool) -> None:
    """Evaluate under a plan of faults, and hold what every run must show."""
    config = dspex.Config(branch_restarts=50)
    with dspex.Runtime(config) as runtime:
        devset = (lambda: iter(rows(COUNT))) if stream else rows(COUNT)
        evaluate = dspex.Evaluate(
            devset=devset,
            metric=right,
            concurrency=4,
            timeout=20,
            persist=persist,
            display_progress=False,
        )
        with plan.installed(runtime.start().registry):
            result = evaluate(program)

    assert result.complete, str(plan)
    assert result.score == 100.0
    assert [o.stamp.example for o in result.outcomes if o] == list(range(COUNT))
    assert [row[1].answer for row in result.results] == [f"a{n}" for n in range(COUNT)]


CASES = [
    (actor, message, kind, nth)
    for actor, messages in MESSAGES.items()
    for message, kind, nth in itertools.product(messages, KINDS, (1, 3))
    if nth == 1 or message not in ONCE
]


@pytest.mark.parametrize(("actor", "message", "kind", "nth"), CASES)
def test_a_crash_at_any_message_loses_and_doubles_nothing(
    actor: type[Actor], message: type, kind: FaultKind, nth: int
) -> None:
    plan = FaultPlan([Fault(kind=kind, actor=actor, message=message, nth=nth)])

    evaluated(plan, persist=False, stream=True)

    plan.assert_all_fired()


@pytest.mark.parametrize("seed", range(6))
def test_many_crashes_in_one_run_lose_and_double_nothing(seed: int) -> None:
    plan = FaultPlan.seeded(
        seed, [AggregatorActor, CoordinatorActor], count=6, within=12, kinds=KINDS
    )

    evaluated(plan, persist=seed % 2 == 0, stream=seed % 3 == 0)

    assert plan.fired
