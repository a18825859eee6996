"""Where threads are at this moment, as text."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisors._life import Life

StackOf = Callable[["Life"], "str | None"]
"""Says where the thread of an actor is; `None` when it is not in the actor's code."""


def look_at_stacks() -> StackOf:
    """Look at all threads once; what is returned knows where each was.

    An actor on an event loop is where the thread of its loop is.
    """
    frames = sys._current_frames()  # noqa: SLF001 - its documented name

    def stack_of(life: Life) -> str | None:
        thread = life.thread
        frame = None if thread is None else frames.get(thread.ident or 0)
        # Looked at after the frames: a thread that is in the actor's code now was in
        # it then, and not in that of whoever it works for next.
        if frame is None or not life.in_thread():
            return None
        return "".join(traceback.format_stack(frame))

    return stack_of


def no_stacks(life: Life) -> None:
    """Say nothing: stacks cost more than all the rest of a picture."""
    del life
