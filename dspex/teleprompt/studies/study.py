"""A study: the work of one optimiser, as its search sees it.

A search is plain code that blocks: it scores programs, asks models, does pieces side by
side, and reports the candidates it has tried. What each of these did is kept, so that
the same search goes on where another process was killed. Whoever ordered the study
waits in another thread and may stop it at any time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final, TypeVar

from dspex.client.budget import Spending
from dspex.core.errors import CircuitOpenError, LMConnectionError
from dspex.core.events import OPTIMISER_STEP
from dspex.core.example import Example
from dspex.core.spawner import the_spawner
from dspex.evaluate.engine import start_run
from dspex.evaluate.isolate.errand import Limits
from dspex.evaluate.metric import Metric, checked_metric, metric_names
from dspex.evaluate.record.fingerprint import fingerprints
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.running.control import EvaluationRun
from dspex.evaluate.running.options import RunOptions
from dspex.evaluate.scheduling.steering import Steering
from dspex.evaluate.working.traces import Tracing
from dspex.evaluate.working.worker import AsyncWork, Work
from dspex.evaluate.working.workers import Workers
from dspex.evaluate.working.workplace import workplace
from dspex.programs.program import Program
from dspex.programs.settings import settings
from dspex.runtime.runtime import current_runtime, events_here
from dspex.teleprompt.studies.candidate import Candidate, best_of
from dspex.teleprompt.studies.open_runs import OpenRun, OpenRuns
from dspex.teleprompt.studies.order import ANY_SCORE, Order
from dspex.teleprompt.studies.spending import added
from dspex.teleprompt.studies.steps import Step, Steps

T = TypeVar("T")

PIECES: Final = 4
"""Pieces of a search that are done at a time, so that while one waits for its last
answers another keeps the hands busy."""
CANDIDATE: Final = "candidate."
"""How the names of steps begin that are candidates."""

AWAY: Final = (CircuitOpenError, LMConnectionError)
"""What calls fail with whose provider is away."""
LOOK_EVERY: Final = 0.5
"""Seconds between two looks of a step at whether it is back."""

LAST: Final = "last candidate"
"""The name of the step that says which candidate is the last, where some are not."""

_piece: ContextVar[tuple[object, ...]] = ContextVar("dspex_piece", default=())
"""The pieces this thread works for, outermost first."""


class StudyStopped(BaseException):
    """The study was stopped; what works for it should end.

    It is no `Exception`, so that no search goes on by catching it.

    Attributes:
        result: What the run that was open had measured, if there was one.
        best_so_far: What its piece would have made of that, or `None`.
    """

    def __init__(self, result: EvaluationResult | None = None) -> None:
        super().__init__("the study was stopped")
        self.result = result
        self.best_so_far: Any = None


class Study:
    """One optimiser at work on one program. Its methods may be called in any thread.

    Args:
        order: What is to be done.
        run: The study's name.
        steps: What was done before.
        is_recorded: Whether its evaluations are recorded as well.
    """

    def __init__(
        self, order: Order, *, run: str, steps: Steps, is_recorded: bool
    ) -> None:
        self.order = order
        self.run = run
        self._steps = steps
        self._is_recorded = is_recorded
        # Protects all below: pieces come and go, and its owner stops them.
        self._lock = threading.RLock()
        # On the same lock: somebody has left.
        self._left = threading.Condition(self._lock)
        self._inside = 0
        self._stopped: set[object] = set()
        self._is_to_end = False
        self._candidates: dict[int, Candidate] = {}
        self._runs = OpenRuns(order.concurrency)

    # What a search does.

    def score(
        self,
        name: str,
        program: Program,
        rows: Sequence[Example],
        *,
        metric: Metric | None = None,
    ) -> EvaluationResult:
        """Evaluate a program. It is a run of its own, with a record of its own.

        Args:
            name: What this evaluation is called in the study, and nothing else is.
            program: The program.
            rows: The examples.
            metric: What scores it; the order's by default.

        Raises:
            EvaluationError: It could not go on; see `Evaluate`.
            StudyStopped: The study was stopped meanwhile.
        """
        metric = checked_metric(self.order.metric if metric is None else metric)
        options = RunOptions(
            label=name,
            metric_range=ANY_SCORE,
            max_errors=self.order.max_errors,
            metrics=metric_names(metric),
            fingerprints=lambda: fingerprints(
                program, metric, lm=settings.lm, adapter=settings.adapter
            ),
        )
        limits = Limits(metric_range=ANY_SCORE)
        tracing = Tracing("none", full=1.0)
        with workplace(program, metric, "thread", limits, tracing) as place:
            return self.work(name, rows, place.work, options, workers=place.workers)

    def work(
        self,
        name: str,
        rows: Sequence[Example],
        work: Work | AsyncWork,
        options: RunOptions,
        *,
        steering: Steering | None = None,
        workers: Workers | None = None,
    ) -> EvaluationResult:
        """Do the work on every row, as a run of its own; see `work_through`.

        Args:
            name: As for `score`.
            rows: What to work on.
            work: What to do with each.
            options: How; what belongs to the study (name, hands, record, progress) is
                its own affair.
            steering: Decides how far to go.
            workers: What carries it out; threads unless given.

        Raises:
            EvaluationError: It could not go on; see `work_through`.
            StudyStopped: The study was stopped meanwhile.
        """
        options = replace(
            options,
            concurrency=self._runs.next_share(),
            display_progress=False,
            run=f"{self.run}.{name}" if self._is_recorded else None,
            persist=False,
            part_of=self.run,
        )
        with self._running(rows, work, options, steering, workers) as run:
            result = run.result()
        if self._is_stopped(_piece.get()):
            raise StudyStopped(result)
        return result

    def once(self, name: str, do: Callable[[], T]) -> T:
        """Do a step, such as to ask a model for an instruction, unless it was done.

        Args:
            name: What the step is called in the study, and nothing else is.
            do: Does it. Its value is kept, so it must be one that a record gives back:
                JSON values, examples, predictions.

        Raises:
            LMConnectionError: Its provider was away longer than `Config.max_outage`.
            StudyStopped: The study was stopped.
        """
        self._check()
        value: T = self._steps.once(f"step.{name}", lambda: self._patiently(do))
        self._check()
        return value

    def side_by_side(
        self, pieces: Sequence[Callable[[], T]], at_once: int = PIECES
    ) -> Iterator[T]:
        """Do pieces of work side by side, and yield what they return in their order.

        So a search that looks at them one by one finds the same as if it had done them
        one by one. Leave the loop (or close the iterator) to give up what is not
        needed; what it has asked already is paid, and kept.

        Args:
            pieces: The pieces; each may score, ask, and report candidates.
            at_once: How many are at work at a time.

        Raises:
            BaseException: What the first of the pieces raised, when it is its turn.
        """
        mine = object()
        around = (*_piece.get(), mine)

        def do(piece: Callable[[], T]) -> T:
            token = _piece.set(around)
            try:
                with self.inside():
                    self._check()
                    return piece()
            finally:
                _piece.reset(token)

        ended: dict[int, Callable[[], T]] = {}
        ends = the_spawner().each(do, pieces, concurrency=at_once, label="piece")
        try:
            for turn in range(len(pieces)):
                while turn not in ended:
                    end = next(ends)
                    ended[end.position] = _taking(end.value, end.error)
                yield ended.pop(turn)()
        finally:
            # Those that wait for a run are woken before they are given up.
            self._stop(mine)
            ends.close()

    def report(self, candidate: Candidate) -> Candidate:
        """Note a candidate, and how it did; one of that number is replaced."""
        with self._lock:
            self._candidates[candidate.number] = candidate
        name = f"{CANDIDATE}{candidate.number:05d}"
        self._steps.keep(Step(name=name, value=candidate.plain()))
        events_here().emit(OPTIMISER_STEP, study=self.run, candidate=candidate)
        return candidate

    def forget(self, *, above: int) -> None:
        """Leave out candidates that a search one by one would not have tried."""
        with self._lock:
            for number in [each for each in self._candidates if each > above]:
                del self._candidates[number]
        self._steps.keep(Step(name=LAST, value=above))

    # What its owner does.

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What was reported so far, by number."""
        with self._lock:
            return tuple(self._candidates[each] for each in sorted(self._candidates))

    @property
    def best(self) -> Candidate | None:
        """The best so far of those that were measured on all rows.

        Where nothing was measured at all, as one program is made and then judged, it is
        that one.
        """
        made = self.candidates
        unmeasured = (each for each in made if each.seen is None)
        return best_of(made) or next(unmeasured, None)

    @property
    def spent(self) -> Spending:
        """What its requests cost, those of earlier owners included."""
        return added([self.spent_in_steps, self._runs.spent])

    @property
    def spent_in_steps(self) -> Spending:
        """What the requests of its steps cost, those of its runs apart."""
        return self._steps.requests.spent

    @property
    def at_work(self) -> tuple[tuple[str, int, int | None], ...]:
        """The runs that are open, the oldest first: name, examples done, and in all."""
        return self._runs.at_work

    @property
    def is_paused(self) -> bool:
        """Whether its runs begin nothing."""
        return self._runs.is_paused

    def pause(self, *, paused: bool) -> None:
        """Have its runs begin nothing, those to come too; or go on.

        What a search asks a model itself goes on.
        """
        self._runs.pause(paused=paused)

    @property
    def is_to_end(self) -> bool:
        """Whether somebody outside wants it to end."""
        return self._is_to_end

    def end_soon(self) -> None:
        """Have its owner end it in order, at the next look."""
        self._is_to_end = True

    def stop(self) -> None:
        """Stop it: open runs end, and whatever works for it raises `StudyStopped`.

        Any thread may, also more than once. It does not wait for the search's end.
        """
        self._stop(self)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Work for the study in this thread while the block runs."""
        with self._lock:
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                self._left.notify_all()

    def wait_left(self, timeout: float) -> bool:
        """Wait until nobody works for it any more, given-up pieces included.

        Until then one of them may still hold the record of a run, so that whoever goes
        on in this process would find it taken.

        Args:
            timeout: Seconds.

        Returns:
            Whether nobody does.
        """
        with self._lock:
            return self._left.wait_for(lambda: not self._inside, timeout)

    def beat(self) -> None:
        """Say that it is worked on; call it every second or so.

        Raises:
            RunFencedError: Another owner took the study over.
        """
        self._steps.beat()

    # Inside.

    def _patiently(self, do: Callable[[], T]) -> T:
        """Do it, and again while its provider is away; an evaluation pauses likewise.

        What never reached a provider is not billed.
        """
        began = time.monotonic()
        while True:
            try:
                return do()
            except AWAY:
                if time.monotonic() - began >= current_runtime().config.max_outage:
                    raise
            # Nobody wakes it: who stops the study waits for one look at most.
            threading.Event().wait(LOOK_EVERY)
            self._check()

    @contextmanager
    def _running(
        self,
        rows: Sequence[Example],
        work: Work | AsyncWork,
        options: RunOptions,
        steering: Steering | None,
        workers: Workers | None,
    ) -> Iterator[EvaluationRun]:
        self._check()
        run = start_run(rows, work, options, steering=steering, workers=workers)
        told = OpenRun(name=options.label, total=len(rows), pieces=_piece.get())
        with self._runs.holding(run, told):
            if self._is_stopped(told.pieces):
                # Between the check and now.
                run.stop()
            yield run

    def _stop(self, who: object) -> None:
        with self._lock:
            self._stopped.add(who)
        self._runs.end(None if who is self else who)

    def _is_stopped(self, pieces: tuple[object, ...]) -> bool:
        with self._lock:
            return not self._stopped.isdisjoint((self, *pieces))

    def _check(self) -> None:
        if self._is_stopped(_piece.get()):
            raise StudyStopped


def _taking(value: Any, error: BaseException | None) -> Callable[[], Any]:
    def take() -> Any:
        if error is not None:
            raise error
        return value

    return take
