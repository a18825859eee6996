"""Whatever is killed, a run counts what it would have counted undisturbed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.kills import actors
from tests.kills.outage import outage
from tests.kills.processes import killed_run


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_run_whose_process_is_killed_counts_the_same_in_the_end(
    tmp_path: Path,
) -> None:
    told = killed_run(tmp_path, examples=80, kills=2)

    assert told.digest == told.undisturbed
    assert (told.lost, told.counted_twice) == (0, 0)
    assert (told.unrecorded, told.without_fate) == ([], [])


def test_a_run_whose_actors_crash_at_any_message_counts_the_same() -> None:
    expected = actors.undisturbed(30)

    struck = [actors.struck(fault, examples=30) for fault in actors.faults(1, 8)]

    assert any(each.fired for each in struck)
    assert actors.unsound(struck, expected) == []


def test_a_provider_that_is_down_for_a_while_costs_what_was_out_at_most() -> None:
    survived = outage(300, 0.5)

    assert survived.scored == 300
    assert survived.is_sound, survived
