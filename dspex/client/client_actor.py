"""The client actor of one provider branch: admits, sends, retries, answers.

No handler here ever waits: sockets belong to the wire, time to timers, and callers get
their answer later through a reply token. What must survive a restart is in the ledger.
"""

from __future__ import annotations

import copy
import math
import random
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any, assert_never

from dspex.client import retry
from dspex.client.call import ATTEMPT, AttemptRecord, Fate
from dspex.client.gate import GateState, Permit, Refused, Verdict, verdict_of
from dspex.client.ledger import Lane, Ledger, OpenAttempt, OpenCall, Stage
from dspex.client.messages import (
    CheckIdle,
    ClientOptions,
    Expire,
    Listener,
    LookAgain,
    Message,
    Outcome,
    SendWhatMayBeSent,
    ServerDown,
    ServerUp,
    SleepServer,
    Submit,
    TryAgain,
    WakeServer,
    Withdraw,
)
from dspex.client.providers.endpoint import Endpoint
from dspex.client.wire import (
    BreakOff,
    Report,
    Send,
    Sent,
    Standing,
    Taken,
    WireUp,
)
from dspex.core.errors import (
    CircuitOpenError,
    LMCancelledError,
    LMConnectionError,
    LMError,
    LMTimeoutError,
)
from dspex.core.lm import Reply, Usage
from supervisors import NO_REPLY, Actor, ExitReason, Handle, ReplyToken, Shutdown

MAX_RESTARTS = 20
"""How often one call may be lost to our own restarts before it fails."""

_NO_USAGE = Usage()

RESTART_PAUSE = 0.2
"""Seconds before a call is sent again to a local server that just broke off."""


class ClientActor(Actor):
    """Decides about every call of one provider branch."""

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        label: str,
        ledger: Ledger,
        options: ClientOptions,
        wire_name: str,
        server_name: str | None = None,
        listener: Listener = lambda _call_id, _outcome: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._label = label
        self._ledger = ledger
        self._options = options
        self._wire_name = wire_name
        self._server_name = server_name
        self._listener = listener
        self._jitter = jitter
        self._waiters: dict[str, dict[str, ReplyToken]] = {}

    def on_start(self) -> None:
        """Take the ledger over and ask the wire what it has open."""
        self._ledger.inherit(self)
        names = self.surroundings.registry
        self._wire = Handle(names, self._wire_name)
        self._server = Handle(names, self._server_name) if self._server_name else None
        for entry in self._ledger.calls.values():
            if entry.stage is Stage.BACKING_OFF:
                pause = max(0.0, entry.not_before - self._now())
                self.send_after(pause, TryAgain(call_id=entry.call.id))
        self._look_again()
        self._void_lost_permits()
        self._ask_wire()
        self._watch_idle()
        self._pump()

    def on_end(self, reason: ExitReason) -> None:
        """At an end that was asked for, break off what is out and say so."""
        if not isinstance(reason, Shutdown):
            return
        for call_id in tuple(self._ledger.by_attempt.values()):
            entry = self._ledger.calls[call_id]
            self._break_off(entry)
            self._ledger.requeue(entry, first=True)

    def on_receive(self, message: Message) -> Any:  # noqa: C901 - a line a message
        """Hand each message to its method."""
        match message:
            case Submit():
                return self._submit(message)
            case Sent():
                self._book(message)
            case Withdraw():
                self._withdraw(message)
            case Standing():
                self._reconcile(message)
            case WireUp():
                self._ask_wire()
            case ServerUp():
                self._ledger.server_address = message.address
                self._watch_idle()
            case ServerDown():
                self._ledger.server_address = None
            case TryAgain():
                self._try_again(message.call_id)
            case Expire():
                self._expire(message)
                # Not yet: a place that this has freed is not for a call whose deadline
                # has come as well. Timers that are due go before messages.
                self.actor_ref.cast(SendWhatMayBeSent())
                return None
            case SendWhatMayBeSent():
                pass
            case LookAgain():
                self._look_again()
            case CheckIdle():
                self._check_idle()
            case _:
                assert_never(message)
        self._pump()
        return None

    # Callers.

    def _submit(self, message: Submit) -> Any:
        call, ledger = message.call, self._ledger
        token = self.reply_token()
        ended = ledger.ended(call)
        if ended is not None:
            ended.paid = _answer(token, ended.outcome, shared=ended.paid) or ended.paid
            return NO_REPLY
        self._waiters.setdefault(call.id, {})[message.waiter] = token
        if call.id not in ledger.calls:
            ledger.add(call, self._now())
        if call.deadline is not None:
            due = call.deadline - self._now()
            expire = Expire(call_id=call.id, waiter=message.waiter)
            if due <= 0:
                self._expire(expire)
            else:
                self.send_after(due, expire)
        self._pump()
        return NO_REPLY

    def _withdraw(self, message: Withdraw) -> None:
        error = LMCancelledError("the call was withdrawn")
        self._leave(message.call_id, message.waiter, error)

    def _expire(self, message: Expire) -> None:
        entry = self._ledger.calls.get(message.call_id)
        if entry is None or message.waiter not in self._waiters.get(entry.call.id, {}):
            return
        text = (
            f"no answer from {self._label} within the call's deadline "
            f"({entry.stage.value.replace('_', ' ')}, {entry.sent} requests sent). "
            "Give it a longer deadline, or find out why the provider is slow."
        )
        error = LMTimeoutError(text, model=self._label, attempts=entry.sent)
        self._leave(message.call_id, message.waiter, error)

    def _leave(self, call_id: str, waiter: str, error: LMError) -> None:
        """Let one caller go; with the last of them goes the call.

        That is no outcome: whoever else wants the answer asks for it anew.
        """
        waiters = self._waiters.get(call_id, {})
        token = waiters.pop(waiter, None)
        if token is not None:
            token.fail(error)
        entry = self._ledger.calls.get(call_id)
        if waiters or entry is None:
            return
        self._waiters.pop(call_id, None)
        if entry.stage is Stage.IN_FLIGHT:
            self._break_off(entry)
        self._close(entry)

    def _break_off(self, entry: OpenCall) -> None:
        attempt = self._ledger.returned(entry)
        self._wire.cast(BreakOff(request_id=attempt.request_id))
        entry.lane.gate.record(attempt.permit, Verdict.NEUTRAL, self._now())
        self._tell(entry, attempt, Fate.CANCELLED)

    def _finish(self, entry: OpenCall, outcome: Outcome) -> None:
        """Give a call its outcome."""
        call, ledger = entry.call, self._ledger
        self._close(entry)
        if isinstance(outcome, LMError):
            outcome.attempts = entry.sent
        else:
            outcome = replace(outcome, attempts=entry.sent)
        if call.cacheable:
            self._listener(call.id, outcome)
        paid = False
        for token in self._waiters.pop(call.id, {}).values():
            paid = _answer(token, outcome, shared=paid) or paid
        ledger.keep(call.id, outcome, paid=paid)

    def _close(self, entry: OpenCall) -> None:
        self._ledger.close(entry, self._now())
        if not self._ledger.calls:
            self._watch_idle()

    # The wire.

    def _pump(self) -> None:
        """Send what may be sent."""
        ledger = self._ledger
        if ledger.needs_server and ledger.server_address is None:
            if ledger.calls:
                self._wake_server()
            return
        for lane in ledger.lanes.values():
            self._pump_lane(lane)

    def _pump_lane(self, lane: Lane) -> None:
        ledger = self._ledger
        while lane.queue and ledger.in_flight < self._options.max_in_flight:
            now = self._now()
            permit = lane.gate.admit(now)
            if isinstance(permit, Refused):
                self._wait_for_gate(lane, permit, now)
                return
            entry = ledger.calls[lane.queue.popleft()]
            if not self._send(entry, permit):
                lane.gate.record(permit, Verdict.NEUTRAL, now)
                ledger.requeue(entry, first=True)
                return

    def _send(self, entry: OpenCall, permit: Permit) -> bool:
        """Send one request; `False` when there is no wire now (it says when it is)."""
        ledger, call = self._ledger, entry.call
        ledger.numbers += 1
        attempt = OpenAttempt(
            request_id=uuid.uuid4().hex,
            number=ledger.numbers,
            permit=permit,
            started=self._now(),
        )
        message = Send(
            request_id=attempt.request_id,
            idempotency_key=entry.idempotency_key,
            request=call.request,
            endpoint=self._place(),
            label=self._label,
            read_timeout=call.attempt_timeout,
        )
        ledger.send(entry, attempt)
        self._tell(entry, attempt, Fate.OPEN)
        if self._wire.cast(message):
            return True
        ledger.returned(entry)
        self._tell(entry, attempt, Fate.RESTARTED)
        entry.sent -= 1
        return False

    def _place(self) -> Endpoint:
        """The endpoint, at the address where a local server listens now."""
        address = self._ledger.server_address
        if address is None:
            return self._endpoint
        return replace(self._endpoint, base_url=f"{address}/v1")

    def _ask_wire(self) -> None:
        self._wire.cast(Report(up_to=self._ledger.numbers))

    def _reconcile(self, standing: Standing) -> None:
        """What we think is out and the wire does not have was lost with an old wire."""
        for call_id in tuple(self._ledger.by_attempt.values()):
            entry = self._ledger.calls[call_id]
            attempt = entry.attempt
            if attempt is None or attempt.number > standing.up_to:
                continue
            if attempt.request_id not in standing.open:
                self._lost(entry)

    def _book(self, sent: Sent) -> None:
        """Take an outcome from the wire, which keeps it until then."""
        call_id = self._ledger.by_attempt.get(sent.request_id)
        if call_id is not None:
            self._judge(self._ledger.calls[call_id], sent)
        self._wire.cast(Taken(request_id=sent.request_id))

    def _judge(self, entry: OpenCall, sent: Sent) -> None:
        outcome = sent.outcome
        if self._broken_by_server(outcome):
            self._lost(entry)
            return
        attempt = self._ledger.returned(entry)
        now = self._now()
        if isinstance(outcome, Reply):
            entry.lane.gate.record(attempt.permit, Verdict.SUCCESS, now)
            self._tell(
                entry, attempt, Fate.ANSWERED, sends=sent.sends, usage=outcome.usage
            )
            self._finish(entry, outcome)
            return
        verdict = verdict_of(outcome)
        entry.lane.gate.record(attempt.permit, verdict, now)
        self._tell(entry, attempt, Fate.FAILED, error=outcome, sends=sent.sends)
        if verdict is Verdict.FAILURE:
            entry.lane.last_error = outcome
            if attempt.permit.is_probe and outcome.retryable:
                # Sent to see whether the provider is back; that is not its fault.
                self._ledger.requeue(entry, first=True)
                return
        entry.charged += 1
        self._decide(entry, outcome, now)

    def _decide(self, entry: OpenCall, error: LMError, now: float) -> None:
        decision = retry.decide(
            error,
            entry.charged,
            entry.call.retries,
            now=now,
            deadline=entry.call.deadline,
            jitter=self._jitter(),
        )
        match decision:
            case retry.RetryIn():
                self._back_off(entry, decision.seconds)
            case retry.GiveUp():
                self._finish(entry, decision.error)

    def _back_off(self, entry: OpenCall, seconds: float) -> None:
        entry.stage = Stage.BACKING_OFF
        entry.not_before = self._now() + seconds
        self.send_after(seconds, TryAgain(call_id=entry.call.id))

    def _try_again(self, call_id: str) -> None:
        entry = self._ledger.calls.get(call_id)
        if entry is not None and entry.stage is Stage.BACKING_OFF:
            self._ledger.requeue(entry, first=True)

    def _lost(self, entry: OpenCall) -> None:
        """A request was lost to a restart of ours: send again, charged to nobody."""
        attempt = self._ledger.returned(entry)
        entry.lane.gate.record(attempt.permit, Verdict.NEUTRAL, self._now())
        self._tell(entry, attempt, Fate.RESTARTED)
        entry.restarts += 1
        if entry.restarts > MAX_RESTARTS:
            text = (
                f"the call was lost {entry.restarts} times to restarts of dspex's own "
                "parts or of the local model server; see the log for why they restart."
            )
            self._finish(entry, LMConnectionError(text, model=self._label))
        elif self._ledger.needs_server:
            self._back_off(entry, RESTART_PAUSE)
        else:
            self._ledger.requeue(entry, first=True)

    # Breaker and server.

    def _wait_for_gate(self, lane: Lane, refused: Refused, now: float) -> None:
        down_since = lane.gate.open_since
        over_at = (now if down_since is None else down_since) + self._options.max_outage
        if now >= over_at:
            self._fail_lane(lane)
            return
        # With a probe on its way, its outcome is the next occasion to look, unless it
        # takes so long that the outage is over before.
        look_at = min(over_at, now + refused.retry_in if refused.retry_in else over_at)
        if look_at < lane.next_look:
            lane.next_look = look_at
            self.send_after(look_at - now, LookAgain())

    def _look_again(self) -> None:
        for lane in self._ledger.lanes.values():
            lane.next_look = math.inf

    def _void_lost_permits(self) -> None:
        """A probe whose client died before it sent it would hold its gate for ever."""
        attempts = (
            (entry.lane, entry.attempt) for entry in self._ledger.calls.values()
        )
        probed = {lane for lane, sent in attempts if sent and sent.permit.is_probe}
        for lane in self._ledger.lanes.values():
            half_open = lane.gate.state(self._now()) is GateState.HALF_OPEN
            if half_open and lane not in probed:
                lane.gate.void_permits()

    def _fail_lane(self, lane: Lane) -> None:
        cause = lane.last_error
        for call_id in tuple(lane.queue):
            text = (
                f"{self._label} has been down for more than "
                f"{self._options.max_outage:g} s; the last error was: {cause}"
            )
            error = CircuitOpenError(text, model=self._label)
            error.__cause__ = cause
            self._finish(self._ledger.calls[call_id], error)

    def _broken_by_server(self, outcome: Outcome) -> bool:
        return self._ledger.needs_server and isinstance(outcome, LMConnectionError)

    def _wake_server(self) -> None:
        if self._server is not None:
            self._server.cast(WakeServer())

    def _watch_idle(self) -> None:
        if self._ledger.needs_server:
            self.send_after(self._options.idle_after, CheckIdle())

    def _check_idle(self) -> None:
        ledger = self._ledger
        quiet = self._now() - ledger.last_activity
        if ledger.calls or self._server is None or ledger.server_address is None:
            return
        if quiet >= self._options.idle_after:
            ledger.server_address = None
            self._server.cast(SleepServer())

    # Small things.

    def _now(self) -> float:
        return self.surroundings.clock.monotonic()

    def _tell(
        self,
        entry: OpenCall,
        attempt: OpenAttempt,
        fate: Fate,
        *,
        error: LMError | None = None,
        sends: int = 1,
        usage: Usage = _NO_USAGE,
    ) -> None:
        record = AttemptRecord(
            request_id=attempt.request_id,
            call_id=entry.call.id,
            number=entry.sent,
            fate=fate,
            error=None if error is None else type(error).__name__,
            sends=sends,
            usage=usage,
            tags=entry.call.tags,
        )
        seconds = self._now() - attempt.started
        self.surroundings.events.emit(ATTEMPT, {"duration": seconds}, record=record)


def _answer(token: ReplyToken, outcome: Outcome, *, shared: bool) -> bool:
    """Answer one caller; whether it was there to take it.

    Args:
        token: The caller's.
        outcome: Of the call.
        shared: Whether another caller pays, so that sums over replies are right.
    """
    if isinstance(outcome, LMError):
        return token.fail(_to_raise(outcome))
    if shared:
        outcome = replace(outcome, cached=True, attempts=0, usage=_NO_USAGE)
    return token.reply(outcome)


def _to_raise(error: LMError) -> LMError:
    """A copy: raising an error ties it to the frames of whoever raises it."""
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin
