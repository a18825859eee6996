"""Which of the demos that were made are taken."""

from __future__ import annotations

from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp
from dspex.teleprompt.few_shot.demos import Tried, first_accepted


def outcome(
    number: int, kind: OutcomeKind = OutcomeKind.SCORED, *, accepted: bool = True
) -> Outcome:
    stamp = Stamp(run="r", example=number)
    value = Tried(demos={} if accepted else None).plain()
    return Outcome(stamp=stamp, kind=kind, value=value)


def test_nothing_behind_an_example_that_was_given_up_is_taken() -> None:
    given_up = Outcome(
        stamp=Stamp(run="r", example=1), kind=OutcomeKind.CANCELLED, value=None
    )

    chosen = first_accepted([outcome(0), given_up, outcome(2)], 3)

    assert list(chosen) == [0]


def test_what_failed_or_was_not_accepted_is_passed_over() -> None:
    failed = Outcome(stamp=Stamp(run="r", example=0), kind=OutcomeKind.PROGRAM)

    chosen = first_accepted([failed, outcome(1, accepted=False), outcome(2)], 3)

    assert list(chosen) == [2]
