"""What a study has done: each step once, also when it goes on in another process.

A search is a function of its examples, its seed and what comes back from models. So a
study that goes on is begun anew, and each step that was done before is recalled instead
of being done again. A step is known by its name, and a search names its steps the same
way each time, in whatever order they end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from dspex.core.errors import RecordUnwritableError, RunError
from dspex.evaluate.record.entries import Noted
from dspex.evaluate.record.reader import RecordReader, Status
from dspex.evaluate.running.recording import Recording
from dspex.teleprompt.studies.step_requests import StepRequests

STEP: Final = "step"
"""The kind of the notes in a record that are steps of a study."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step that was done."""

    name: str
    """Its name."""
    value: Any
    """What came of it; whatever a record keeps, see `dspex.evaluate.record.codec`."""


class Steps:
    """The steps of one study. Any thread may ask.

    Args:
        run: The study's name.
        recording: Where they are kept; `None` keeps them in memory only.
    """

    def __init__(self, run: str, recording: Recording | None = None) -> None:
        self._recording = recording
        found = () if recording is None else steps_in(recording.record)
        self._done = {step.name: step for step in found}
        self.requests = StepRequests(run, recording)
        """What they ask of models."""
        # One thread at a time writes.
        self._writing = threading.Lock()

    def once(self, name: str, do: Callable[[], Any]) -> Any:
        """Do a step, unless it was done before: then return what came of it.

        What `do` raises is raised, and the step was not done.

        Args:
            name: What the step is called; the search has no other of that name.
            do: Does it. Its value must be one that a record gives back as it is.

        Raises:
            RunFencedError: Another owner took the study over.
        """
        step = self._done.get(name)
        if step is None:
            with self.requests.of(name):
                value = do()
            step = Step(name=name, value=value)
            self.keep(step)
        return step.value

    def value_of(self, name: str) -> Any:
        """Return what came of a step; `None` when it was not done."""
        step = self._done.get(name)
        return None if step is None else step.value

    def keep(self, step: Step) -> None:
        """Note a step; one of that name is replaced.

        Where it cannot be written now, as on a full disk, it is kept in memory and
        written with the next one, or with a beat.

        Raises:
            RunFencedError: Another owner took the study over.
        """
        self._done[step.name] = step
        facts = {"name": step.name, "value": step.value}
        noted = Noted(kind=STEP, facts=facts, at=time.time())
        if self._recording is not None:
            with self._writing:
                self._recording.note(noted)
                self._recording.commit(())

    def beat(self) -> None:
        """Say that the study is worked on; call it every second or so.

        Raises:
            RunFencedError: Another owner took the study over.
        """
        if self._recording is not None:
            with self._writing, suppress(RecordUnwritableError):
                if self._recording.trouble is not None:
                    self._recording.commit(())
                self._recording.record.beat()

    def close(self, status: Status, facts: Mapping[str, Any]) -> RunError | None:
        """Write what is left, and give the study up, also where that cannot be written.

        Returns:
            Why it could not be, if so.
        """
        recording = self._recording
        if recording is None:
            return None
        with self._writing:
            recording.close(status, facts)
        return recording.broken or recording.trouble or recording.fenced


def steps_in(record: RecordReader) -> Iterator[Step]:
    """Yield the steps that stand in a study's record, in the order they were kept."""
    for note in record.notes():
        if note.kind == STEP:
            yield Step(name=note.facts["name"], value=note.facts["value"])
