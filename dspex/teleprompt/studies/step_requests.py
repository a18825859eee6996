"""The requests of a study's own steps, such as those that ask for an instruction.

They are noted as those of its evaluations are: before they are sent, so that whoever
goes on after `kill -9` knows of each that may have been billed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from dspex.client.budget import Spending
from dspex.client.call import ATTEMPT, AttemptRecord, Fate
from dspex.core.errors import RunFencedError
from dspex.evaluate.results.outcome import Stamp
from dspex.evaluate.running.recording import Recording
from dspex.runtime.runtime import current_runtime
from dspex.teleprompt.studies.spending import spending_of_requests
from supervisors import Event, Scope, within

STEP: Final = "step"
"""Which tag of a request says for which step it was made."""
SETTLE_WITHIN: Final = 2.0
"""Seconds to wait for the fate of requests that were broken off."""


class StepRequests:
    """Notes what the steps of one study ask. Any thread may ask it.

    Args:
        run: The study's name.
        recording: Where it is written; `None` keeps it in memory only.
    """

    def __init__(self, run: str, recording: Recording | None) -> None:
        self._run = run
        self._recording = recording
        known = () if recording is None else recording.record.requests()
        # Protects what is below; also wakes whoever waits for the last fate.
        self._changed = threading.Condition()
        self._known = {each.request_id: each for each in known}

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what is asked while the block runs."""
        events = current_runtime().events
        handler = events.attach(self._hear, ATTEMPT)
        try:
            yield
        finally:
            events.detach(handler)

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Take what is asked in the block, in this thread, for a step's."""
        tags = {**Stamp(run=self._run, example=0).tags(), STEP: step}
        with within(Scope(f"step {step}", tags=tags)):
            yield

    def wait_settled(self, timeout: float = SETTLE_WITHIN) -> bool:
        """Wait until every request noted has its fate; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._is_any_open(), timeout)

    @property
    def all(self) -> tuple[AttemptRecord, ...]:
        """All that were made, by earlier owners of the study too."""
        with self._changed:
            return tuple(self._known.values())

    @property
    def spent(self) -> Spending:
        """What they cost, as far as that is known."""
        return spending_of_requests(self.all)

    def _hear(self, event: Event) -> None:
        request: AttemptRecord = event.metadata["record"]
        if request.tags.get("run") != self._run:
            return
        if self._recording is not None:
            # Who sends it cannot be kept from it here; the next beat ends the study.
            with suppress(RunFencedError):
                self._recording.request_moved(request)
        with self._changed:
            self._known[request.request_id] = request
            self._changed.notify_all()

    def _is_any_open(self) -> bool:
        return any(each.fate is Fate.OPEN for each in self._known.values())
