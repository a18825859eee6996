"""Whether the owner of a run still counts, told by its process and its beat."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from dspex.evaluate.record.ownership import (
    STALE_AFTER,
    Owner,
    is_alive,
    started,
    this_process,
)

NOW = 1_000_000.0

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere no file says when a process started"
)


def owned_by(pid: int, *, beat: float = NOW) -> Owner:
    """An owner in another process of this machine."""
    return replace(this_process(NOW), pid=pid, started=started(pid), beat=beat)


def test_a_process_that_lives_and_was_seen_counts() -> None:
    assert is_alive(owned_by(os.getppid()), NOW)


def test_another_process_of_the_same_number_is_none() -> None:
    owner = replace(owned_by(os.getppid()), started="another time")

    assert not is_alive(owner, NOW)


def test_a_process_that_ended_and_was_not_asked_how_is_none() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        owner = owned_by(process.pid)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert not is_alive(owner, NOW)


@pytest.mark.parametrize("ahead", [-1.0, 1.0])
def test_a_beat_far_from_now_is_none_on_either_side(ahead: float) -> None:
    # It lies ahead when the wall clock was set back since.
    owner = owned_by(os.getppid(), beat=NOW + ahead * (STALE_AFTER + 1))

    assert not is_alive(owner, NOW)
