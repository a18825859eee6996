"""`kill -9` of the process that works on a run, at random moments, until it is done."""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dspex.core.errors import RunNotFoundError
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.results.digest import digest_of
from dspex.evaluate.results.outcome import Stamp
from dspex.testing import FakeProvider
from tests.actors.rows import answer
from tests.kills.actors import undisturbed
from tests.kills.working_process import WorkingProcess

ROOT = Path(__file__).parents[2]
RUN = "killed"
LATENCY = 0.005
"""Seconds the provider takes."""


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
            if not process.was_killed():
                raise AssertionError("it was done before it could be killed")
            told.moments.append(len(provider.bill))
            told.counted_twice += order.replaced(counted)
        order.start().told()
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

    def start(self) -> WorkingProcess:
        """Start one, and wait until it is at work."""
        command = [sys.executable, "-m", "tests.kills.process"]
        command += ["--home", str(self.home), "--url", self.url, "--run", RUN]
        command += ["--examples", str(self.examples)]
        command += ["--concurrency", str(self.concurrency)]
        return WorkingProcess(command)

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
