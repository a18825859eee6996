"""A small size of `python -m tests.kills.daemon`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.kills import daemon

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


def test_every_accepted_request_is_answered_whatever_is_killed(tmp_path: Path) -> None:
    told = daemon.under_load(tmp_path, requests=120, kills=4, in_flight=40)

    assert told.is_sound, told
    assert told.fired


def test_a_run_whose_daemon_is_killed_or_ended_goes_on_in_the_next(
    tmp_path: Path,
) -> None:
    told = daemon.killed_run(tmp_path, examples=80, kills=1, ended=1)

    assert told.is_sound, told
