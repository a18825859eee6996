"""Ctrl-C, for real: a process that evaluates gets SIGINT."""

from __future__ import annotations

import signal
import subprocess
import sys


def test_ctrl_c_keeps_what_was_measured_and_the_tree_goes_on() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.actors.interrupted"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    done, complete, score = out.split()
    assert err == ""
    assert 10 <= int(done) < 50
    assert complete == "False"
    assert score == "100.0"
    assert process.returncode == 130
