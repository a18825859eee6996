"""The real actors do what Erlang's supervisor did, case by case."""

from __future__ import annotations

import copy

import pytest

from tests.otp import replay, trace
from tests.otp.families import CASES
from tests.otp.trace import GOLDEN, Json


@pytest.mark.parametrize("case", CASES)
def test_actors_follow_erlang(case: Json) -> None:
    difference = trace.compare(case, replay.replay(case))

    assert difference is None, str(difference)


def test_actors_follow_erlang_through_random_cases() -> None:
    cases = trace.cases_in(GOLDEN / "random_1.json")

    differences = [trace.compare(case, replay.replay(case)) for case in cases]

    assert [str(found) for found in differences if found is not None] == []
    assert len(cases) == 300


def test_a_trace_of_something_else_is_found() -> None:
    case = copy.deepcopy(trace.cases_in(GOLDEN / "one_for_one.json")[0])
    case["trace"][-1]["state"] = {}

    difference = trace.compare(case, replay.replay(case))

    assert difference is not None
    assert difference.key == "state"


def test_command_line_replays_on_real_actors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = trace.main(replay.replay, [str(GOLDEN / "startup.json")])

    assert status == 0
    assert capsys.readouterr().out == "21 passed, 0 failed, 0 skipped\n"
