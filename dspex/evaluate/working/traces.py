"""The calls an example made, kept with its outcome: prompts, answers, times.

They are taken from the histories' own door, so that what is kept is what was asked,
whoever asked it. By default only what went wrong is kept, and of that a bounded part.
Settings of a call are left out: only prompts and answers are there.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, Final, Literal

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.history import Exchanged
from dspex.evaluate.working.traced_call import TracedCall, with_room
from dspex.evaluate.working.worker import (
    AsyncWork,
    Measured,
    Work,
    WorkFailed,
    show_calls,
)
from dspex.programs.history import caller_here, inside

KeepTraces = Literal["wrong", "all", "none"]
"""Whose calls are kept: of what failed or scored below full, of all, of none."""

MOST_TRACES: Final = 1_000
"""Examples of one evaluation whose calls are kept by "wrong"; those that come first."""
MOST_CALLS: Final = 50
"""Calls of one example that are kept; the last ones."""


class _Calls:
    """The calls of one example, as a program's history hears of them.

    Any thread of the example may add: each addition is one step, and so is the removal
    of the oldest that may follow it.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        # No deque: an empty one of fixed length is made with room for all, and most
        # examples of a quick program make no call.
        self._kept: list[tuple[Exchanged, object | None]] = []

    def __bool__(self) -> bool:
        return bool(self._kept)

    @property
    def history(self) -> _Calls:
        """What belongs to a program finds its history by this name."""
        return self

    def add(self, call: Exchanged, most: int | None = None) -> None:  # noqa: ARG002 - a history's own argument
        """Keep a call."""
        caller = caller_here()
        self._kept.append((call, None if caller is self else caller))
        if len(self._kept) > MOST_CALLS:
            del self._kept[0]

    def traced(self) -> tuple[TracedCall, ...]:
        """Return the last calls, as many as there is room for."""
        return with_room([TracedCall.of(call, by) for call, by in tuple(self._kept)])


class Tracing:
    """Decides whose calls are kept, over one evaluation.

    Args:
        keep: Whose.
        full: The score that nothing is wrong with.
    """

    def __init__(self, keep: KeepTraces, *, full: float) -> None:
        self._keep = keep
        self._full = full
        # `next` on it is one step, whichever threads ask.
        self._numbers = itertools.count(1)

    def wants(self, score: float | None) -> bool:
        """Whether to keep the calls of an example with this score; `None` has none."""
        if self._keep == "all":
            return True
        is_wrong = score is None or score < self._full
        return is_wrong and next(self._numbers) <= MOST_TRACES

    def around(self, work: Work) -> Work:
        """Return work that keeps the calls it makes."""
        if self._keep == "none":
            return work

        def traced(example: Example) -> Measured:
            calls = self._calls()
            try:
                with inside(calls):
                    measured = work(example)
            except WorkFailed as failed:
                self._note(failed, calls)
                raise
            return self._noted(measured, calls)

        return traced

    def around_async(self, work: AsyncWork) -> AsyncWork:
        """The same for work on an event loop."""
        if self._keep == "none":
            return work

        async def traced(example: Example) -> Measured:
            calls = self._calls()
            try:
                with inside(calls):
                    measured = await work(example)
            except WorkFailed as failed:
                self._note(failed, calls)
                raise
            return self._noted(measured, calls)

        return traced

    def _calls(self) -> _Calls:
        calls = _Calls()
        show_calls(lambda: self._of_failure(calls))
        return calls

    def _of_failure(self, calls: _Calls) -> tuple[TracedCall, ...]:
        return calls.traced() if calls and self.wants(None) else ()

    def _note(self, failed: WorkFailed, calls: _Calls) -> None:
        failed.trace = self._of_failure(calls)

    def _noted(self, measured: Measured, calls: _Calls) -> Measured:
        if not calls or not self.wants(measured.score):
            return measured
        return replace(measured, trace=calls.traced())


def checked_keep(keep: Any) -> KeepTraces:
    """Return whose calls are kept.

    Raises:
        ConfigurationError: It is none of the words for that.
    """
    if keep not in ("wrong", "all", "none"):
        raise ConfigurationError(
            f"keep_traces is {keep!r}; expected 'wrong', 'all' or 'none'. Leave it out "
            "to keep the calls of what failed or scored below full."
        )
    found: KeepTraces = keep
    return found
