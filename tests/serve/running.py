"""A real daemon: a process that serves, its signals, and what it tells."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx

ROOT = Path(__file__).parents[2]
PATIENT = 60.0
"""Seconds after which something that should have happened counts as missing."""


class Starting:
    """A daemon that may not serve yet.

    Args:
        words: What follows `dspex serve`.
        home: Where it keeps its files.
        module: The module that is run as the command `dspex`.
        environ: What its environment has besides that of this process.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        home: Path,
        module: str = "dspex",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        python_path = os.pathsep.join([str(ROOT), str(home)])
        own = {"PYTHONPATH": python_path, "DSPEX_HOME": str(home)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "serve", *words, "--port", "0", "--json"],
            cwd=home,
            env=os.environ | own | dict(environ or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.said: list[str] = []
        """Its log so far, a line each."""
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self.process:
            self.process.kill()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def hears(self, word: str) -> str:
        """The next line of its log with this word in it."""
        while (line := self._lines.get(timeout=PATIENT)) is not None:
            self.said.append(line)
            if word in line:
                return line
        raise AssertionError(f"it ended without {word!r}; it said {self.said[-5:]}")

    def send(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end, and return its exit code; its log is in `said`."""
        code = self.process.wait(PATIENT)
        while (line := self._lines.get(timeout=PATIENT)) is not None:
            self.said.append(line)
        return code

    def ends(self) -> int:
        """Ask it to end, and return its exit code."""
        self.send(signal.SIGTERM)
        return self.wait()


class RunningDaemon(Starting):
    """A daemon that has opened its port.

    Args:
        words: What follows `dspex serve`.
        options: As for one that may not serve yet.
    """

    def __init__(self, words: Sequence[str], **options: Any) -> None:
        super().__init__(words, **options)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.wait()
            raise AssertionError("\n".join(self.said))
        self.announced: dict[str, Any] = json.loads(line)
        """What it said when it served."""
        self.url: str = self.announced["address"]

    def get(self, path: str) -> httpx.Response:
        """Get a page."""
        return httpx.get(f"{self.url}{path}", timeout=PATIENT, trust_env=False)

    def post(self, path: str, **inputs: Any) -> httpx.Response:
        """Ask a program."""
        return httpx.post(
            f"{self.url}{path}", json=inputs, timeout=PATIENT, trust_env=False
        )

    def longest(self) -> str:
        """What it says of the time that a request may take."""
        headers = {"Dspex-Timeout": "none"}
        address = f"{self.url}/{self.announced['programs'][0]}"
        return httpx.post(address, json={}, headers=headers, trust_env=False).text
