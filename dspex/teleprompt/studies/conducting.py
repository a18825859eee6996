"""Conducting a study: its record, its thread, its budget, and how it ends.

The search works in a thread of its own. Whoever called only waits here, shows how far
it is, and says that the study is alive; so a Ctrl-C always reaches somebody who can end
it in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, Self, TypeVar

from dspex.client.budget import Budget, Spending
from dspex.core.errors import (
    BudgetExceededError,
    EvaluationError,
    EvaluationInterrupted,
)
from dspex.core.home import home
from dspex.evaluate.metric import metric_names
from dspex.evaluate.record.head import RunHead
from dspex.evaluate.record.reader import Status
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.running.answers import offer
from dspex.evaluate.running.live import joined
from dspex.evaluate.running.opening import open_record
from dspex.evaluate.running.ordering import dspex_version
from dspex.evaluate.running.recording import Recording
from dspex.evaluate.running.run import new_run_id
from dspex.programs.program import Program
from dspex.runtime.runtime import current_runtime
from dspex.teleprompt.studies.lift import Lift
from dspex.teleprompt.studies.live_study import LiveStudy
from dspex.teleprompt.studies.order import Order
from dspex.teleprompt.studies.searched import Searched
from dspex.teleprompt.studies.spending import (
    NOTHING,
    added,
    note_seen,
    seen_by,
    spending_of_requests,
    spent_in_parts,
    without,
)
from dspex.teleprompt.studies.steps import Steps
from dspex.teleprompt.studies.study import Study, StudyStopped
from dspex.teleprompt.studies.study_line import StudyLine
from dspex.teleprompt.studies.study_result import Ended, StudyResult
from dspex.teleprompt.studies.worst_case import WorstCase
from supervisors import Exit, Ok, Task
from supervisors.log import logger

P = TypeVar("P", bound=Program)

TICK: Final = 0.1
"""Seconds between two looks at how far a study is."""
PATIENCE: Final = 10.0
"""Seconds to wait for a search to end that was stopped."""

STUDY: Final = "study"
"""Under which name a record's last words tell of the study's end."""
SEARCHED: Final = "searched"
"""Under which name the settings in its head tell what it searches."""
_STATUS: Final[Mapping[Ended, Status]] = {
    "complete": "complete",
    "budget": "stopped",
    "failed": "stopped",
    "interrupted": "interrupted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[P]):
    """What a search ends with."""

    program: P
    """The winner."""
    number: int | None = None
    """Its number among the candidates; `None` when it is none of them."""
    lift: Lift | None = None
    """How much better it is, where that was judged."""


Search = Callable[[Study], Found[P]]
"""An optimiser's search."""
Told = Callable[[StudyResult], None]
"""Hears of the result before anything is raised or returned."""


def conduct(
    order: Order, search: Search[P], told: Told, *, candidates: int | None = None
) -> Found[P]:
    """Have a search done, and return what it found.

    Args:
        order: What is to be done.
        search: How.
        told: Hears of the study's result, however it ends.
        candidates: How many there will be, for the progress; `None` when nobody knows.

    Raises:
        BudgetExceededError: The budget was used up before any candidate was measured.
        EvaluationError: An evaluation could not go on. What was found is recorded.
        EvaluationInterrupted: Ctrl-C; `.best_so_far` is the best program until then.
        RunBusyError: Somebody else works on the study of that name.
        RunChangedError: It was begun with another program, metric, setting or set.
    """
    with _Place(order) as place, place.budget:
        study = place.study
        place.be_seen()
        task = Task.async_(partial(_attempt, search, study), label=order.optimiser)
        try:
            with StudyLine(study, candidates, show=order.display_progress) as line:
                outcome = _wait(task, study, line)
        except (KeyboardInterrupt, _EndedFromOutside):
            study.stop()
            found = _left(task, study)
            told(place.ended("interrupted", found))
            raise _interrupted(place, study, found) from None
        except BaseException:
            study.stop()
            _left(task, study)
            told(place.ended("failed", None))
            raise
        return _concluded(outcome, place, told)


class _EndedFromOutside(Exception):  # noqa: N818 - a signal of ours, no error
    """Somebody outside wants the study to end; it ends as with Ctrl-C."""


def _attempt(search: Search[P], study: Study) -> Found[P] | BaseException:
    try:
        with study.inside():
            return search(study)
    except BaseException as error:  # noqa: BLE001 - whoever waits raises it
        return error


def _wait(
    task: Task[Found[P] | BaseException], study: Study, line: StudyLine
) -> Found[P] | BaseException:
    while (end := task.yield_(TICK)) is None:
        study.beat()
        if study.is_to_end:
            raise _EndedFromOutside
        line()
    return _outcome(end)


def _outcome(end: Ok[Found[P] | BaseException] | Exit) -> Found[P] | BaseException:
    if isinstance(end, Ok):
        return end.value
    return EvaluationError(f"the search was ended from outside: {end.reason}.")


def _left(task: Task[Found[P] | BaseException], study: Study) -> Found[P] | None:
    """Wait for a search that was stopped, and return the best there is until then."""
    end = task.shutdown(PATIENCE)
    best = study.best
    if best is not None:
        return Found(program=best.program, number=best.number)
    outcome = None if end is None else _outcome(end)
    if isinstance(outcome, StudyStopped) and outcome.best_so_far is not None:
        return Found(program=outcome.best_so_far)
    return None


def _concluded(
    outcome: Found[P] | BaseException, place: _Place, told: Told
) -> Found[P]:
    if isinstance(outcome, Found):
        told(place.ended("complete", outcome))
        return outcome
    best = place.study.best
    if place.is_used_up(outcome):
        if best is not None:
            found = Found(program=best.program, number=best.number)
            told(place.ended("budget", found))
            return found
        told(place.ended("budget", None))
    else:
        told(place.ended("failed", None))
    if (line := place.line_on()) is not None and isinstance(outcome, Exception):
        outcome.add_note(f"What was found so far is kept. To go on: {line}")
    raise outcome


def _interrupted(
    place: _Place, study: Study, found: Found[P] | None
) -> EvaluationInterrupted:
    count = len(study.candidates)
    line = place.line_on()
    text = (
        f"interrupted after {count} candidate{'' if count == 1 else 's'}; the best "
        "program so far is .best_so_far."
    )
    if line is not None:
        text += f" To go on where it stopped: {line}"
    best = None if found is None else found.program
    return EvaluationInterrupted(text, best_so_far=best)


class _Place:
    """Where a study is at home: its record, opened for the time it is worked on."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._searched = Searched.of(order)
        runtime = current_runtime()
        persist = runtime.config.persist if order.persist is None else order.persist
        on_disk = order.run is not None or persist
        self._run = order.run or new_run_id()
        self._home = (runtime.config.home or home()) if on_disk else None
        self._recording = Recording(self._opened()) if on_disk else None
        self._steps = Steps(self._run, self._recording)
        self._seconds = 0.0
        if self._recording is not None:
            self._seconds = self._recording.record.worked_before.seconds
        self._began = time.monotonic()
        self._is_closed = False
        self.study = Study(
            order,
            run=self._run,
            steps=self._steps,
            is_recorded=on_disk,
        )
        self.budget = Budget(name=self._run) if order.budget is None else order.budget
        """What all its requests count in."""
        self._worst = WorstCase(self._run, self.budget, self._steps)
        self._noting = ExitStack()

    def __enter__(self) -> Self:
        if self._order.budget is not None:
            spent = without(self._on_record(), seen_by(self.budget, self._run))
            self.budget.count(spent)
        self._noting.enter_context(self._steps.requests.noted())
        self._noting.enter_context(self._worst.watched())
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._close("interrupted", None)

    def be_seen(self) -> None:
        """Have the study seen and steered from outside until it ends."""
        offer()
        live = LiveStudy(self.study, current_runtime())
        self._noting.callback(live.over.set)
        self._noting.enter_context(joined(live))

    def _opened(self) -> RunRecord:
        order = self._order
        head = RunHead(
            run=self._run,
            created=time.time(),
            version=dspex_version(),
            fingerprints=order.fingerprints(),
            metrics=() if order.metric is None else metric_names(order.metric),
            settings={
                "optimiser": order.optimiser,
                "concurrency": order.concurrency,
                "max_errors": order.max_errors,
                SEARCHED: self._searched.plain(),
            },
            kind="study",
        )
        record, _ = open_record(head, self._home)
        return record

    def _on_record(self) -> Spending:
        """Return what all who worked on the study have spent, at worst."""
        if self._home is None:
            return NOTHING
        most = self._worst.most
        parts = spent_in_parts(self._run, self._home, most=most)
        steps = spending_of_requests(self._steps.requests.all, most=most)
        return added([parts, steps])

    def is_used_up(self, error: BaseException) -> bool:
        """Whether an error came up because the order's budget is used up."""
        budget = self._order.budget
        at: BaseException | None = error
        while at is not None and budget is not None:
            if isinstance(at, BudgetExceededError) and at.budget == budget.name:
                return True
            at = at.__cause__
        return False

    def line_on(self) -> str | None:
        """Return the line of code that goes on; `None` when nothing is recorded."""
        if self._recording is None:
            return None
        return f"{self._order.optimiser}(...).compile(..., run={self._run!r})"

    def ended(self, how: Ended, found: Found[P] | None) -> StudyResult:
        """Close the record, and return what there is to say of the study."""
        study = self.study
        study.wait_left(PATIENCE)
        # What was given up is being broken off; its fate comes a moment later.
        self._steps.requests.wait_settled()
        result = StudyResult(
            optimiser=self._order.optimiser,
            run=None if self._recording is None else self._run,
            candidates=study.candidates,
            best=None if found is None else found.number,
            ended=how,
            spent=study.spent,
            seconds=self._seconds + self._took(),
            lift=None if found is None else found.lift,
            searched=self._searched,
        )
        if self._order.budget is not None:
            note_seen(self.budget, self._run, self._on_record())
        self._close(_STATUS[how], result)
        return result

    def _took(self) -> float:
        return time.monotonic() - self._began

    def _close(self, status: Status, result: StudyResult | None) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        facts: dict[str, Any] = {"seconds": self._took(), "restarts": 0}
        if result is not None:
            lift = None if result.lift is None else result.lift.plain()
            facts[STUDY] = {"best": result.best, "ended": result.ended, "lift": lift}
        with self._noting:
            why = self._steps.close(status, facts)
        if why is not None:
            # The study is done all the same, and its caller has what it found.
            log = logger(__name__)
            log.warning("study_not_closed", run=self._run, why=why.message)
