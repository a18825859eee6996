"""Memory that outlives the actor that owns it: OTP's table with an heir.

A supervisor hands the same estate to each incarnation of a child, as an argument of its
constructor. Only the owner's thread touches it, so it needs no lock; taking it over
waits until the thread of the last owner, should that one have been killed inside a
callback, has left its code.
"""

from __future__ import annotations

from supervisors._callbacks import Stop
from supervisors._life import Life
from supervisors.actor import Actor
from supervisors.exits import Failed

PATIENCE = 10.0
"""Seconds a new owner waits for the thread of the last one."""


class Estate:
    """Base of such memory. Call `inherit` first thing in `on_start`."""

    _owner: Life | None = None

    def inherit(self, heir: Actor, patience: float = PATIENCE) -> int:
        """Make `heir` the owner.

        Returns:
            How many owners there have been, this one included.

        Raises:
            Stop: The last owner's thread is stuck inside its code; the start fails, and
                the supervisor decides.
        """
        last = self._owner
        if last is not None and not last.thread_left.wait(patience):
            raise Stop(Failed(f"{last.label!r} was given up and is still in its code"))
        self._owner = heir.life
        self.owners = getattr(self, "owners", 0) + 1
        return self.owners
