"""Studies for tests: their candidates, and records of them that no search has made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dspex.evaluate.record.head import RunHead
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.running.recording import Recording
from dspex.teleprompt import Candidate, StudyResult
from dspex.teleprompt.studies.conducting import SEARCHED, STUDY
from dspex.teleprompt.studies.searched import Searched
from dspex.teleprompt.studies.steps import Step, Steps
from dspex.teleprompt.studies.study import CANDIDATE

SEARCHES = Searched(
    program="Predict",
    predictors={"self": "country -> capital"},
    rows={"trainset": 12, "valset": 15},
    metrics=("exact",),
    settings={"breadth": 3, "teacher_temperature": None},
)


def candidate(number: int, score: float | None, **changes: Any) -> Candidate:
    """Return a candidate whose instruction and one demo tell its number."""
    fields = {"Country:": "${country}", "Capital:": "${capital}"}
    state = {
        "traces": [],
        "train": [],
        "demos": [{"country": "Peru", "capital": "Lima"}],
        "signature": {
            "instructions": f"Wording {number}.",
            "fields": [
                {"prefix": prefix, "description": text}
                for prefix, text in fields.items()
            ],
        },
        "lm": None,
    }
    values: dict[str, Any] = {
        "number": number,
        "label": f"wording {number}",
        "origin": f"asked for in round {number}",
        "score": score,
        "state": state,
    }
    return Candidate(**{**values, **changes})


def candidates(*scores: float | None) -> list[Candidate]:
    """Return candidates of these scores, by number."""
    return [candidate(number, score) for number, score in enumerate(scores)]


def result(found: Sequence[Candidate], **changes: Any) -> StudyResult:
    """Return a study that has found these, and the first of the best is its winner."""
    ranked = [(each.score, -each.number) for each in found if each.score is not None]
    best = -max(ranked)[1] if ranked else None
    values: dict[str, Any] = {"optimiser": "COPRO", "run": "tuning", "best": best}
    return StudyResult(candidates=found, **{**values, **changes})


def recorded(
    home: Path,
    found: Iterable[Candidate],
    *,
    run: str = "tuning",
    parts: Iterable[str] = (),
    ended: str | None = "complete",
) -> RunRecord:
    """Record a study and its parts, as its owner left them; `None` is still at work."""
    head = RunHead(
        run=run,
        created=1.0,
        version="0.1",
        settings={"optimiser": "COPRO", SEARCHED: SEARCHES.plain()},
        kind="study",
    )
    record = RunRecord.create(RunPlace(run=run, home=home), head)
    steps = Steps(run, Recording(record))
    for each in found:
        steps.keep(Step(name=f"{CANDIDATE}{each.number:05d}", value=each.plain()))
    for name in parts:
        part = RunHead(
            run=f"{run}.{name}", created=1.0, version="0.1", total=1, part_of=run
        )
        made = RunRecord.create(RunPlace(run=part.run, home=home), part)
        made.close("complete")
    if ended is not None:
        facts = {"seconds": 1.0, "restarts": 0, STUDY: {"ended": ended, "lift": None}}
        record.close("complete" if ended == "complete" else "stopped", facts)
    return record
