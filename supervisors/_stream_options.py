"""What may be said about a stream of tasks, checked before anything starts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

from supervisors._outcome import Outcome
from supervisors._stream_plan import StreamPlan
from supervisors.errors import ConfigError
from supervisors.ref import DEFAULT_CALL_TIMEOUT

AHEAD_PER_SLOT = 100
"""How far a stream runs ahead of its slowest task, for each that may run at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """What `TaskSupervisor.stream` takes besides inputs and work."""

    max_concurrency: int | None = None
    """How many tasks run at a time; `None` is one for each processor."""
    ordered: bool = True
    """Whether results come in the order of the inputs, or as they are done."""
    timeout: float | None = DEFAULT_CALL_TIMEOUT
    """Seconds each task may run, from its start; `None` is without a limit."""
    on_timeout: Literal["exit", "kill_task"] = "exit"
    """Whether a task that takes longer ends the stream with `CallTimeoutError`, or is
    killed alone, with `Exit(Failed("timeout"))` as its result."""
    zip_input_on_exit: bool = False
    """Whether an `Exit` carries the input it was for."""
    link: bool = True
    """Whether a task that ends abnormally ends the stream: its error is raised, unless
    an actor that traps exits takes the results. Otherwise it is an `Exit`."""
    max_ahead: float | None = None
    """How many inputs may be taken ahead of the result that comes next.

    It bounds the memory of an ordered stream behind a slow task: those done wait for
    it, and when so many are running or waiting no other is started. `None` is 100 for
    each that may run at a time; `math.inf` is Elixir's behaviour.
    """
    label: str = "stream"
    """What errors and pictures call its tasks."""

    def __post_init__(self) -> None:
        if self.max_concurrency is not None and self.max_concurrency < 1:
            msg = (
                f"max_concurrency is {self.max_concurrency}; it counts the tasks that "
                "run at a time. Pass a number from 1 on."
            )
            raise ConfigError(msg)
        if self.timeout is not None and self.timeout < 0:
            msg = (
                f"timeout is {self.timeout}; it is the seconds a task may run. Pass a "
                "number from 0 on, or None for no limit."
            )
            raise ConfigError(msg)
        if self.on_timeout not in ("exit", "kill_task"):
            msg = (
                f"on_timeout is {self.on_timeout!r}; expected 'exit', which ends the "
                "stream, or 'kill_task', which ends the task alone."
            )
            raise ConfigError(msg)
        if self.max_ahead is not None and self.max_ahead < self.slots:
            msg = (
                f"max_ahead is {self.max_ahead} and max_concurrency {self.slots}; what "
                "runs counts as well. Pass at least as much, or leave it out."
            )
            raise ConfigError(msg)

    @property
    def slots(self) -> int:
        """How many tasks run at a time."""
        return self.max_concurrency or os.cpu_count() or 1

    def plan(self) -> StreamPlan[Outcome[Any]]:
        """A plan that has started nothing."""
        ahead = self.max_ahead
        return StreamPlan(
            max_concurrency=self.slots,
            ordered=self.ordered,
            timeout=self.timeout,
            max_ahead=AHEAD_PER_SLOT * self.slots if ahead is None else ahead,
        )
