"""`kill -9` of the process that works on a run, at random moments, until it is done."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dspex.core.errors import RunNotFoundError
from dspex.evaluate.digest import digest_of
from dspex.evaluate.outcome import Stamp
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.testing import FakeProvider
from tests.actors.rows import answer
from tests.kills.actors import undisturbed

ROOT = Path(__file__).parents[2]
RUN = "killed"
LATENCY = 0.005
"""Seconds the provider takes."""
WITHIN = 120.0
"""Seconds without a further request after which a process is stuck."""


@dataclass(slots=True)
class KilledRun:
    """What a run came to whose processes were killed."""

    examples: int
    kills: int
    digest: str = ""
    undisturbed: str = ""
    """The digest of a run that nobody disturbed."""
    lost: int = 0
    """Examples without an outcome."""
    counted_twice: int = 0
    """Outcomes that were there at a kill, and were replaced later."""
    billed: int = 0
    """Requests the provider received."""
    unrecorded: list[str] = field(default_factory=list)
    """Billed requests that the record knows nothing of."""
    without_fate: list[str] = field(default_factory=list)
    """Requests in the record that nobody knows the end of."""
    fates: dict[str, int] = field(default_factory=dict)
    moments: list[int] = field(default_factory=list)
    """Requests that had been received at each kill."""

    @property
    def is_sound(self) -> bool:
        """Whether all that is promised holds."""
        wrong = self.lost or self.counted_twice or self.unrecorded or self.without_fate
        return self.digest == self.undisturbed and not wrong


def killed_run(
    home: Path, *, examples: int, kills: int, seed: int = 0, concurrency: int = 16
) -> KilledRun:
    """Kill a run's process again and again, and go on with it each time."""
    told = KilledRun(examples=examples, kills=kills)
    told.undisturbed = undisturbed(examples)
    draw = random.Random(seed)
    with FakeProvider(answer=answer, latency=LATENCY) as provider:
        order = _Order(home, provider.base_url, examples, concurrency)
        counted: dict[tuple[int, int], Stamp] = {}
        for number in range(kills):
            process = order.start()
            received = len(provider.bill)
            left = examples - len(counted)
            # So that something is left for the kills to come.
            further = draw.randint(0, max(1, left // (kills - number + 1)))
            process.wait_for_bill(provider, received + further)
            threading.Event().wait(draw.uniform(0.0, 4 * LATENCY))
            process.kill()
            told.moments.append(len(provider.bill))
            told.counted_twice += order.replaced(counted)
        order.start().result()
        told.counted_twice += order.replaced(counted)
        billed = {str(each.request_id) for each in provider.bill}
    _look(told, order.record(), billed)
    return told


def _look(told: KilledRun, record: RunRecord, billed: set[str]) -> None:
    """Take down what the record says at the end."""
    outcomes = list(record.outcomes())
    requests = {each.request_id: each for each in record.requests()}
    told.digest = digest_of(outcomes)
    told.lost = outcomes.count(None) + told.examples - len(outcomes)
    told.billed = len(billed)
    told.unrecorded = sorted(billed - set(requests))
    told.without_fate = [
        name for name, each in requests.items() if each.fate.value == "open"
    ]
    told.fates = dict(Counter(each.fate.value for each in requests.values()))


@dataclass(frozen=True, slots=True)
class _Order:
    """What the processes are to do."""

    home: Path
    url: str
    examples: int
    concurrency: int

    def start(self) -> _Process:
        """Start one, and wait until it is at work."""
        command = [sys.executable, "-m", "tests.kills.process"]
        command += ["--home", str(self.home), "--url", self.url, "--run", RUN]
        command += ["--examples", str(self.examples)]
        command += ["--concurrency", str(self.concurrency)]
        return _Process(command)

    def record(self) -> RunRecord:
        """What the run has on disk."""
        return RunRecord.open(RunPlace(run=RUN, home=self.home), owner=False)

    def replaced(self, counted: dict[tuple[int, int], Stamp]) -> int:
        """Note what counts by now; how much of what counted before is another."""
        try:
            record = self.record()
        except RunNotFoundError:
            return len(counted)
        settled = set(record.settled())
        now = {
            outcome.stamp.key: outcome.stamp
            for outcome in record.outcomes()
            if outcome is not None and outcome.stamp.key in settled
        }
        changed = sum(now.get(key) != stamp for key, stamp in counted.items())
        counted.update(now)
        return changed


class _Process:
    """One process at work on a run."""

    def __init__(self, command: list[str]) -> None:
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
        """Wait until the provider has received so many requests."""
        provider.wait_for_bill(received, WITHIN)

    def kill(self) -> None:
        """End it as the kernel does when memory is short."""
        self._popen.send_signal(signal.SIGKILL)
        self._popen.communicate()
        if self._popen.returncode != -signal.SIGKILL:
            raise AssertionError("it was done before it could be killed")

    def result(self) -> dict[str, Any]:
        """Wait for its end, and return what it says of the run."""
        told, errors = self._popen.communicate(timeout=30 * WITHIN)
        if self._popen.returncode:
            raise AssertionError(errors)
        result: dict[str, Any] = json.loads(told)
        return result
