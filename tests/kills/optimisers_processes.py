"""`kill -9` of the process that works on a search, at random moments, until it is done.

What it comes to in the end is held against an undisturbed search, and what the provider
was asked against the records that are left.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dspex
from dspex.client.call import AttemptRecord, Fate
from dspex.core.errors import RunNotFoundError
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.record.retention import places
from dspex.evaluate.running.aggregator import BATCH
from dspex.teleprompt.copro.proposing import ASKED_AT_ONCE
from dspex.testing import FakeProvider
from tests.kills.optimisers_work import MODEL, PRICE, SEARCHES, TASK, Came, searched
from tests.kills.working_process import WorkingProcess

ROOT = Path(__file__).parents[2]
LATENCY = 0.005
"""Seconds the provider takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What a search may spend, all of its processes together; `None` for no cap."""

    calls: int | None = None
    dollars: float | None = None

    def kept(self, billed: int, cost: float) -> bool:
        """Whether no more was spent."""
        calls = self.calls is None or billed <= self.calls
        return calls and (self.dollars is None or cost <= self.dollars)

    def arguments(self) -> Iterator[str]:
        """Yield the words of a command line that say it."""
        for name in ("calls", "dollars"):
            cap = getattr(self, name)
            if cap is not None:
                yield from (f"--{name}", str(cap))


@dataclass(slots=True, kw_only=True)
class KilledSearch:
    """What a search came to whose processes were killed."""

    optimiser: str
    undisturbed: Came
    """What it comes to when nobody disturbs it, one example at a time."""
    needed: int
    """What that asks of the provider."""
    caps: Caps = field(default_factory=Caps)
    came: Came | None = None
    """What it came to."""
    kills: int = 0
    """How often a process was killed in its midst."""
    hands: int = 0
    """Requests that may be under way, or answered and not yet written, at a time."""
    billed: int = 0
    """Requests the provider received."""
    cost: float = 0.0
    """Dollars it charges."""
    unrecorded: int = 0
    """Billed requests that no record knows."""
    lost: int = 0
    """Requests that were under way at a kill, as the records say."""
    not_needed: int = 0
    """Requests that were broken off, or answered and not needed."""
    again: list[str] = field(default_factory=list)
    """What was answered and asked again: it was in hand at a kill, and not counted."""
    moments: list[int] = field(default_factory=list)
    """Requests that had been received at each kill."""

    @property
    def is_same(self) -> bool:
        """Whether winner and candidates are those of an undisturbed search."""
        came, other = self.came, self.undisturbed
        return came is not None and (came.winner, came.candidates, came.ended) == (
            other.winner,
            other.candidates,
            other.ended,
        )

    @property
    def is_sound(self) -> bool:
        """Whether all that is promised holds."""
        is_known = not self.unrecorded
        is_in_hand = self.lost + len(self.again) <= self.kills * self.hands
        is_within = self.caps.kept(self.billed, self.cost)
        # One that was about to be written at a kill may never have been.
        told = -1 if self.came is None else self.came.calls
        is_as_told = self.billed <= told <= self.billed + self.lost
        is_capped = self.caps != Caps()
        came_well = is_capped or (self.is_same and is_as_told)
        return is_known and is_in_hand and is_within and came_well


def undisturbed(name: str) -> tuple[Came, int, float]:
    """Do a search one by one; return it, its requests, and what they cost."""
    with (
        tempfile.TemporaryDirectory() as home,
        FakeProvider(answer=TASK.answer, price=PRICE) as provider,
        dspex.Runtime(dspex.Config(home=Path(home), prices={MODEL: PRICE})),
    ):
        came = searched(name, provider.base_url, threads=1)
        return came, len(provider.bill), provider.total_cost


def killed_search(
    name: str,
    *,
    kills: int,
    seed: int = 0,
    concurrency: int = 8,
    share: float | None = None,
) -> KilledSearch:
    """Kill a search's process again and again, and go on with it each time.

    Args:
        name: The optimiser.
        kills: How often.
        seed: Draws the moments.
        concurrency: Examples at a time.
        share: What it may spend, of what it needs; `None` for no cap.
    """
    came, needed, cost = undisturbed(name)
    caps = Caps()
    if share is not None:
        caps = Caps(calls=int(share * needed), dollars=share * cost)
    told = KilledSearch(optimiser=name, undisturbed=came, needed=needed, caps=caps)
    # Proposals and examples are not asked for at the same time; outcomes that wait for
    # their commit are as many as docs/explanation/exactly-once.md allows.
    told.hands = max(2 * concurrency, concurrency + BATCH, ASKED_AT_ONCE)
    draw = random.Random(seed)
    with (
        tempfile.TemporaryDirectory() as home,
        FakeProvider(answer=TASK.answer, price=PRICE, latency=LATENCY) as provider,
    ):
        command = _command(name, Path(home), provider.base_url, concurrency, caps)
        for number in range(kills):
            left = max(0, needed - len(provider.bill))
            further = draw.randint(0, max(1, 2 * left // (kills - number + 1)))
            process = WorkingProcess(command)
            process.wait_for_bill(provider, len(provider.bill) + further)
            threading.Event().wait(draw.uniform(0.0, 4 * LATENCY))
            if process.was_killed():
                told.kills += 1
                told.moments.append(len(provider.bill))
        told.came = Came(**WorkingProcess(command).told())
        told.cost = provider.total_cost
        _look(told, Path(home), [str(each.request_id) for each in provider.bill])
    return told


def _look(told: KilledSearch, home: Path, billed: list[str]) -> None:
    """Take down what the records say at the end."""
    requests = {each.request_id: each for each in _requests(home)}
    told.billed = len(billed)
    told.unrecorded = len(set(billed) - set(requests))
    fates = Counter(each.fate for each in requests.values())
    told.lost = fates[Fate.LOST]
    told.not_needed = fates[Fate.CANCELLED]
    if SEARCHES[told.optimiser].asks_once:
        answered = [each for each in requests.values() if each.fate is Fate.ANSWERED]
        times = Counter(map(_unit, answered))
        told.again = sorted(unit for unit, many in times.items() if many > 1)


def _unit(request: AttemptRecord) -> str:
    tags = request.tags
    what = tags["step"] if "step" in tags else f"{tags['example']}.{tags['trial']}"
    return f"{tags['run']} {what}"


def _requests(home: Path) -> Iterator[AttemptRecord]:
    for place, _ in places(home):
        try:
            record = RunRecord.open(place, owner=False)
        except RunNotFoundError:
            continue
        yield from record.requests()


def _command(
    name: str, home: Path, url: str, concurrency: int, caps: Caps
) -> list[str]:
    command = [sys.executable, "-m", "tests.kills.optimisers_process"]
    command += ["--optimiser", name, "--home", str(home), "--url", url]
    return [*command, "--concurrency", str(concurrency), *caps.arguments()]
