"""The client of one provider branch, without actor, thread and clock.

It decides about every call: when it is sent, when again, how it ends. What it does to
the world it does through `Outside`; what must survive a restart is in the ledger. A
message is handled in one step, which leaves the ledger whole. What may be sent after it
is sent by `pump`, once for all messages that came together.
"""

from __future__ import annotations

from typing import Final, assert_never

from dspex.client.desk import Desk, shared
from dspex.client.dispatch import Dispatcher
from dspex.client.estimate import worst_case
from dspex.client.gate import GateState
from dspex.client.judge import Judge
from dspex.client.ledger import Ledger, OpenCall, Stage
from dspex.client.messages import (
    CheckIdle,
    DropOrphans,
    Expire,
    LookAgain,
    SendWhatMayBeSent,
    ServerDown,
    ServerUp,
    SetCircuit,
    Submit,
    ToDo,
    TryAgain,
    Withdraw,
)
from dspex.client.options import ClientOptions, ClientView, LaneView
from dspex.client.outside import Outside
from dspex.client.prices import cost_of
from dspex.client.providers.endpoint import Endpoint
from dspex.client.standing import ClientStanding, standing_of
from dspex.client.wire import SentAll, Standing, WireUp
from dspex.core.errors import LMCancelledError, LMError, LMTimeoutError, QueueFullError
from dspex.core.events import BREAKER_CLOSE, BREAKER_HALF_OPEN, BREAKER_OPEN

ORPHANED_AFTER = 5.0
"""Seconds after a restart until a call that nobody has asked for again is dropped."""

NEWS: Final = {
    GateState.OPEN: BREAKER_OPEN,
    GateState.HALF_OPEN: BREAKER_HALF_OPEN,
    GateState.CLOSED: BREAKER_CLOSE,
}
"""What is told of a breaker that has come to a state."""


class ClientMachine:
    """One incarnation of a client.

    Args:
        endpoint: Where its calls go.
        label: The provider as errors name it.
        ledger: The branch's memory.
        outside: What can be done to the world.
        has_fresh_keys: Whether a refused key may be replaced by asking for another.
    """

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        label: str,
        ledger: Ledger,
        outside: Outside,
        has_fresh_keys: bool = False,
    ) -> None:
        self._label = label
        self._has_answers = "embeddings" not in endpoint.format
        self._ledger = ledger
        self._outside = outside
        self._desk = Desk(ledger, outside, label)
        has_key = has_fresh_keys or endpoint.api_key is not None
        self._dispatcher = Dispatcher(self._desk, endpoint, has_key=has_key)
        self._judge = Judge(self._desk, has_fresh_keys=has_fresh_keys)
        self._is_expiring = False

    def start(self) -> None:
        """Take over what the last incarnation left, and ask the wire what it has."""
        ledger, now = self._ledger, self._outside.now()
        for entry in ledger.calls.values():
            if entry.stage is Stage.BACKING_OFF:
                pause = max(0.0, entry.not_before - now)
                self._outside.remind(pause, TryAgain(call_id=entry.call.id))
        if ledger.calls:
            self._outside.remind(ORPHANED_AFTER, DropOrphans())
        self._dispatcher.look_again()
        self._dispatcher.void_lost_permits()
        self._outside.ask_wire(ledger.numbers)
        self._desk.watch_idle()
        self._dispatcher.pump()

    def end(self) -> None:
        """At an end that was asked for, break off what is out and say so."""
        for call_id in tuple(self._ledger.by_attempt.values()):
            entry = self._ledger.calls[call_id]
            self._desk.break_off(entry)
            self._ledger.requeue(entry)

    def pump(self) -> None:
        """Send what may be sent; due after each message, or after several."""
        self._tell_of_breakers()
        if not self._is_expiring:
            self._dispatcher.pump()

    def _tell_of_breakers(self) -> None:
        """Tell of those that are elsewhere than they were."""
        now = self._outside.now()
        for lane in self._ledger.lanes.values():
            state = lane.gate.state(now)
            if state is not lane.told:
                lane.told = state
                self._outside.tell(
                    NEWS[state],
                    {"failures": lane.gate.view(now).failures},
                    label=self._label,
                    model=lane.model,
                )

    def handle(self, message: ToDo) -> None:  # noqa: C901 - a line a message
        """Hand each message to its method."""
        self._is_expiring = False
        match message:
            case SentAll():
                for sent in message.sent:
                    self._judge.book(sent)
            case Withdraw():
                self._withdraw(message)
            case Standing():
                self._judge.reconcile(message)
            case WireUp():
                self._outside.ask_wire(self._ledger.numbers)
            case ServerUp():
                self._ledger.server_address = message.address
                self._desk.watch_idle()
            case ServerDown():
                self._ledger.server_address = None
            case TryAgain():
                self._try_again(message.call_id)
            case Expire():
                # Nothing is sent yet: a place that this frees is not for a call whose
                # deadline has come as well. Timers that are due go before messages.
                self._expire(message)
                self._is_expiring = True
                self._outside.pump_soon()
            case LookAgain():
                self._dispatcher.look_again()
            case CheckIdle():
                self._dispatcher.check_idle()
            case DropOrphans():
                self._drop_orphans()
            case SendWhatMayBeSent():
                pass
            case _:
                assert_never(message)

    def submit(self, message: Submit) -> None:
        """Open a call, or let its caller join the open one."""
        self._is_expiring = False
        call, waiter, ledger = message.call, message.waiter, self._ledger
        ended = ledger.ended(call)
        if ended is not None:
            outcome = shared(ended.outcome, paid=ended.paid)
            ended.paid = self._outside.answer(call.id, waiter, outcome) or ended.paid
            return
        now = self._outside.now()
        self._desk.join(call.id, waiter)
        if call.id not in ledger.calls:
            entry = self._opened(message, now)
            if entry is None:
                return
        if call.deadline is not None:
            expire = Expire(call_id=call.id, waiter=waiter)
            if call.deadline <= now:
                self._expire(expire)
            else:
                self._outside.remind(call.deadline - now, expire)

    def reconfigure(self, options: ClientOptions) -> int:
        """Work by other options from now on; their number."""
        ledger = self._ledger
        ledger.options = options
        ledger.configuration += 1
        now = self._outside.now()
        for lane in ledger.lanes.values():
            lane.obey(lane.limits, options, now)
            lane.gate.obey(options.gate)
        self._dispatcher.look_again()
        return ledger.configuration

    def set_circuit(self, message: SetCircuit) -> None:
        """Open, half-open or close a model's breaker by hand."""
        lane, now = self._ledger.lane(message.model), self._outside.now()
        gate = lane.gate
        match message.state:
            case GateState.OPEN:
                gate.force_open(now)
            case GateState.HALF_OPEN:
                gate.force_half_open(now)
            case GateState.CLOSED:
                gate.force_closed(now)
                lane.caution.trust()
        self._dispatcher.look_again()

    def view(self) -> ClientView:
        """What can be seen of the client."""
        ledger, now = self._ledger, self._outside.now()
        lanes = tuple(
            LaneView(
                model=lane.model,
                gate=lane.gate.view(now),
                limits=lane.limiter.state(now),
                queued=len(lane.queue),
            )
            for lane in ledger.lanes.values()
        )
        return ClientView(
            label=self._label,
            in_flight=ledger.in_flight,
            open_calls=len(ledger.calls),
            configuration=ledger.configuration,
            lanes=lanes,
        )

    def standing(self) -> ClientStanding:
        """What holds calls up."""
        return standing_of(self._ledger, self._label, self._outside.now())

    # Callers.

    def _opened(self, message: Submit, now: float) -> OpenCall | None:
        """Open a call, unless it has to be refused at once."""
        call, ledger = message.call, self._ledger
        if self._is_full():
            self._desk.leave(call.id, message.waiter)
            text = (
                f"{ledger.queued} calls wait for {self._label}, as many as may "
                "(max_queued), so this one was not taken. Call again when some have "
                "ended, make fewer at a time, or raise max_queued."
            )
            error = QueueFullError(text, model=self._label)
            # The cache is not told: whoever shares the call may ask elsewhere.
            self._outside.answer(call.id, message.waiter, error)
            return None
        entry = ledger.add(call, now)
        if call.limits is not None:
            entry.lane.obey(call.limits, ledger.options, now)
        self._estimate(entry)
        entry.lane.retry_budget.called(now)
        return None if self._judge.refuse(entry.lane, entry) else entry

    def _is_full(self) -> bool:
        """Whether as many calls wait as may."""
        ledger = self._ledger
        if ledger.queued < ledger.options.max_queued:
            return False
        # Some of them may be waiting for nothing but the pump.
        self._dispatcher.pump()
        return ledger.queued >= ledger.options.max_queued

    def _estimate(self, entry: OpenCall) -> None:
        """Work out what a request of a call may take at worst."""
        usage = worst_case(entry.call.request, answers=self._has_answers)
        entry.tokens = usage.total_tokens
        if entry.call.price is not None:
            entry.cost = cost_of(usage, entry.call.price)

    def _withdraw(self, message: Withdraw) -> None:
        error = LMCancelledError("the call was withdrawn")
        self._leave(message.call_id, message.waiter, error)

    def _expire(self, message: Expire) -> None:
        entry, now = self._ledger.calls.get(message.call_id), self._outside.now()
        if entry is None:
            return
        text = (
            f"no answer from {self._label} within the call's deadline "
            f"({entry.stage.value.replace('_', ' ')}, {entry.sent} requests sent). "
            "Give it a longer deadline, or find out why the provider is slow."
        )
        error = LMTimeoutError(text, model=self._label, attempts=entry.sent)
        # One that waits has not been slow.
        error.in_doubt = entry.attempt is None and entry.lane.is_doubted(now)
        self._leave(message.call_id, message.waiter, error)

    def _leave(self, call_id: str, waiter: str, error: LMError) -> None:
        """Let one caller go; with the last of them goes the call."""
        if self._desk.leave(call_id, waiter):
            self._outside.answer(call_id, waiter, error)
            self._drop_unless_wanted(call_id)

    def _drop_unless_wanted(self, call_id: str) -> None:
        entry = self._ledger.calls.get(call_id)
        if entry is None or self._desk.is_waited_for(call_id):
            return
        self._desk.drop(entry)

    def _drop_orphans(self) -> None:
        """Drop calls whose callers have left while there was no client.

        What is out is waited for: its answer may be billed, and then it is kept.
        """
        for call_id, entry in tuple(self._ledger.calls.items()):
            is_out = entry.stage is Stage.IN_FLIGHT
            if not is_out and not self._desk.is_waited_for(call_id):
                self._desk.drop(entry)

    def _try_again(self, call_id: str) -> None:
        entry = self._ledger.calls.get(call_id)
        if entry is not None and entry.stage is Stage.BACKING_OFF:
            self._ledger.requeue(entry)
