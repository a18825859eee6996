"""What a run had begun that is marked `retry=False`, for whoever goes on with it.

A note in the record says that it began. Where its owner was killed before the example
had an outcome, nobody knows whether it was done: the example is left alone then, with
an open outcome that names it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from dspex.evaluate.record.codec import decode
from dspex.evaluate.record.entries import Decided, Intent, Noted
from dspex.evaluate.results.outcome import ErrorNote, Outcome, OutcomeKind, Stamp

UNREPEATABLE: Final = "unrepeatable"
"""The kind of these notes."""

_NOTES: Final = "SELECT facts FROM notes WHERE kind = ?"
_IS_SETTLED: Final = "SELECT 1 FROM outcomes WHERE number = ? AND settled"


def noted(intent: Intent, at: float) -> Noted:
    """Return the note of what an intent says is begun.

    Args:
        intent: Of something that is marked `retry=False`.
        at: When, in seconds since 1970.
    """
    stamp = intent.stamp
    facts = {
        "example": stamp.example,
        "trial": stamp.trial,
        "attempt": stamp.attempt,
        "configuration": stamp.configuration,
        "name": intent.unrepeatable,
    }
    return Noted(kind=UNREPEATABLE, facts=facts, at=at)


def left_alone(
    connection: sqlite3.Connection, run: str, trials: int
) -> Iterator[Decided]:
    """Yield an outcome for each example that may not be run again and has none."""
    for (text,) in connection.execute(_NOTES, (UNREPEATABLE,)).fetchall():
        facts = decode(text)
        number = facts["example"] * trials + facts["trial"]
        if connection.execute(_IS_SETTLED, (number,)).fetchone() is None:
            yield Decided(outcome=_outcome(run, facts))


def _outcome(run: str, facts: dict[str, Any]) -> Outcome:
    text = (
        f"the process that worked on it was killed after {facts['name']!r} had begun, "
        "which is marked retry=False and never run again; so nothing was measured. "
        "Find out whether it was done; a run of another name begins it anew."
    )
    kind = OutcomeKind.INFRASTRUCTURE
    return Outcome(
        stamp=Stamp(
            run=run,
            example=facts["example"],
            trial=facts["trial"],
            attempt=facts["attempt"],
            configuration=facts["configuration"],
        ),
        kind=kind,
        stage="runtime",
        error=ErrorNote(stage="runtime", type=kind.value, message=text, where=""),
        may_run_again=False,
    )
