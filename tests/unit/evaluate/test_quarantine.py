"""When an example is set aside whose workers die."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dspex.evaluate.scheduling.quarantine import (
    DEATHS,
    OWN_DEATHS,
    Death,
    evidence,
    is_set_aside,
    verdict,
)
from supervisors import Crashed, ExitReason, Failed, Killed, NoProcess

OWN = st.sampled_from([Crashed(RuntimeError("segmentation fault")), Failed("exit 139")])
OUTSIDE = st.sampled_from([Killed(), NoProcess()])


def deaths(reasons: list[ExitReason]) -> list[Death]:
    return [
        Death(attempt=number, reason=reason, seconds=0.5)
        for number, reason in enumerate(reasons, 1)
    ]


@given(st.lists(OWN | OUTSIDE, max_size=8))
def test_it_is_set_aside_after_so_many_deaths_and_not_before(
    reasons: list[ExitReason],
) -> None:
    own = sum(isinstance(reason, Crashed | Failed) for reason in reasons)

    assert is_set_aside(deaths(reasons)) == (
        own >= OWN_DEATHS or len(reasons) >= DEATHS
    )


@given(st.lists(OUTSIDE, max_size=DEATHS - 1))
def test_a_few_deaths_from_outside_are_charged_to_nobody(
    reasons: list[ExitReason],
) -> None:
    assert not is_set_aside(deaths(reasons))


def test_the_evidence_tells_of_each_death_in_order() -> None:
    lines = evidence(deaths([Failed("exit code 139"), Killed()]))

    assert lines == (
        "attempt 1, after 0.5 s: failed: exit code 139",
        "attempt 2, after 0.5 s: killed",
    )


def test_the_verdict_says_who_ended_the_workers() -> None:
    own = verdict(17, deaths([Failed("exit code 139")] * OWN_DEATHS))
    outside = verdict(17, deaths([Killed()] * DEATHS))

    assert own.startswith("example 17 ended its worker 3 times")
    assert "killed from outside 5 times" in outside
