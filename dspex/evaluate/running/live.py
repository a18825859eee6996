"""The runs that this process is at work on, for whoever looks in from outside.

Runs come in when they begin and go when they end, however they were begun: by calling
`Evaluate`, awaiting it, `start`, or as a part of an optimiser's study, which is in the
list itself. Nothing is asked and nothing is started by looking.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from dspex.evaluate.running.journal import Tally
from dspex.evaluate.running.why import Explained

if TYPE_CHECKING:
    from dspex.evaluate.running.run import Run
    from dspex.runtime.runtime import Runtime


class LiveRun(Protocol):
    """A run that goes on, as others see and steer it. Any thread may."""

    @property
    def name(self) -> str:
        """Under which its record is kept, where it keeps one."""

    @property
    def kind(self) -> str:
        """`evaluation`, or the name of the optimiser whose study it is."""

    @property
    def part_of(self) -> str | None:
        """The study it is a part of, which is then what can be steered."""

    @property
    def state(self) -> str:
        """`running`, `paused`, `held` while what all need is away, or `ending`."""

    @property
    def tally(self) -> Tally:
        """How far it is; of a study, its open runs together."""

    @property
    def total(self) -> int | None:
        """How many outcomes there will be; `None` when nobody knows."""

    @property
    def progress(self) -> str:
        """How far it is, in a few words."""

    @property
    def runtime(self) -> Runtime:
        """Where it runs."""

    def why(self, timeout: float = 1.0) -> Explained:
        """Why it is not finished.

        Args:
            timeout: Seconds each kind of actor may take to answer.
        """

    def pause(self) -> None:
        """Begin no further example; those that run go on."""

    def resume(self) -> None:
        """Begin examples again."""

    def stop(self, within: float = 10.0) -> bool:
        """End it in order. What was measured is kept.

        Args:
            within: Seconds to wait for that.

        Returns:
            Whether it had ended by then; else it does a little later.
        """


class _Live:
    """What goes on, in the order of beginning."""

    def __init__(self) -> None:
        # Protects the order: runs begin and end in any thread.
        self._lock = threading.Lock()
        self._runs: dict[int, LiveRun] = {}

    def join(self, run: LiveRun) -> None:
        with self._lock:
            self._runs[id(run)] = run

    def leave(self, run: LiveRun) -> None:
        with self._lock:
            self._runs.pop(id(run), None)

    def all(self) -> tuple[LiveRun, ...]:
        with self._lock:
            return tuple(self._runs.values())

    def forget(self) -> None:
        """After a fork: what goes on does so in the parent."""
        self._lock = threading.Lock()
        self._runs = {}


_live = _Live()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_live.forget)


def live_runs() -> tuple[LiveRun, ...]:
    """Return what this process is at work on, the oldest first.

    Example:
        >>> live_runs()
        ()
    """
    return _live.all()


def join(run: LiveRun) -> None:
    """Say that a run goes on."""
    _live.join(run)


def leave(run: LiveRun) -> None:
    """Say that it does not any more; harmless when that was said."""
    _live.leave(run)


@contextmanager
def joined(run: LiveRun) -> Iterator[None]:
    """Say that a run goes on while the block does."""
    join(run)
    try:
        yield
    finally:
        leave(run)


class LiveEvaluation:
    """A run of examples, as others see and steer it."""

    kind = "evaluation"

    def __init__(self, run: Run) -> None:
        self._run = run

    def __repr__(self) -> str:
        return f"<LiveRun {self.name}: {self.state}, {self.progress}>"

    @property
    def name(self) -> str:
        """Under which its record is kept."""
        return self._run.plan.run

    @property
    def part_of(self) -> str | None:
        """The study it is a part of."""
        return self._run.plan.part_of

    @property
    def state(self) -> str:
        """Where it is."""
        return self._run.state

    @property
    def tally(self) -> Tally:
        """How far it is."""
        return self._run.tally

    @property
    def total(self) -> int | None:
        """Examples times trials; `None` for a stream."""
        plan = self._run.plan
        return None if plan.total is None else plan.total * plan.trials

    @property
    def progress(self) -> str:
        """How far it is, in a few words."""
        return progress_of(self.tally, self.total)

    @property
    def runtime(self) -> Runtime:
        """Where it runs."""
        return self._run.runtime

    def why(self, timeout: float = 1.0) -> Explained:
        """Why it is not finished."""
        return Explained() if self._run.finished else self._run.explain(timeout)

    def pause(self) -> None:
        """Begin no further example."""
        self._run.pause(paused=True)

    def resume(self) -> None:
        """Begin examples again."""
        self._run.pause(paused=False)

    def stop(self, within: float = 10.0) -> bool:
        """End it in order; whoever waits for its result gets what was measured."""
        until = time.monotonic() + within
        self._run.cancel(within)
        return self._run.wait_closed(max(0.0, until - time.monotonic()))


def progress_of(tally: Tally, total: int | None) -> str:
    """Say how far a run is.

    Example:
        >>> progress_of(Tally(accepted=4, scored=3, score=3.0), 20)
        '4 of 20, 75.0 %, 1 failed'
    """
    done = f"{tally.accepted:,}" + ("" if total is None else f" of {total:,}")
    words = [
        done,
        f"{100 * tally.score / tally.accepted:.1f} %" if tally.accepted else "",
        f"{tally.failures:,} failed" if tally.failures else "",
    ]
    return ", ".join(word for word in words if word)
