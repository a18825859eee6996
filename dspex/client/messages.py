"""What is said to and by the client of a provider branch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dspex.client.call import Call
from dspex.client.gate import GateState
from dspex.client.options import ClientOptions
from dspex.client.wire import SentAll, Standing, WireUp
from dspex.core.errors import LMError
from dspex.core.lm import Reply

Outcome = Reply | LMError
"""How a call ends."""

Listener = Callable[[str, Outcome], None]
"""Told of each cacheable call's id and outcome, also when nobody waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Make a call, or join it when its id is open. Asked; the reply is a `Reply`."""

    call: Call
    waiter: str
    """Names the caller, so that it can withdraw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """A caller does not want its answer any more. Cast."""

    call_id: str
    waiter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUp:
    """The local model server is ready. Cast by it."""

    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDown:
    """The local model server has ended or is starting. Cast by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeServer:
    """Calls are waiting: start, if asleep. Cast to the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepServer:
    """Nobody has called for a while: stop until woken. Cast to the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """A call's pause is over. Sent by a timer."""

    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """A caller's deadline has come. Sent by a timer."""

    call_id: str
    waiter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAgain:
    """See whether queued calls may go now. Sent by a timer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendWhatMayBeSent:
    """Every deadline that has come is dealt with. Cast to oneself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckIdle:
    """See whether the server may sleep. Sent by a timer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropOrphans:
    """Whoever still wants a call from before the restart has said so. By a timer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconfigure:
    """Work by other options from now on. Asked; the reply is their number."""

    options: ClientOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCircuit:
    """Open, half-open or close a model's breaker by hand. Asked; there is no reply."""

    model: str
    state: GateState


@dataclass(frozen=True, slots=True, kw_only=True)
class GetView:
    """Look at the client. Asked; the reply is a `ClientView`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStanding:
    """Ask what holds calls up. Asked; the reply is a `ClientStanding`."""


ByTimer = TryAgain | Expire | LookAgain | CheckIdle | DropOrphans
"""What a timer brings."""

ToDo = (
    Withdraw
    | SentAll
    | Standing
    | WireUp
    | ServerUp
    | ServerDown
    | ByTimer
    | SendWhatMayBeSent
)
"""What the machine is told without being asked for anything."""

Message = ToDo | Submit | Reconfigure | SetCircuit | GetView | GetStanding
