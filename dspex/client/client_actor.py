"""The client actor of one provider branch: the hands and the voice of its machine.

No handler here ever waits: sockets belong to the wire, time to timers, and callers get
their answer later through a reply token. What is decided, `machine` decides; what must
survive a restart is in the ledger.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from dspex.client.call import ATTEMPT, AttemptRecord
from dspex.client.ledger import Ledger
from dspex.client.machine import ClientMachine
from dspex.client.messages import (
    ByTimer,
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
from dspex.client.wire import BreakOff, Report, Send, Taken
from dspex.core.errors import LMError
from dspex.core.ids import new_id
from supervisors import NO_REPLY, Actor, ExitReason, Handle, ReplyToken, Shutdown


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
        self._wire_name = wire_name
        self._server_name = server_name
        self._listener = listener
        self._jitter = jitter
        self._tokens: dict[tuple[str, str], ReplyToken] = {}
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
        """Hand each message to the machine."""
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

    def transmit(self, send: Send) -> bool:
        """Cast it to the wire."""
        return self._wire.cast(send)

    def break_off(self, request_id: str) -> None:
        """Cast it to the wire."""
        self._wire.cast(BreakOff(request_id=request_id))

    def taken(self, request_id: str) -> None:
        """Cast it to the wire."""
        self._wire.cast(Taken(request_id=request_id))

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

    def note(self, record: AttemptRecord, seconds: float) -> None:
        """Emit an event."""
        events = self.surroundings.events
        events.emit(ATTEMPT, {"duration": seconds}, record=record)

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
