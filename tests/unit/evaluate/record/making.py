"""Records, heads and outcomes for these tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dspex.client.call import AttemptRecord, Fate
from dspex.core.example import Example
from dspex.core.lm import Usage
from dspex.core.prediction import Prediction
from dspex.evaluate.record.entries import Began, Decided, Intent, Requested
from dspex.evaluate.record.head import RunHead
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp

RUN = "tuning"


def head(**changes: Any) -> RunHead:
    values: dict[str, Any] = {"run": RUN, "created": 1.0, "version": "0.1", "total": 4}
    return RunHead(**{**values, **changes})


def place(home: Path | None) -> RunPlace:
    return RunPlace(run=RUN, home=home)


def created(home: Path | None, **changes: Any) -> RunRecord:
    return RunRecord.create(place(home), head(**changes))


def opened(home: Path) -> RunRecord:
    return RunRecord.open(place(home), owner=True)


def stamp(example: int, trial: int = 0, attempt: int = 1) -> Stamp:
    return Stamp(run=RUN, example=example, trial=trial, attempt=attempt)


def row(number: int) -> Example:
    return Example(question=f"{number}?", answer=str(number)).with_inputs("question")


def began(example: int, **of: int) -> Began:
    return Began(
        stamp=stamp(example, **of), at=5.0, digest=f"d{example}", example=row(example)
    )


def decided(
    example: int,
    score: float | None = 1.0,
    *,
    kind: OutcomeKind = OutcomeKind.SCORED,
    trial: int = 0,
    attempt: int = 1,
    **changes: Any,
) -> Decided:
    values: dict[str, Any] = {"prediction": Prediction(answer=str(example))}
    return Decided(
        outcome=Outcome(
            stamp=stamp(example, trial, attempt),
            kind=kind,
            score=score if kind is OutcomeKind.SCORED else None,
            **{**values, **changes},
        )
    )


def requested(request_id: str, fate: Fate, example: int = 0) -> Requested:
    return Requested(
        record=AttemptRecord(
            request_id=request_id,
            call_id="call",
            number=1,
            fate=fate,
            usage=Usage(prompt_tokens=7) if fate is Fate.ANSWERED else Usage(),
            tags=stamp(example).tags(),
        )
    )


def intent(request_id: str | None, example: int = 0) -> Intent:
    return Intent(stamp=stamp(example), request_id=request_id, call_id="call")


def fates(record: RunRecord) -> dict[str, str]:
    return {each.request_id: each.fate.value for each in record.requests()}
