"""The client actor of one provider branch: the hands and the voice of its machine.

No handler here ever waits: sockets belong to the wire, time to timers, and callers get
their answer later through a reply token. What is decided, `machine` decides; what must
survive a restart is in the ledger.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from dspex.client.call import AttemptRecord, Call
from dspex.client.ledger import Ledger
from dspex.client.machine import ClientMachine
from dspex.client.messages import (
    ByTimer,
    GetStanding,
    GetView,
    Listener,
    Message,
    Outcome,
    Reconfigure,
    SendWhatMayBeSent,
    SetCircuit,
    SleepServer,
    Submit,
    WakeServer,
)
from dspex.client.providers.endpoint import Endpoint
from dspex.client.told import is_attempt_wanted, tell_of_attempt
from dspex.client.wire import BreakOff, Report, Send, SendAll
from dspex.core.errors import LMError
from dspex.core.ids import new_id
from supervisors import (
    NO_REPLY,
    Actor,
    ExitReason,
    Handle,
    ReplyToken,
    Shutdown,
    one_wakeup,
)
from supervisors.events import Name

BURST = 64
"""How many messages are handled at most before what they allow is sent."""
TAKEN_TOGETHER = 64
"""How many booked outcomes the wire keeps at most while nothing is sent."""


class ClientActor(Actor):
    """Carries out what the machine of one provider branch decides (`Outside`)."""

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        label: str,
        ledger: Ledger,
        wire_name: str,
        server_name: str | None = None,
        has_fresh_keys: bool = False,
        listener: Listener = lambda _call_id, _outcome: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        super().__init__()
        self._ledger = ledger
        self._provider = endpoint.provider
        self._wire_name = wire_name
        self._server_name = server_name
        self._listener = listener
        self._jitter = jitter
        self._tokens: dict[tuple[str, str], ReplyToken] = {}
        self._taken: list[str] = []
        self._burst = 0
        self._machine = ClientMachine(
            endpoint=endpoint,
            label=label,
            ledger=ledger,
            outside=self,
            has_fresh_keys=has_fresh_keys,
        )

    def on_start(self) -> None:
        """Take the ledger over and ask the wire what it has open."""
        self._ledger.inherit(self)
        names = self.surroundings.registry
        self._clock = self.surroundings.clock
        self._wire = Handle(names, self._wire_name)
        self._server = Handle(names, self._server_name) if self._server_name else None
        self._machine.start()

    def on_end(self, reason: ExitReason) -> None:
        """At an end that was asked for, break off what is out and say so."""
        if isinstance(reason, Shutdown):
            self._machine.end()

    def on_receive(self, message: Message) -> Any:
        """Hand each message to the machine, and pump after those that came together."""
        with one_wakeup():
            result = self._handled(message)
            self._burst += 1
            if self._burst >= BURST or self.actor_inbox.undone() <= 1:
                self._burst = 0
                self._machine.pump()
        return result

    def _handled(self, message: Message) -> Any:
        match message:
            case Submit():
                key = (message.call.id, message.waiter)
                self._tokens[key] = self.reply_token()
                self._machine.submit(message)
                return NO_REPLY
            case Reconfigure():
                return self._machine.reconfigure(message.options)
            case SetCircuit():
                return self._machine.set_circuit(message)
            case GetView():
                return self._machine.view()
            case GetStanding():
                return self._machine.standing()
            case _:
                return self._machine.handle(message)

    # What the machine may do to the world: see `Outside`.

    def now(self) -> float:
        """The tree's monotonic clock."""
        return self._clock.monotonic()

    def jitter(self) -> float:
        """A random number in [0, 1]."""
        return self._jitter()

    def new_id(self) -> str:
        """Unique everywhere: the provider sees it."""
        return new_id()

    def transmit(self, sends: tuple[Send, ...]) -> bool:
        """Cast them to the wire."""
        taken, self._taken = tuple(self._taken), []
        return self._wire.cast(SendAll(sends=sends, taken=taken))

    def break_off(self, request_id: str) -> None:
        """Cast it to the wire."""
        self._wire.cast(BreakOff(request_id=request_id))

    def taken(self, request_id: str) -> None:
        """Cast it to the wire, with the next requests or together with others."""
        self._taken.append(request_id)
        if len(self._taken) >= TAKEN_TOGETHER:
            self.transmit(())

    def ask_wire(self, up_to: int) -> None:
        """Cast it to the wire."""
        self._wire.cast(Report(up_to=up_to))

    def answer(self, call_id: str, waiter: str, outcome: Outcome) -> bool:
        """Use the caller's reply token."""
        token = self._tokens.pop((call_id, waiter), None)
        if token is None:
            return False
        if isinstance(outcome, LMError):
            return token.fail(outcome)
        return token.reply(outcome)

    def settle(self, call_id: str, outcome: Outcome) -> None:
        """Tell the listener, which tells the cache."""
        self._listener(call_id, outcome)

    def keeps_books(self) -> bool:
        """Whether somebody listens to the event."""
        return is_attempt_wanted(self.surroundings.events)

    def note(
        self, record: AttemptRecord, seconds: float, call: Call, error: LMError | None
    ) -> None:
        """Emit an event."""
        events = self.surroundings.events
        tell_of_attempt(events, record, seconds, call, self._provider, error)

    def tell(self, name: Name, measurements: Mapping[str, float], **more: Any) -> None:
        """Emit an event."""
        events = self.surroundings.events
        events.emit(name, measurements, provider=self._provider, **more)

    def remind(self, seconds: float, message: ByTimer) -> None:
        """Set a timer."""
        self.send_after(seconds, message)

    def pump_soon(self) -> None:
        """Cast it to oneself; any thread may."""
        self.actor_ref.cast(SendWhatMayBeSent())

    def wake_server(self) -> None:
        """Cast it to the server."""
        if self._server is not None:
            self._server.cast(WakeServer())

    def rest_server(self) -> None:
        """Cast it to the server."""
        if self._server is not None:
            self._server.cast(SleepServer())
