"""One example in a child, from the parent's side: its deadline, its calls, its end."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from typing import Any, Final

from dspex.core.errors import DataError, LMCancelledError, WorkTimeoutError
from dspex.core.example import Example
from dspex.core.once import began_unrepeatable
from dspex.evaluate.isolate.channel import ChannelClosed, Line
from dspex.evaluate.isolate.child_process import ChildProcess, killed_with_its_work
from dspex.evaluate.isolate.failures import Failure
from dspex.evaluate.isolate.nodes import Models, node_of, prediction_of
from dspex.evaluate.isolate.remote_model import answered
from dspex.evaluate.metric import MetricRange
from dspex.evaluate.results.outcome import Stage, note
from dspex.evaluate.working.worker import Measured, WorkFailed, metric_begins
from supervisors import Scope, SupervisorError, TaskSupervisor, current_scope, within

SHOWS_STACK_WITHIN: Final = 0.1
"""Seconds a child has at its deadline to write down where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is held of an example in a child; without a limit by default."""

    timeout: float | None = None
    """Seconds for program and metric together; its start does not count."""
    metric_timeout: float | None = None
    """Seconds of these for the metric."""
    metric_range: MetricRange | None = None
    """Where its score has to lie; anywhere by default."""


class Errand:
    """Gives one example to a child and serves it until it has answered.

    Args:
        child: Who does it; it is ours until it is done.
        models: Those its calls are for.
        calls: Runs the calls, side by side.
    """

    def __init__(
        self, child: ChildProcess, models: Models, calls: TaskSupervisor
    ) -> None:
        self._child = child
        self._models = models
        self._calls = calls
        self._job = child.next_job()
        self._stage: Stage = "program"
        self._errors: dict[int, BaseException] = {}
        around = current_scope()
        self._tags = None if around is None else around.tags

    def run(self, example: Example, limits: Limits) -> Measured:
        """Have program and metric done for an example, and return what came of it.

        Raises:
            WorkFailed: One of them raised, or took too long.
            WorkerDied: The child ended meanwhile; also when it was killed because the
                example was given up.
        """
        try:
            node = node_of(example, "the example")
        except DataError as error:
            raise WorkFailed(error, "runtime") from error
        # Of its own, so that calls which outlive the example are given up with it.
        scope = Scope("an example in a process", tags=self._tags)
        try:
            with (
                killed_with_its_work(self._child),
                within(scope),
                self._child.death_told(self._doing),
            ):
                self._child.channel.say(
                    {
                        "job": self._job,
                        "example": node,
                        "timeout": limits.timeout,
                        "metric_timeout": limits.metric_timeout,
                    }
                )
                return self._served(limits)
        finally:
            scope.cancel("it is done")

    def _doing(self) -> Stage:
        return self._stage

    def _served(self, limits: Limits) -> Measured:
        until = _after(limits.timeout)
        while True:
            try:
                line = self._child.channel.hear(until)
            except TimeoutError:
                self._child.kill()
                self._child.ended()
                raise self._too_slow(limits) from None
            match line:
                case {"began": str(name)}:
                    self._begins(line["call"], name)
                case {"call": _}:
                    self._call(line)
                case {"stage": "metric"}:
                    self._stage = "metric"
                    metric_begins()
                    until = _earlier(until, _after(limits.metric_timeout))
                case {"done": self._job}:
                    return self._measured(line)
                case _:
                    self._child.take_note(line)

    def _measured(self, line: Line) -> Measured:
        told = line.get("failure")
        written = line["prediction"]
        prediction = None if written is None else prediction_of(written)
        if told is not None:
            raise self._failed(Failure(**told), line["of"], prediction)
        lost = {name: Failure(**failure) for name, failure in line["lost"].items()}
        return Measured(
            score=line["score"],
            columns=line["columns"],
            lost={name: each.note(each.error()) for name, each in lost.items()},
            feedback=line["feedback"],
            prediction=prediction,
        )

    def _failed(
        self, failure: Failure, call: int | None, prediction: Any
    ) -> WorkFailed:
        # The error of a call of ours is at hand as it was, with its cause.
        own = None if call is None else self._errors.get(call)
        error = failure.error() if own is None else own
        return WorkFailed(error, failure.stage, prediction, told=failure.note(error))

    def _too_slow(self, limits: Limits) -> WorkFailed:
        is_metric = self._stage == "metric"
        name = "timeout"
        if is_metric and limits.metric_timeout is not None:
            name = "metric_timeout"
        error = WorkTimeoutError(
            f"the {self._stage} was at work when the example had taken the "
            f"{getattr(limits, name):g} s it may; its process was ended. Allow more "
            f"with {name}=, or find out what hangs."
        )
        told = note(error, self._stage)
        return WorkFailed(
            error, "runtime", told=replace(told, where=self._child.last_stack())
        )

    def _begins(self, call: int, name: str) -> None:
        """Note what is never run again, and then let the child begin it."""
        try:
            began_unrepeatable(name)
        except Exception as error:  # noqa: BLE001 - whatever forbids it is told
            self._refuse(call, error)
        else:
            self._child.channel.say({"reply": call, "value": None})

    # Calls of models, each on a thread of its own.

    def _call(self, line: Line) -> None:
        try:
            if line["job"] != self._job:
                raise LMCancelledError(
                    "the example that made this call is done; a call was expected "
                    "before its end. Wait for what a program begins."
                )
            self._calls.start_child(lambda: self._answer(line), label="call")
        except (LMCancelledError, SupervisorError) as error:
            self._refuse(line["call"], error)

    def _answer(self, line: Line) -> None:
        call = line["call"]
        try:
            # The thread has a scope of its own, and the records of requests want to
            # know which example they are for.
            with within(Scope("a call from a process", tags=self._tags)):
                reply = node_of(answered(line, self._models.__getitem__), "the reply")
        except BaseException as error:  # noqa: BLE001 - whatever a model raises is told
            self._refuse(call, error)
            return
        with contextlib.suppress(ChannelClosed):
            self._child.channel.say({"reply": call, "value": reply})

    def _refuse(self, call: int, error: BaseException) -> None:
        self._errors[call] = error
        failure = Failure.of(error, "program")
        with contextlib.suppress(ChannelClosed):
            self._child.channel.say({"reply": call, "failure": failure.line()})


def _after(seconds: float | None) -> float | None:
    return None if seconds is None else time.monotonic() + seconds + SHOWS_STACK_WITHIN


def _earlier(one: float | None, other: float | None) -> float | None:
    known = [moment for moment in (one, other) if moment is not None]
    return min(known, default=None)
