"""What a client works by, and what can be seen of its work: values."""

from __future__ import annotations

from dataclasses import dataclass, field

from dspex.client.gate import GatePolicy, GateView
from dspex.client.limits import LimitPolicy, LimitsView
from dspex.core import defaults


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """What a client works by; may be swapped while it works.

    A call keeps the patience and the retries it was made with. What is out when the
    options change is finished by the old ones.
    """

    max_in_flight: int = defaults.MAX_IN_FLIGHT
    """Requests that may be out at a time."""
    max_queued: int = defaults.MAX_QUEUED
    """Calls that may wait; one more is refused with `QueueFullError`."""
    max_outage: float = defaults.MAX_OUTAGE
    """Seconds a provider may be down before waiting calls fail."""
    idle_after: float = defaults.LOCAL_IDLE
    """Seconds without a call until a local model server is put to sleep."""
    gate: GatePolicy = field(default_factory=GatePolicy)
    """When a model's breaker opens and closes."""
    limits: LimitPolicy = field(default_factory=LimitPolicy)
    """What may be sent in a minute, for each model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """One model at one endpoint, at one moment."""

    model: str
    """Its name as the provider knows it."""
    gate: GateView
    """Its breaker."""
    limits: LimitsView
    """What may be sent, by the user's word or learned from the provider."""
    queued: int
    """Calls that wait for a place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientView:
    """A client at one moment."""

    label: str
    """The provider as errors name it."""
    in_flight: int
    """Requests that are out."""
    open_calls: int
    """Calls without an answer, those out included."""
    configuration: int
    """How many configurations there have been, the present one included."""
    lanes: tuple[LaneView, ...]
    """One for each model that was called."""
