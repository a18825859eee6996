"""The most that one request of a study may cost, on record before any is sent.

Of a request that was under way when its process was killed nobody knows the bill. A
budget that goes on in another process counts it as that; so it holds across kills, too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Final

from dspex.client.budget import Budget, Spending
from dspex.client.call import ATTEMPT, AttemptRecord, Fate
from dspex.core.errors import RunFencedError
from dspex.runtime.runtime import current_runtime
from dspex.teleprompt.studies.spending import NOTHING
from dspex.teleprompt.studies.steps import Step, Steps
from supervisors import Event

MOST: Final = "most of a request"
"""The name of the step that says it."""


class WorstCase:
    """Knows the highest of all reservations that the requests of a study had.

    Args:
        run: The study's name.
        budget: In which all of them are reserved.
        steps: Where it is kept.
    """

    def __init__(self, run: str, budget: Budget, steps: Steps) -> None:
        self._run = run
        self._budget = budget
        self._steps = steps
        # Branches send from threads of their own, and each may know a higher one.
        self._lock = threading.Lock()
        known = steps.value_of(MOST)
        self._most = NOTHING if known is None else Spending(**known)

    @property
    def most(self) -> Spending:
        """What one request costs at worst; nothing before the first."""
        return self._most

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at each request that is sent while the block runs."""
        events = current_runtime().events
        handler = events.attach(self._hear, ATTEMPT)
        try:
            yield
        finally:
            events.detach(handler)

    def _hear(self, event: Event) -> None:
        request: AttemptRecord = event.metadata["record"]
        run = str(request.tags.get("run", ""))
        is_ours = run == self._run or run.startswith(f"{self._run}.")
        if request.fate is not Fate.OPEN or not is_ours:
            return
        reserved = self._budget.reserved_by(request.request_id)
        if reserved is None:
            return
        with self._lock:
            most = _higher(self._most, reserved)
            if most != self._most:
                self._most = most
                self._keep(most)

    def _keep(self, most: Spending) -> None:
        # Whoever took the study over is told of by the next beat.
        with suppress(RunFencedError):
            self._steps.keep(Step(name=MOST, value=asdict(most)))


def _higher(one: Spending, other: Spending) -> Spending:
    return Spending(
        calls=max(one.calls, other.calls),
        tokens=max(one.tokens, other.tokens),
        dollars=max(one.dollars, other.dollars),
        unpriced=max(one.unpriced, other.unpriced),
    )
