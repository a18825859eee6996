"""What a worker tells of the example it has in hand."""

from __future__ import annotations

import time
from typing import Self

from dspex.core.events import EXAMPLE_START, EXAMPLE_STOP
from dspex.core.example import Example
from dspex.core.ids import new_id
from dspex.evaluate.results.outcome import Outcome, Stamp
from dspex.runtime.runtime import events_here


class telling_of_example:  # noqa: N801 - used as a function; a generator costs more
    """Tell of the work on one example around it, when somebody wants to know.

    Nothing is told at the end of work that gave no outcome: who gave it up decides
    what comes of the example.

    Args:
        stamp: Which attempt it is.
        example: What is worked on.
    """

    __slots__ = ("_began", "_example", "_span", "_stamp", "outcome")

    outcome: Outcome
    """What came of it; set it in the block."""

    def __init__(self, stamp: Stamp, example: Example) -> None:
        self._stamp = stamp
        self._example = example
        self._span: str | None = None

    def __enter__(self) -> Self:
        events = events_here()
        if events.are_wanted(EXAMPLE_START) or events.are_wanted(EXAMPLE_STOP):
            self._span = new_id()
            self._began = time.monotonic()
            events.emit(
                EXAMPLE_START,
                span=self._span,
                stamp=self._stamp,
                example=self._example,
            )
        return self

    def __exit__(self, kind: object, *_error: object) -> None:
        if self._span is None or kind is not None:
            return
        events_here().emit(
            EXAMPLE_STOP,
            {"seconds": time.monotonic() - self._began},
            span=self._span,
            stamp=self._stamp,
            example=self._example,
            outcome=self.outcome,
        )
