"""Processes that `tests.benchmarks.compared` starts, and what each of them cost.

CPU time is that of the process and of those it started and waited for, in user and
kernel, as the system counts it; so a Python and a Node are measured the same way.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

UNWANTED = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
"""Of this environment, what a contestant is not to have."""

LONG_ENOUGH = 60.0
"""Seconds in which a process that was killed is surely gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A program to run."""

    words: Sequence[str]
    """The program, and what it is told."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What is added to this process's environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a job that ended was worth."""

    wall_s: float
    cpu_s: float
    code: int
    """Its exit status; negative after a signal."""
    output: str
    """What it printed, errors included."""


class Running:
    """A job that was started, in a process group of its own."""

    def __init__(self, job: Job) -> None:
        kept = {k: v for k, v in os.environ.items() if k not in UNWANTED}
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed at its end
        self._began = time.perf_counter()
        self._process = subprocess.Popen(
            list(job.words),
            env={**kept, **job.environment},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def kill(self) -> Spent:
        """Kill the whole group with SIGKILL, and wait until it is gone."""
        self._kill_group()
        return self.wait(LONG_ENOUGH)

    def wait(self, patience: float) -> Spent:
        """Wait for the end; who has none after the patience is killed."""
        watch = threading.Timer(patience, self._kill_group)
        watch.start()
        _, status, usage = os.wait4(self._process.pid, 0)
        wall = time.perf_counter() - self._began
        watch.cancel()
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._output.seek(0)
        output = self._output.read().decode(errors="replace")
        self._output.close()
        return Spent(
            wall_s=wall,
            cpu_s=usage.ru_utime + usage.ru_stime,
            code=self._process.returncode,
            output=output,
        )

    def _kill_group(self) -> None:
        # It may have ended just now.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def run(job: Job, patience: float) -> Spent:
    """Run a job to its end."""
    return Running(job).wait(patience)
