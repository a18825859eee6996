"""What the client's machine can do to the world, and nothing it decides.

The client actor is one; a simulation is another. So the whole machine runs without
actor, thread, socket or clock, and any order of events can be replayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from dspex.client.call import AttemptRecord, Call
from dspex.client.messages import ByTimer, Outcome
from dspex.client.wire import Send
from dspex.core.errors import LMError


class Outside(Protocol):
    """The hands of the machine. No method may wait."""

    def now(self) -> float:
        """Monotonic seconds."""

    def jitter(self) -> float:
        """A random number in [0, 1]."""

    def new_id(self) -> str:
        """An id that nothing else has."""

    def transmit(self, sends: tuple[Send, ...]) -> bool:
        """Hand requests to the wire; `False` when there is no wire now."""

    def break_off(self, request_id: str) -> None:
        """Have the wire break a request off."""

    def taken(self, request_id: str) -> None:
        """Tell the wire, sooner or later, that an outcome has been booked."""

    def ask_wire(self, up_to: int) -> None:
        """Have the wire say what it has open."""

    def answer(self, call_id: str, waiter: str, outcome: Outcome) -> bool:
        """Answer one caller; whether it was there to take it."""

    def settle(self, call_id: str, outcome: Outcome) -> None:
        """Tell the cache how a cacheable call ended."""

    def keeps_books(self) -> bool:
        """Whether anybody wants to know of each request."""

    def note(
        self, record: AttemptRecord, seconds: float, call: Call, error: LMError | None
    ) -> None:
        """Put a request into the books, `seconds` after it was sent."""

    def tell(
        self, name: tuple[str, ...], measurements: Mapping[str, float], **metadata: Any
    ) -> None:
        """Tell of what happened to a lane."""

    def remind(self, seconds: float, message: ByTimer) -> None:
        """Hand a message back after some time."""

    def pump_soon(self) -> None:
        """Have queued calls looked at again soon. Called from any thread."""

    def wake_server(self) -> None:
        """Have the local model server started."""

    def rest_server(self) -> None:
        """Have the local model server stopped until it is woken."""
