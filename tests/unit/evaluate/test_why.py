"""One line for each open example, for each thing it may wait for."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.client.standing import CallStanding, HeldBy
from dspex.evaluate.running.why import (
    Cause,
    Facts,
    Planned,
    Waiting,
    Working,
    frames_of,
    from_own_code,
    in_short,
    own_place,
    reasons,
)
from dspex.evaluate.scheduling.outage import Outage

DSPEX = Path(dspex.__file__).parent
STDLIB = sysconfig.get_paths()["stdlib"]


def working(example: int = 17, **facts: Any) -> Working:
    return Working(**{"key": (example, 0), "attempt": 1, "seconds": 50.0, **facts})


def only(facts: Facts) -> Waiting:
    (waiting,) = reasons(facts)
    return waiting


def stack(*frames: tuple[str, int]) -> str:
    lines = (f'  File "{file}", line {line}, in f\n    code\n' for file, line in frames)
    return "".join(lines)


@pytest.mark.parametrize(
    ("call", "cause", "line"),
    [
        (
            CallStanding(tags={}, held_by=HeldBy.BREAKER, since=12.2, left=3.0),
            Cause.BREAKER,
            "example 17: breaker of openai open for 12 s",
        ),
        (
            CallStanding(tags={}, held_by=HeldBy.LIMIT, left=3.0),
            Cause.LIMIT,
            "example 17: waits for a rate limit of openai, 3 s",
        ),
        (
            CallStanding(tags={}, held_by=HeldBy.RETRY, left=8.0, sent=2),
            Cause.RETRY,
            "example 17: retry 2 of a call in 8 s",
        ),
        (
            CallStanding(tags={}, held_by=HeldBy.ANSWER, since=7.0, sent=1),
            Cause.REQUEST,
            "example 17: request out for 7 s",
        ),
        (
            CallStanding(tags={}, held_by=HeldBy.SERVER),
            Cause.SERVER,
            "example 17: waits until openai is ready",
        ),
        (
            CallStanding(tags={}, held_by=HeldBy.PLACE),
            Cause.PLACE,
            "example 17: waits for a place among the requests to openai",
        ),
    ],
)
def test_an_open_call_says_what_holds_it_up(
    call: CallStanding, cause: Cause, line: str
) -> None:
    waiting = only(Facts(working=(working(),), calls={(17, 0): ("openai", call)}))

    assert (waiting.cause, str(waiting)) == (cause, line)


def test_a_running_metric_is_named_with_its_line() -> None:
    here = stack(
        (f"{DSPEX}/evaluate/metric.py", 80),
        ("/home/ada/metrics.py", 12),
        (f"{STDLIB}/json/decoder.py", 3),
    )
    worker = working(stage="metric", stage_seconds=40.0, stack=here)

    waiting = only(Facts(working=(worker,)))

    assert waiting.cause is Cause.METRIC
    assert waiting.seconds == 40.0
    assert str(waiting) == "example 17: metric running for 40 s at metrics.py:12"


def test_a_running_program_without_a_line_of_its_own_names_none() -> None:
    worker = working(stage="program", stack=stack((f"{DSPEX}/programs/program.py", 1)))

    waiting = only(Facts(working=(worker,)))

    assert waiting.cause is Cause.PROGRAM
    assert str(waiting) == "example 17: program running for 50 s"


def test_who_waits_in_the_cache_waits_for_another_example() -> None:
    worker = working(stack=stack((f"{DSPEX}/cache/cache.py", 1)))

    waiting = only(Facts(working=(worker,)))

    assert waiting.cause is Cause.SHARED
    assert "another example has asked for" in waiting.text


def test_a_planned_retry_says_when() -> None:
    waiting = only(Facts(planned=(Planned(key=(4, 1), attempt=3, left=8.0),)))

    assert (waiting.cause, waiting.seconds) == (Cause.RETRY, 8.0)
    assert str(waiting) == "example 4 (trial 2): retry 2 in 8 s"


def test_a_retry_that_is_due_waits_for_a_worker() -> None:
    waiting = only(Facts(planned=(Planned(key=(4, 0), attempt=2, left=0.0),)))

    assert str(waiting) == "example 4: retry 1 when a worker is free"


def test_a_provider_that_has_said_when_it_is_back_is_told_with_the_rest_of_it() -> None:
    outage = Outage(
        what="openai/m",
        text="busy",
        began=100.0,
        noticed=100.0,
        look_at=3700.0,
        is_told=True,
    )

    waiting = only(Facts(next_example=3, not_begun=1, outages=(outage,), now=220.0))

    assert waiting.cause is Cause.OUTAGE
    assert waiting.text == "not begun: openai/m wants no request for 58 min 0 s"


def test_an_outage_holds_back_what_is_planned_and_what_was_not_begun() -> None:
    facts = Facts(
        planned=(Planned(key=(4, 0), attempt=2, left=0.0),),
        next_example=9,
        not_begun=91,
        outages=(Outage(what="openai/m", text="down", began=100.0, noticed=100.0),),
        now=112.0,
    )

    again, rest = reasons(facts)

    assert again.cause is rest.cause is Cause.OUTAGE
    assert str(again) == "example 4: retry 1 later: openai/m is down for 12 s"
    assert str(rest) == "example 9: not begun and 90 more: openai/m is down for 12 s"


def test_who_was_not_begun_waits_for_the_workers() -> None:
    busy = tuple(working(number) for number in range(3))

    rest = reasons(Facts(working=busy, next_example=3, not_begun=1))[-1]

    assert rest.cause is Cause.NOT_BEGUN
    assert str(rest) == "example 3: not begun: 3 workers busy"


def test_of_a_stream_nobody_knows_how_many_were_not_begun() -> None:
    waiting = only(Facts(next_example=3))

    assert str(waiting) == "example 3: not begun and all later: 0 workers busy"


def test_a_pause_by_hand_is_named_before_anything_else() -> None:
    outage = Outage(what="openai/m", text="down", began=0.0, noticed=0.0)
    facts = Facts(next_example=3, not_begun=2, paused_for=65.0, outages=(outage,))

    waiting = only(facts)

    assert waiting.cause is Cause.PAUSED
    assert str(waiting) == "example 3: not begun and 1 more: paused by you, 65 s ago"


def test_when_everything_was_handed_out_only_the_workers_are_named() -> None:
    assert len(reasons(Facts(working=(working(),), not_begun=0))) == 1
    assert reasons(Facts()) == ()


@given(
    st.lists(st.integers(0, 50), unique=True, max_size=10),
    st.lists(st.integers(51, 99), unique=True, max_size=10),
)
def test_each_open_example_is_named_once_and_in_order(
    open_ones: list[int], planned: list[int]
) -> None:
    facts = Facts(
        working=tuple(working(number) for number in open_ones),
        planned=tuple(Planned(key=(n, 0), attempt=2, left=1.0) for n in planned),
    )

    named = [waiting.example for waiting in reasons(facts)]

    assert named == sorted(open_ones + planned)


def test_frames_are_read_from_what_traceback_prints() -> None:
    text = stack(("/a b/x.py", 1), ("C:\\y.py", 22))

    assert frames_of(text) == (("/a b/x.py", 1), ("C:\\y.py", 22))
    assert frames_of("no stack at all") == ()


def test_the_users_own_line_is_the_innermost_outside_of_libraries() -> None:
    frames = (("/me/a.py", 1), ("/me/b.py", 2), (f"{STDLIB}/ssl.py", 3), ("<x>", 4))

    assert own_place(frames) == ("/me/b.py", 2)
    assert own_place(((f"{STDLIB}/ssl.py", 3),)) is None


def test_a_stack_is_told_from_the_users_own_code_on() -> None:
    library, own = (stack((file, 1)) for file in (f"{STDLIB}/a.py", "/me/a.py"))

    assert from_own_code([library, own, library]) == [own, library]
    assert from_own_code([library]) == ()


def waits(cause: Cause, text: str) -> Waiting:
    return Waiting(example=1, cause=cause, text=text)


def test_in_short_the_commonest_hold_up_is_told_and_work_is_none() -> None:
    at_work = [waits(Cause.PROGRAM, "runs"), waits(Cause.REQUEST, "is out")]
    held = [waits(Cause.LIMIT, "a limit"), *[waits(Cause.BREAKER, "a breaker")] * 3]

    assert in_short(at_work) == ""
    assert in_short(at_work + held) == "a breaker (and 2 like it)"
    assert in_short(held[:1]) == "a limit"
