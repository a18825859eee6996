"""A process that works for a provider, to be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dspex.testing import FakeProvider

ROOT = Path(__file__).parents[2]
LOOK = 0.02
"""Seconds between two looks at whether a process has ended meanwhile."""
WITHIN = 3_600.0
"""Seconds after which a process is stuck."""


class WorkingProcess:
    """It says "at work" when it begins, and at its end in JSON what came of it.

    Args:
        command: Starts it.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._popen = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert self._popen.stdout is not None
        if self._popen.stdout.readline() != "at work\n":
            raise AssertionError(self._popen.communicate()[1])

    def wait_for_bill(self, provider: FakeProvider, received: int) -> None:
        """Wait until the provider has received so many requests, or it is done."""
        while self._popen.poll() is None:
            try:
                provider.wait_for_bill(received, LOOK)
            except TimeoutError:
                continue
            return

    def was_killed(self) -> bool:
        """End it as the kernel does when memory is short; whether it was at work."""
        self._popen.send_signal(signal.SIGKILL)
        _, errors = self._popen.communicate()
        if self._popen.returncode not in (0, -signal.SIGKILL):
            raise AssertionError(errors)
        return self._popen.returncode != 0

    def told(self) -> dict[str, Any]:
        """Wait for its end, and return what it says."""
        told, errors = self._popen.communicate(timeout=WITHIN)
        if self._popen.returncode:
            raise AssertionError(errors)
        result: dict[str, Any] = json.loads(told)
        return result
