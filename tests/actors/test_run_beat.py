"""A run shows that it has an owner, also while none of its examples ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dspex.core.example import Example
from dspex.evaluate.record.ownership import BEAT_EVERY, STALE_AFTER
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.results.outcome import Stamp
from dspex.evaluate.running.aggregator import AggregatorActor
from dspex.evaluate.running.journal import Journal
from dspex.evaluate.running.recording import Recording
from dspex.evaluate.working.tray import Tray
from supervisors import ChildSpec, Supervisor
from supervisors.testing import ManualClock
from tests.actors.lab import eventually
from tests.actors.recorder import RUN, head, place


@contextmanager
def aggregating(recording: Recording, clock: ManualClock) -> Iterator[None]:
    """An aggregator with nothing to do, in a tree of its own."""
    spec = ChildSpec(
        id="aggregator",
        actor=AggregatorActor,
        args=(Journal(), Tray(), "nobody", recording),
        name="aggregator",
    )
    with Supervisor.start([spec], clock=clock):
        yield


def test_an_owner_with_nothing_to_write_is_seen_all_the_same(tmp_path: Path) -> None:
    later = 0.0
    record = RunRecord.create(
        place(tmp_path), head(), wall_clock=lambda: time.time() + later
    )
    recording = Recording(record)
    recording.attempt_begins(Stamp(run=RUN, example=0), Example(question="a"))
    clock = ManualClock()
    with aggregating(recording, clock):
        later = STALE_AFTER + 1

        def seen() -> bool:
            clock.advance(BEAT_EVERY)
            owner = record.owner
            return owner is not None and owner.beat > time.time() + STALE_AFTER

        eventually(seen)

    # What is known of its attempts is written with it.
    assert record.totals().attempts == 1
    record.close("complete")
