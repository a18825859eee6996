"""The pure decision code does what Erlang's supervisor did, case by case."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from tests.otp import pure_replay, trace
from tests.otp.families import CASES, FAMILIES
from tests.otp.trace import GOLDEN, Json


@pytest.mark.parametrize("case", CASES)
def test_machine_follows_erlang(case: Json) -> None:
    difference = trace.compare(case, pure_replay.replay(case))

    assert difference is None, str(difference)


def test_machines_follow_erlang_through_random_cases() -> None:
    cases = trace.cases_in(GOLDEN / "random_1.json")

    differences = [trace.compare(case, pure_replay.replay(case)) for case in cases]

    assert [str(found) for found in differences if found is not None] == []
    assert len(cases) == 300


@pytest.mark.parametrize(("family", "count"), FAMILIES.items())
def test_no_case_of_a_family_is_missing(family: str, count: int) -> None:
    assert len(trace.cases_in(GOLDEN / f"{family}.json")) == count


def _tampered(case: Json, step: int, key: str, value: Json) -> Json:
    changed = copy.deepcopy(case)
    changed["trace"][step][key] = value
    return changed


@pytest.mark.parametrize(
    ("step", "key", "value"),
    [
        (0, "result", "ignore"),
        (0, "state", {}),
        (1, "events", []),
        (1, "orphans", []),
        (1, "result", None),
        (2, "do", "count_children"),
    ],
)
def test_a_trace_that_says_something_else_is_found(
    step: int, key: str, value: Json
) -> None:
    case = trace.cases_in(GOLDEN / "one_for_one.json")[0]
    tampered = _tampered(case, step, key, value)

    difference = trace.compare(tampered, pure_replay.replay(tampered))

    assert difference is not None
    assert (difference.step, difference.key) == (step, key)


def test_a_trace_with_a_step_too_many_is_found() -> None:
    case = copy.deepcopy(trace.cases_in(GOLDEN / "one_for_one.json")[0])
    case["trace"].append(case["trace"][-1])

    difference = trace.compare(case, pure_replay.replay(case))

    assert difference is not None
    assert difference.key == "steps"


def test_command_line_counts_and_says_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, unknown = trace.cases_in(GOLDEN / "one_for_one.json")[:2]
    file = tmp_path / "some.json"
    cases = [good, _tampered(good, 0, "result", "ignore"), unknown]
    file.write_text(json.dumps({"cases": cases}), "utf-8")

    def replay(case: Json) -> list[Json] | None:
        return None if case == unknown else pure_replay.replay(case)

    status = trace.main(replay, [str(file)])

    lines = capsys.readouterr().out.splitlines()
    assert status == 1
    assert lines[0].startswith(f"{good['name']}: step 0, result: ")
    assert lines[1:] == ["1 passed, 1 failed, 1 skipped"]


def test_command_line_succeeds_when_nothing_differs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = trace.main(pure_replay.replay, [str(GOLDEN / "startup.json")])

    assert status == 0
    assert capsys.readouterr().out == "21 passed, 0 failed, 0 skipped\n"


def test_command_line_asks_for_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert trace.main(pure_replay.replay, []) == 2
    assert "at least one file" in capsys.readouterr().out


@pytest.mark.parametrize(
    "reason",
    [
        "normal",
        "shutdown",
        "killed",
        "noproc",
        "boom",
        {"shutdown": "upgrade"},
        {"raise": "no"},
        {"tuple": ["a", 1]},
    ],
)
def test_reasons_survive_the_way_there_and_back(reason: Json) -> None:
    assert trace.reason_to(trace.reason_from(reason)) == reason
