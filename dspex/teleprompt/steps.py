"""What a study has done: each step once, also when it goes on in another process.

A search is a function of its examples, its seed and what comes back from models. So a
study that goes on is begun anew, and each step that was done before is recalled instead
of being done again. A step is known by its name, and a search names its steps the same
way each time, in whatever order they end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from dspex.client.budget import Budget, Spending
from dspex.core.errors import RecordUnwritableError
from dspex.evaluate.record.entries import Noted
from dspex.evaluate.record.reader import RecordReader
from dspex.evaluate.record.record import RunRecord
from dspex.teleprompt.spending import added

STEP: Final = "step"
"""The kind of the notes in a record that are steps of a study."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step that was done."""

    name: str
    """Its name."""
    value: Any
    """What came of it; whatever a record keeps, see `dspex.evaluate.record.codec`."""
    spent: Spending = Spending()  # noqa: RUF009 - a frozen value
    """What its own requests cost."""


class Steps:
    """The steps of one study. Any thread may ask.

    Args:
        record: Where they are kept; `None` keeps them in memory only.
    """

    def __init__(self, record: RunRecord | None) -> None:
        self._record = record
        found = () if record is None else steps_in(record)
        self._done = {step.name: step for step in found}
        # One thread at a time writes; it also protects what is to be written.
        self._writing = threading.Lock()
        self._unwritten: list[Noted] = []

    @property
    def spent(self) -> Spending:
        """What the requests of all steps cost, whoever did them."""
        return added(step.spent for step in list(self._done.values()))

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
            with Budget(name=f"step {name}") as counting:
                value = do()
            step = Step(name=name, value=value, spent=counting.spent)
            self.keep(step)
        return step.value

    def keep(self, step: Step) -> None:
        """Note a step; one of that name is replaced.

        Where it cannot be written now, as on a full disk, it is kept in memory and
        written with the next one, or with a beat.

        Raises:
            RunFencedError: Another owner took the study over.
        """
        self._done[step.name] = step
        facts = {"name": step.name, "value": step.value, "spent": asdict(step.spent)}
        noted = Noted(kind=STEP, facts=facts, at=time.time())
        if self._record is not None:
            with self._writing:
                self._unwritten.append(noted)
                self._write(self._record)

    def beat(self) -> None:
        """Say that the study is worked on; call it every second or so.

        Raises:
            RunFencedError: Another owner took the study over.
        """
        if self._record is not None:
            with self._writing:
                self._write(self._record)

    def _write(self, record: RunRecord) -> None:
        with suppress(RecordUnwritableError):
            if self._unwritten:
                record.commit(self._unwritten)
                self._unwritten.clear()
            record.beat()


def steps_in(record: RecordReader) -> Iterator[Step]:
    """Yield the steps that stand in a study's record, in the order they were kept."""
    for note in record.notes():
        if note.kind == STEP:
            facts = note.facts
            yield Step(
                name=facts["name"],
                value=facts["value"],
                spent=Spending(**facts["spent"]),
            )
