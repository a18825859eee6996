"""What the newcomer's path is, and when it counts as a good one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.newcomer.path import MOST_COMMANDS, ROOT, Step, Walk, commands_of

GOOD = Walk(
    download=900.0,
    steps=(
        Step(command="pip install x", seconds=40.0, code=0, output="installed\n"),
        Step(
            command="dspex demo", seconds=50.0, code=0, output="zero-shot  45.0  33\n"
        ),
    ),
)


def test_the_readmes_first_commands_are_few() -> None:
    commands = commands_of((ROOT / "README.md").read_text(encoding="utf-8"))

    assert commands == ["pip install '.[demo]'", "dspex demo"]
    assert len(commands) <= MOST_COMMANDS


def test_a_path_with_a_score_in_time_is_good_however_long_the_download() -> None:
    assert (GOOD.score, GOOD.seconds, GOOD.faults()) == (45.0, 90.0, [])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"seconds": 400.0}, "440 s; 300 were allowed"),
        ({"code": 78}, "dspex demo: exit code 78"),
        ({"output": "nothing"}, "no score was printed"),
    ],
)
def test_a_path_that_is_too_long_or_fails_is_told(
    changes: dict[str, object], fault: str
) -> None:
    first, last = GOOD.steps
    worse = replace(GOOD, steps=(first, replace(last, **changes)))  # type: ignore[arg-type] # one of its fields

    assert worse.faults() == [fault]


def test_the_transcript_has_what_was_typed_and_printed() -> None:
    lines = GOOD.transcript().splitlines()

    assert "$ dspex demo" in lines
    assert "zero-shot  45.0  33" in lines
    assert lines[-1] == "# 90.0 s in all, the first score: 45.0"
