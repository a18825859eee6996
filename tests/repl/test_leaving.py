"""A process that holds a session ends in order when it is told to."""

from __future__ import annotations

import contextlib
import signal

import pytest

from dspex.repl.leaving import left_by_signals


def test_it_leaves_with_the_shells_code_whatever_the_line_made_of_it() -> None:
    before = signal.getsignal(signal.SIGTERM)
    ended: list[str] = []

    with pytest.raises(SystemExit) as left, left_by_signals():
        with contextlib.suppress(SystemExit):
            signal.raise_signal(signal.SIGTERM)
        # Not once more, while it ends.
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
        ended.append("in order")

    assert ended == ["in order"]
    assert left.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


def test_who_had_it_ignored_goes_on() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with left_by_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
