"""How a task ended, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from supervisors.exits import ExitReason, Failed

T = TypeVar("T")


class NotGiven:
    """The type of `NOT_GIVEN`."""

    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Final = NotGiven()
"""What stands where nobody gave a value, and `None` would be one."""

TIMEOUT = Failed("timeout")
"""The reason in a stream's result when a task took longer than it may."""


@dataclass(frozen=True, slots=True)
class Ok(Generic[T]):
    """The task's function returned: Elixir's `{:ok, value}`."""

    value: T
    """What it returned."""


@dataclass(frozen=True, slots=True)
class Exit:
    """The task ended without a value: Elixir's `{:exit, reason}`."""

    reason: ExitReason
    """Why it ended; a crash keeps its exception."""
    input: Any = NOT_GIVEN
    """The input it was for, in a stream with `zip_input_on_exit`."""


Outcome = Ok[T] | Exit
"""How a task ended."""
