from collections.abc import Mapping

import pytest

from dspex.core.errors import ConfigurationError
from dspex.testing import (
    OVERLOADED,
    SERVER_ERROR,
    Billed,
    Fault,
    Hang,
    Step,
    StreamCut,
)
from dspex.testing._rules import On, Rule, Script

NO_HEADERS: Mapping[str, str] = {}


def billed(number: int, *, attempt: int = 1, streamed: bool = False) -> Billed:
    return Billed(
        number=number,
        request_id=None,
        idempotency_key=None,
        path="/",
        headers=NO_HEADERS,
        body={},
        received_at=0.0,
        attempt=attempt,
        streamed=streamed,
    )


def rule(
    fault: Fault = SERVER_ERROR,
    *,
    on: On = None,
    share: float = 1.0,
    spares_retries: bool = False,
    times: int | None = None,
    series: str = "rule 1",
    seed: int = 0,
) -> Rule:
    return Rule(
        fault=fault,
        on=on,
        share=share,
        spares_retries=spares_retries,
        times=times,
        series=series,
        seed=seed,
    )


def met(rule: Rule, numbers: range) -> list[int]:
    return [number for number in numbers if rule.take(billed(number), 0.0)]


def test_a_share_is_met_by_chance_and_the_same_again() -> None:
    hit = met(rule(share=0.05), range(4000))

    assert 150 < len(hit) < 250
    assert met(rule(share=0.05), range(4000)) == hit
    assert met(rule(share=0.05), range(3999, -1, -1)) == hit[::-1]


def test_another_seed_and_another_rule_meet_others() -> None:
    hit = {
        tuple(met(rule(share=0.5, series=series, seed=seed), range(64)))
        for series, seed in (("rule 1", 0), ("rule 1", 1), ("rule 2", 0))
    }

    assert len(hit) == 3


def test_a_rule_that_spares_retries_meets_first_attempts_only() -> None:
    sparing = rule(spares_retries=True)

    met = [sparing.take(billed(1, attempt=attempt), 0.0) for attempt in (1, 2, 3)]

    assert met == [SERVER_ERROR, None, None]


def test_requests_that_are_let_pass_do_not_use_a_rule_up() -> None:
    assert met(rule(on=iter_of(2, 4, 6), times=2), range(1, 9)) == [2, 4]


def iter_of(*numbers: int) -> On:
    return dict.fromkeys(numbers)


def test_a_stream_fault_is_for_streams() -> None:
    cut = rule(StreamCut(), times=1)

    met = [cut.take(billed(1, streamed=streamed), 0.0) for streamed in (False, True)]

    assert met == [None, StreamCut()]


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ConfigurationError, match="from 0 to 1"):
        rule(share=share)
    with pytest.raises(ConfigurationError, match="from 0 to 1"):
        Step(share=share)


@pytest.mark.parametrize("bounds", [{"requests": 0}, {"seconds": 0.0}])
def test_a_step_of_no_length_is_refused(bounds: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="more than 0"):
        Step(**bounds)  # type: ignore[arg-type]  # parametrised


def played(script: Script, times: list[float]) -> list[Fault | None]:
    return [script.take(billed(number), now) for number, now in enumerate(times)]


def script(*steps: Step) -> Script:
    return Script(steps, now=0.0, series="rule 1", seed=0)


def test_steps_follow_each_other_by_requests() -> None:
    steps = script(
        Step(requests=2),
        Step(fault=OVERLOADED, requests=1),
        Step(fault=Hang(), requests=1),
    )

    assert played(steps, [0.0] * 6) == [None, None, OVERLOADED, Hang(), None, None]


def test_steps_follow_each_other_by_time() -> None:
    steps = script(
        Step(fault=OVERLOADED, seconds=1.0),
        Step(fault=Hang(), seconds=1.0),
        Step(seconds=1.0),
        Step(fault=SERVER_ERROR),
    )

    met = played(steps, [0.0, 0.9, 1.0, 2.5, 3.0, 99.0])

    assert met == [OVERLOADED, OVERLOADED, Hang(), None, SERVER_ERROR, SERVER_ERROR]


def test_a_step_bounded_twice_ends_with_the_first_of_both() -> None:
    steps = script(
        Step(fault=OVERLOADED, requests=2, seconds=1.0),
        Step(fault=Hang(), requests=2, seconds=1.0),
    )

    # Two requests end the first step at 0.5, so the second one is over at 1.5.
    assert played(steps, [0.0, 0.5, 0.6, 1.5]) == [OVERLOADED, OVERLOADED, Hang(), None]


def test_a_step_may_meet_a_share() -> None:
    met = played(script(Step(fault=OVERLOADED, share=0.5)), [0.0] * 400)

    assert 150 < met.count(OVERLOADED) < 250


def test_a_stream_fault_in_a_script_counts_what_it_lets_pass() -> None:
    steps = script(Step(fault=StreamCut(), requests=1), Step(fault=Hang()))

    assert played(steps, [0.0, 0.0]) == [None, Hang()]
