"""Whatever is killed, a search finds what it would have found undisturbed."""

from __future__ import annotations

import sys

import pytest

from supervisors.testing import Fault, FaultKind
from tests.kills.optimisers_faults import struck
from tests.kills.optimisers_processes import killed_search, undisturbed


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_search_whose_process_is_killed_finds_the_same() -> None:
    told = killed_search("COPRO", kills=1)

    assert told.is_same, told
    assert told.unrecorded == 0
    assert told.is_sound, told


def test_a_search_whose_actors_die_finds_the_same() -> None:
    expected, _, _ = undisturbed("BootstrapFewShot")

    done = [
        struck("BootstrapFewShot", Fault(kind=kind, actor=actor, nth=2))
        for actor, kind in (
            ("client", FaultKind.KILL),
            ("coordinator", FaultKind.CRASH_AFTER),
        )
    ]

    assert all(each.struck for each in done)
    assert [each.by for each in done if not each.is_sound(expected)] == []
