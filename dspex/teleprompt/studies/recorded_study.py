"""A study as its record tells it, finished or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dspex.core.errors import RunNotFoundError
from dspex.core.home import home as default_home
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.reader import RecordReader
from dspex.evaluate.record.record import RunRecord
from dspex.programs.program import Program
from dspex.runtime.runtime import current_runtime
from dspex.teleprompt.studies.candidate import Candidate, best_of
from dspex.teleprompt.studies.conducting import SEARCHED, STUDY
from dspex.teleprompt.studies.lift import Lift
from dspex.teleprompt.studies.searched import Searched
from dspex.teleprompt.studies.spending import (
    added,
    spending_of_requests,
    spent_in_parts,
)
from dspex.teleprompt.studies.steps import Step, steps_in
from dspex.teleprompt.studies.study import CANDIDATE, LAST
from dspex.teleprompt.studies.study_result import StudyResult


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOutline:
    """What a list of studies shows of one."""

    optimiser: str
    """The name of the optimiser."""
    candidates: int
    """How many were tried so far."""
    score: float | None
    """The winner's score, or the best so far, in points; `None` when none has one."""


def load_study(
    name: str, *, program: Program | None = None, home: str | Path | None = None
) -> StudyResult:
    """Return what a recorded study has found, finished or not.

    It is of the moment: load it again to see how far a study has come since.

    Args:
        name: The study's name, as `dspex runs` lists it.
        program: The program the study was begun with, or one built like it. Then each
            candidate has its program, a copy of this one; without it they have none,
            only the `state` that `load_state` takes.
        home: The folder of all that dspex writes; by default the current runtime's,
            else `DSPEX_HOME` or the platform's.

    Raises:
        RunNotFoundError: There is no study of that name.
        RecordError: Its record cannot be read.
        ConfigurationError: It is no name of one.
        StateError: The program is built in another way.
    """
    where = Path(home or current_runtime().config.home or default_home())
    record = RunRecord.open(RunPlace(run=name, home=where), owner=False)
    if record.head.kind != "study":
        raise RunNotFoundError(
            f"the run {name!r} is an evaluation; expected an optimiser's study. Load "
            "it with dspex.load_run().",
            run=name,
        )
    steps = {step.name: step for step in steps_in(record)}
    candidates = _candidates(steps)
    if program is not None:
        candidates = [_with_program(each, program) for each in candidates]
    told, settings = _last_words(record), record.head.settings
    lift, searched = told.get("lift"), settings.get(SEARCHED)
    return StudyResult(
        optimiser=str(settings["optimiser"]),
        run=name,
        candidates=candidates,
        best=_best(told, candidates),
        ended=told.get("ended", "open"),
        spent=added(
            [spent_in_parts(name, where), spending_of_requests(record.requests())]
        ),
        seconds=record.worked.seconds,
        lift=None if lift is None else Lift.of_plain(lift),
        searched=None if searched is None else Searched.of_plain(searched),
    )


def outline_of(record: RecordReader) -> StudyOutline:
    """Return what a list shows of a study; its runs are not looked at."""
    candidates = _candidates({step.name: step for step in steps_in(record)})
    best = _best(_last_words(record), candidates)
    scores = [each.score for each in candidates if each.number == best]
    return StudyOutline(
        optimiser=str(record.head.settings["optimiser"]),
        candidates=len(candidates),
        score=scores[0] if scores else None,
    )


def _candidates(steps: Mapping[str, Step]) -> list[Candidate]:
    last = steps[LAST].value if LAST in steps else None
    found = [
        Candidate.of_plain(step.value)
        for key, step in sorted(steps.items())
        if key.startswith(CANDIDATE)
    ]
    return [each for each in found if last is None or each.number <= last]


def _with_program(candidate: Candidate, program: Program) -> Candidate:
    made = program.deepcopy().load_state(candidate.state)
    return replace(candidate, program=made)


def _last_words(record: RecordReader) -> Mapping[str, Any]:
    """Return what its last owner said of its end; nothing while it is at work."""
    told: Mapping[str, Any] = {}
    if record.left is not None:
        told = record.left.facts.get(STUDY, told)
    return told


def _best(told: Mapping[str, Any], candidates: Iterable[Candidate]) -> int | None:
    if "best" in told:
        found: int | None = told["best"]
        return found
    best = best_of(candidates)
    return None if best is None else best.number
