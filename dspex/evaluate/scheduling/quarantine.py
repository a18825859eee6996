"""Examples whose workers keep dying: when one is set aside, and with what evidence.

Workers are never restarted by their supervisor, so a poisonous example uses up no
restart intensity. A death from outside is somebody else's doing; a worker that ended by
itself without an outcome (a child process that crashed) was most likely ended by its
example. Neither may go on for ever. Holds no clock and no actor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from supervisors import ExitReason
from supervisors.exits import Crashed, Failed

OWN_DEATHS: Final = 3
"""Workers of an example that may end by themselves without an outcome."""
DEATHS: Final = 5
"""Workers of an example that may die in any way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """How one worker ended without handing an outcome in."""

    attempt: int
    """Which attempt at the example it was."""
    reason: ExitReason
    """Why it ended."""
    seconds: float = 0.0
    """How long it had worked."""

    @property
    def is_own(self) -> bool:
        """Whether it was ended by what it worked on, and not from outside."""
        return isinstance(self.reason, Crashed | Failed)

    def __str__(self) -> str:
        return f"attempt {self.attempt}, after {self.seconds:.1f} s: {self.reason}"


def is_set_aside(deaths: Sequence[Death]) -> bool:
    """Say whether an example is given up because its workers died.

    Example:
        >>> from supervisors.exits import KILLED
        >>> crash = Death(attempt=1, reason=Crashed(RuntimeError("segmentation fault")))
        >>> is_set_aside([crash] * 2), is_set_aside([crash] * 3)
        (False, True)
        >>> is_set_aside([Death(attempt=n, reason=KILLED) for n in (1, 2, 3, 4)])
        False
    """
    own = sum(death.is_own for death in deaths)
    return own >= OWN_DEATHS or len(deaths) >= DEATHS


def verdict(example: int, deaths: Sequence[Death]) -> str:
    """Say in words why an example was set aside."""
    own = sum(death.is_own for death in deaths)
    if own >= OWN_DEATHS:
        return (
            f"example {example} ended its worker {own} times and was set aside; its "
            "evidence says how. Run it alone, with debug=True or isolate='process'."
        )
    return (
        f"the worker of example {example} was killed from outside {len(deaths)} times, "
        "so it was set aside; its evidence says when. Find out who kills workers."
    )


def evidence(deaths: Sequence[Death]) -> tuple[str, ...]:
    """One line for each death, in order, for the outcome."""
    return tuple(map(str, deaths))
