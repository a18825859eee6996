"""A study as its record tells it, finished or not."""

from __future__ import annotations

from pathlib import Path

from dspex.core.errors import RunNotFoundError
from dspex.core.home import home as default_home
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.runtime.runtime import current_runtime
from dspex.teleprompt.candidate import Candidate, best_of
from dspex.teleprompt.conducting import STUDY
from dspex.teleprompt.lift import Lift
from dspex.teleprompt.spending import added, spending_of_requests, spent_in_parts
from dspex.teleprompt.steps import steps_in
from dspex.teleprompt.study import CANDIDATE, LAST
from dspex.teleprompt.study_result import StudyResult


def load_study(name: str, *, home: str | Path | None = None) -> StudyResult:
    """Return what a recorded study has found, finished or not.

    It is of the moment: load it again to see how far a study has come since. Its
    candidates have a state and no program: `load_state` it into a program of yours.

    Args:
        name: The study's name, as `dspex runs` lists it.
        home: The folder of all that dspex writes; by default the current runtime's,
            else `DSPEX_HOME` or the platform's.

    Raises:
        RunNotFoundError: There is no study of that name.
        RecordError: Its record cannot be read.
        ConfigurationError: It is no name of one.
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
    last = steps[LAST].value if LAST in steps else None
    candidates = [
        Candidate.of_plain(step.value)
        for key, step in sorted(steps.items())
        if key.startswith(CANDIDATE)
    ]
    if last is not None:
        candidates = [each for each in candidates if each.number <= last]
    told = {} if record.left is None else record.left.facts.get(STUDY, {})
    best, lift = best_of(candidates), told.get("lift")
    number = None if best is None else best.number
    return StudyResult(
        optimiser=str(record.head.settings["optimiser"]),
        run=name,
        candidates=candidates,
        best=told.get("best", number),
        ended=told.get("ended", "open"),
        spent=added(
            [spent_in_parts(name, where), spending_of_requests(record.requests())]
        ),
        seconds=record.worked.seconds,
        lift=None if lift is None else Lift.of_plain(lift),
    )
