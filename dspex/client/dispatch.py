"""Who may go now: from the queue to the wire, past breaker, limits and budgets."""

from __future__ import annotations

import math
from dataclasses import replace

from dspex.client.budget import Held, reserve_all
from dspex.client.desk import Desk
from dspex.client.gate import GateState, Permit, Refused, Verdict
from dspex.client.ledger import Lane, OpenAttempt, OpenCall
from dspex.client.limits import WaitReason
from dspex.client.messages import LookAgain
from dspex.client.providers.endpoint import Endpoint
from dspex.client.wire import Send
from dspex.core.errors import BudgetExceededError, CircuitOpenError, LMRateLimitError
from dspex.core.events import LIMITER_WAIT

UNPROVEN = 4
"""Requests out at a time until the provider has taken the key once: a wrong one costs
a handful of requests and not one for each call."""
PROVEN_AFTER = 2.0
"""Seconds after which a request that is still out counts as proof: a key is refused at
once, while an answer may take minutes."""

LOOKED_PAST = 16
"""Calls without room in their budget that one with room may pass; to look past all of
a long queue at each answer would cost more than the answers."""


class Dispatcher:
    """Sends what may be sent, and asks to be reminded of the rest.

    Args:
        desk: The calls.
        endpoint: Where they go; a local server's address comes from the ledger.
        has_key: Whether a key is sent, which the provider may refuse.
    """

    def __init__(self, desk: Desk, endpoint: Endpoint, *, has_key: bool) -> None:
        self._desk = desk
        self._ledger = desk.ledger
        self._outside = desk.outside
        self._endpoint = endpoint
        self._address: str | None = None
        self._has_key = has_key
        self._prepared: list[tuple[OpenCall, Send]] = []

    def pump(self) -> None:
        """Send what may be sent."""
        ledger = self._ledger
        if ledger.needs_server and ledger.server_address is None:
            if ledger.calls:
                self._outside.wake_server()
            return
        for lane in ledger.lanes_in_turn():
            if lane.queue:
                self._pump_lane(lane)
        self._send_prepared()

    def look_again(self) -> None:
        """Note that no timer will look at any lane."""
        for lane in self._ledger.lanes.values():
            lane.next_look = math.inf

    def void_lost_permits(self) -> None:
        """A probe whose client died before it sent it would hold its gate for ever."""
        attempts = (
            (entry.lane, entry.attempt) for entry in self._ledger.calls.values()
        )
        probed = {lane for lane, sent in attempts if sent and sent.permit.is_probe}
        for lane in self._ledger.lanes.values():
            half_open = lane.gate.state(self._outside.now()) is GateState.HALF_OPEN
            if half_open and lane not in probed:
                lane.gate.void_permits()

    def check_idle(self) -> None:
        """Let the local server sleep when nobody has called for a while."""
        ledger = self._ledger
        if ledger.calls or ledger.server_address is None:
            return
        quiet = self._outside.now() - ledger.last_activity
        if quiet >= ledger.options.idle_after:
            ledger.server_address = None
            self._outside.rest_server()

    def _pump_lane(self, lane: Lane) -> None:
        # Calls whose budget has no room now; they let others go before them.
        held: list[OpenCall] = []
        while len(held) < LOOKED_PAST and self._ledger.in_flight < self._places(lane):
            call_id = lane.queue.peek()
            if call_id is None:
                break
            entry = self._ledger.calls[call_id]
            request_id = self._outside.new_id()
            permit = self._admitted(entry, request_id)
            if permit is None:
                if call_id in self._ledger.calls:
                    break
                continue
            lane.queue.pop()
            if self._is_affordable(entry, request_id, permit):
                self._prepare(entry, request_id, permit)
            elif entry.call.id in self._ledger.calls:
                held.append(entry)
        for entry in reversed(held):
            self._ledger.requeue(entry)

    def _places(self, lane: Lane) -> int:
        ledger, most = self._ledger, self._ledger.options.max_in_flight
        if ledger.proven or not self._has_key or ledger.in_flight < UNPROVEN:
            return most
        now = self._outside.now()
        proven_at = self._longest_out() + PROVEN_AFTER
        if now < proven_at:
            self._look_at(lane, proven_at, now)
            return min(most, UNPROVEN)
        ledger.proven = True
        return most

    def _longest_out(self) -> float:
        """When the oldest request that is out was sent."""
        call_id = next(iter(self._ledger.by_attempt.values()))
        attempt = self._ledger.calls[call_id].attempt
        return self._outside.now() if attempt is None else attempt.started

    def _admitted(self, entry: OpenCall, request_id: str) -> Permit | None:
        """Ask breaker and limits; without a permit, a timer or an outcome looks.

        A call that the provider puts off for longer than it may sleep is ended.
        """
        lane, now = entry.lane, self._outside.now()
        permit = lane.admit(now)
        if isinstance(permit, Refused):
            self._wait_for_gate(lane, permit, now)
            return None
        wait = lane.limiter.admit(request_id, entry.tokens, now)
        if wait is None:
            return permit
        lane.gate.record(permit, Verdict.NEUTRAL, now)
        longest = entry.call.retries.longest_retry_after
        if wait.reason is WaitReason.PAUSED and wait.seconds > longest:
            self._desk.finish(entry, _put_off(self._desk.label, wait.seconds, longest))
        elif wait.seconds < math.inf and self._look_at(lane, now + wait.seconds, now):
            self._outside.tell(
                LIMITER_WAIT,
                {"seconds": wait.seconds},
                label=self._desk.label,
                model=lane.model,
                reason=wait.reason,
            )
        return None

    def _is_affordable(self, entry: OpenCall, request_id: str, permit: Permit) -> bool:
        """Ask the call's budgets; one that is used up ends the call."""
        if not entry.call.budgets:
            return True
        try:
            answer = reserve_all(
                entry.call.budgets,
                request_id,
                tokens=entry.tokens,
                dollars=entry.cost,
                when_freed=self._outside.pump_soon,
            )
        except BudgetExceededError as error:
            self._desk.give_back(entry, request_id, permit)
            self._desk.finish(entry, error)
            return False
        if isinstance(answer, Held):
            self._desk.give_back(entry, request_id, permit)
            return False
        return True

    def _prepare(self, entry: OpenCall, request_id: str, permit: Permit) -> None:
        """Book a request as sent; the wire gets those of one pump together."""
        ledger, call = self._ledger, entry.call
        ledger.numbers += 1
        attempt = OpenAttempt(
            request_id=request_id,
            number=ledger.numbers,
            permit=permit,
            started=self._outside.now(),
            configuration=ledger.configuration,
        )
        self._desk.opened(entry, attempt)
        send = Send(
            request_id=request_id,
            idempotency_key=entry.idempotency_key,
            request=call.request,
            endpoint=self._place(),
            label=self._desk.label,
            read_timeout=call.attempt_timeout,
            channel=call.channel,
            stale_key=entry.stale_key,
        )
        self._prepared.append((entry, send))

    def _send_prepared(self) -> None:
        prepared, self._prepared = self._prepared, []
        if not prepared:
            return
        if not self._outside.transmit(tuple(send for _, send in prepared)):
            # There is no wire now; it says when it is here.
            for entry, _ in reversed(prepared):
                self._desk.not_written(entry)
                self._ledger.requeue(entry)

    def _place(self) -> Endpoint:
        """The endpoint, at the address where a local server listens now."""
        address = self._ledger.server_address
        if address is not None and address != self._address:
            # Made once for each address: an endpoint checks its URL, which takes time.
            self._address = address
            self._endpoint = replace(self._endpoint, base_url=f"{address}/v1")
        return self._endpoint

    def _wait_for_gate(self, lane: Lane, refused: Refused, now: float) -> None:
        down_since = lane.gate.open_since
        began = now if down_since is None else down_since
        over_at = began + self._ledger.options.max_outage
        if now >= over_at:
            self._fail_lane(lane, refused.retry_in)
            return
        # With a probe on its way, its outcome is the next occasion to look, unless it
        # takes so long that the outage is over before.
        retry_at = now + refused.retry_in if refused.retry_in else over_at
        self._look_at(lane, min(over_at, retry_at), now)

    def _look_at(self, lane: Lane, moment: float, now: float) -> bool:
        """Have somebody look by that moment; whether nobody was going to."""
        is_sooner = moment < lane.next_look
        if is_sooner:
            lane.next_look = moment
            self._outside.remind(moment - now, LookAgain())
        return is_sooner

    def _fail_lane(self, lane: Lane, retry_in: float) -> None:
        while (call_id := lane.queue.peek()) is not None:
            entry = self._ledger.calls[call_id]
            self._desk.finish(entry, self._outage(entry, retry_in))

    def _outage(self, entry: OpenCall, retry_in: float) -> CircuitOpenError:
        lane = entry.lane
        label, patience = self._desk.label, self._ledger.options.max_outage
        cause, now = lane.last_error, self._outside.now()
        began = lane.gate.open_since
        if lane.gate.view(now).held:
            why = "its breaker is held by hand. Let it go with set_circuit()."
        else:
            told = str(cause).rstrip(".")
            why = f"the last error was: {told}. It is looked at in {retry_in:.1f} s."
        error = CircuitOpenError(
            f"{label} has not been called for more than {patience:g} s; {why}",
            model=label,
            retry_in=retry_in,
            down_for=0.0 if began is None else now - began,
            # What only looked was not charged.
            only_waited=not entry.charged,
        )
        error.__cause__ = cause
        return error


def _put_off(label: str, seconds: float, longest: float) -> LMRateLimitError:
    return LMRateLimitError(
        f"{label} has asked for {seconds:.0f} s without a request, and at most "
        f"{longest:.0f} s are slept; `.retry_after` has the rest of it. Call later.",
        model=label,
        status=429,
        retry_after=seconds,
    )
