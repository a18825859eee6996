"""Examples in hand when a run ended are told with a cause, and measured later."""

from __future__ import annotations

import contextvars
from dataclasses import replace

import pytest

from dspex.core.example import Example
from dspex.core.lm import Usage
from dspex.core.once import began_unrepeatable
from dspex.core.spending import Spent
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp
from dspex.evaluate.running.comebacks import Comeback
from dspex.evaluate.running.left_open import given_up_among, left_open
from dspex.evaluate.running.plan import Ended, EndReason, GivenUp
from dspex.evaluate.scheduling.retrying import Past
from dspex.evaluate.working.attempt import Attempt
from dspex.evaluate.working.floor import Floor
from dspex.evaluate.working.worker import Measured
from supervisors import Normal


def stamp(example: int = 0, attempt: int = 1) -> Stamp:
    return Stamp(run="r", example=example, attempt=attempt)


def comeback(kind: OutcomeKind, example: int = 0) -> Comeback:
    return Comeback(outcome=Outcome(stamp=stamp(example), kind=kind), past=Past())


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("time", OutcomeKind.TIMEOUT),
        ("cancelled", OutcomeKind.CANCELLED),
        ("max_errors", OutcomeKind.CANCELLED),
        ("outage", OutcomeKind.CANCELLED),
    ],
)
def test_what_was_worked_on_is_open_by_the_reason_of_the_end(
    reason: EndReason, kind: OutcomeKind
) -> None:
    given_up = GivenUp(stamp=stamp(3), latency=2.0, stage="metric")

    left = left_open(Ended(reason=reason, given_up=[given_up]), {})

    outcome = left[3, 0]
    assert (outcome.kind, outcome.stage, outcome.latency) == (kind, "metric", 2.0)
    assert not outcome.is_settled


def test_what_it_had_from_models_is_not_lost() -> None:
    spent = Spent(Usage(prompt_tokens=5), 0.25, 2, 1, ("call-1",))
    given_up = GivenUp(stamp=stamp(3, attempt=2), spent=spent)
    last = replace(
        comeback(OutcomeKind.MODEL).outcome,
        usage=spent.usage,
        cost=spent.cost,
        calls=spent.calls,
        cached=spent.cached,
    )
    waiting = {(0, 0): Comeback(outcome=last, past=Past())}

    left = left_open(Ended(reason="cancelled", given_up=[given_up]), waiting)

    for outcome in left.values():
        assert (outcome.usage.prompt_tokens, outcome.cost) == (5, 0.25)
        assert (outcome.calls, outcome.cached) == (2, 1)
    assert left[3, 0].answers == ("call-1",)


def test_what_began_something_never_run_again_stays_so() -> None:
    given_up = GivenUp(stamp=stamp(), may_run_again=False)

    left = left_open(Ended(reason="cancelled", given_up=[given_up]), {})

    assert left[0, 0].is_settled


def test_what_waited_for_its_next_attempt_keeps_its_last_open_outcome() -> None:
    waiting = {(0, 0): comeback(OutcomeKind.INFRASTRUCTURE)}

    left = left_open(Ended(reason="time"), waiting)

    assert left == {(0, 0): waiting[0, 0].outcome}


def test_an_answer_that_was_to_be_replaced_does_not_count_yet() -> None:
    waiting = {(0, 0): comeback(OutcomeKind.MODEL)}

    left = left_open(Ended(reason="cancelled"), waiting)

    assert left[0, 0].kind is OutcomeKind.CANCELLED


def test_an_attempt_at_work_is_newer_than_the_one_that_failed_before() -> None:
    waiting = {(0, 0): comeback(OutcomeKind.INFRASTRUCTURE)}
    given_up = GivenUp(stamp=stamp(attempt=2))

    left = left_open(Ended(reason="cancelled", given_up=[given_up]), waiting)

    assert left[0, 0].stamp.attempt == 2


@pytest.mark.parametrize("reason", ["complete", "enough"])
def test_a_run_that_came_to_its_end_leaves_nothing_open(reason: EndReason) -> None:
    waiting = {(0, 0): comeback(OutcomeKind.INFRASTRUCTURE)}

    assert left_open(Ended(reason=reason), waiting) == {}


def send_mail(_example: Example) -> Measured:
    began_unrepeatable("send_mail")
    return Measured(score=1.0)


def test_of_what_nobody_could_end_that_is_told_which_workers_had_taken() -> None:
    floor = Floor(send_mail, contextvars.copy_context(), concurrency=2)
    attempts = [Attempt(stamp(number), Example(), floor) for number in range(4)]
    floor.hand_out(attempts)
    lanes = floor.wanted_lanes()
    assert [floor.take(lane) for lane in lanes] == attempts[:2]
    sent_back = {(0, 0): comeback(OutcomeKind.MODEL, example=0)}

    given_up = given_up_among(floor.close(), sent_back)

    assert [each.stamp.example for each in given_up] == [1]
    # Nothing begins any more, and what was in hand is told as often as it is asked.
    assert [floor.take(lane) for lane in lanes] == [None, None]
    assert given_up_among(floor.close(), sent_back) == given_up


def test_what_is_never_run_again_is_not_forgotten_when_the_work_is_done() -> None:
    floor = Floor(send_mail, contextvars.copy_context(), concurrency=1)
    floor.hand_out([Attempt(stamp(), Example(), floor)])
    (lane,) = floor.wanted_lanes()
    attempt = floor.take(lane)
    assert attempt is not None

    contextvars.copy_context().run(attempt.run)
    before = attempt.as_given_up().may_run_again
    attempt.ended(Normal())

    assert (before, attempt.as_given_up().may_run_again) == (False, False)
