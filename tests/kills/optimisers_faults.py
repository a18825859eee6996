"""Searches while actors die, all goes wrong at once, or the provider is away."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dspex
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.record.retention import places
from dspex.testing import FakeProvider
from dspex.testing.chaos import ChaosPlan, chaos
from supervisors.testing import Fault, FaultPlan
from tests.kills.actors import released
from tests.kills.optimisers_work import MODEL, PRICE, TASK, Came, searched

THREADS = 8
LATENCY = 0.002
"""Seconds the provider takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbed:
    """A search that was disturbed within one process, and what it came to."""

    optimiser: str
    by: str
    """What disturbed it."""
    struck: bool
    """Whether it did."""
    came: Came
    billed: int
    unrecorded: int
    """Billed requests that no record knows."""

    def is_sound(self, undisturbed: Came) -> bool:
        """Whether winner and candidates are those of an undisturbed search."""
        mine = (self.came.winner, self.came.candidates, self.came.ended)
        others = (undisturbed.winner, undisturbed.candidates, undisturbed.ended)
        return mine == others and not self.unrecorded


def struck(name: str, fault: Fault) -> Disturbed:
    """Search while an actor is struck."""
    plan = FaultPlan([fault])
    with _lab() as lab:
        registry = lab.runtime.start().registry
        with plan.installed(registry), released(plan):
            # So that the parts of the cache are asked as well.
            came = lab.search(name, cache=True)
        return lab.disturbed(name, str(fault), came, struck=bool(plan.fired))


def in_chaos(name: str, seed: int) -> Disturbed:
    """Search while everything that can go wrong does."""
    with _lab() as lab:
        with chaos(ChaosPlan.everything(seed), runtime=lab.runtime) as report:
            came = lab.search(name)
        by = f"chaos with seed {seed}"
        return lab.disturbed(name, by, came, struck=bool(report.counts))


def without_provider(name: str, *, after: int, seconds: float) -> Disturbed:
    """Search while the provider is away for some seconds.

    Args:
        name: The optimiser.
        after: After how many requests it goes.
        seconds: How long.
    """
    with _lab() as lab:
        provider = lab.provider

        def be_away() -> None:
            provider.wait_for_bill(after, 60)
            provider.stop()
            threading.Event().wait(seconds)
            provider.start()

        thread = threading.Thread(target=be_away)
        thread.start()
        came = lab.search(name)
        thread.join()
        return lab.disturbed(name, f"{seconds:g} s without provider", came)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lab:
    """A provider, and a runtime with a home of its own."""

    provider: FakeProvider
    runtime: dspex.Runtime
    home: Path

    def search(self, name: str, *, cache: bool = False) -> Came:
        """Do a search."""
        url = self.provider.base_url
        return searched(name, url, threads=THREADS, cache=cache)

    def disturbed(
        self, name: str, by: str, came: Came, *, struck: bool = True
    ) -> Disturbed:
        """Say what it came to."""
        billed = {str(each.request_id) for each in self.provider.bill}
        known: set[str] = set()
        for place, _ in places(self.home):
            record = RunRecord.open(place, owner=False)
            known.update(each.request_id for each in record.requests())
        return Disturbed(
            optimiser=name,
            by=by,
            struck=struck,
            came=came,
            billed=len(billed),
            unrecorded=len(billed - known),
        )


@contextmanager
def _lab() -> Iterator[_Lab]:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        provider = FakeProvider(answer=TASK.answer, price=PRICE, latency=LATENCY)
        stack.enter_context(provider)
        runtime = dspex.Runtime(dspex.Config(home=home, prices={MODEL: PRICE}))
        stack.enter_context(runtime)
        yield _Lab(provider=provider, runtime=runtime, home=home)
