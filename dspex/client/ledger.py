"""What a provider's client knows, kept where its restarts cannot reach it.

Open calls, what each has used up, the breakers. The client actor decides; this module
only remembers, and has no thread and no clock.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

from dspex.client.call import AttemptRecord, Call, Fate, draw_ticket
from dspex.client.caution import Caution
from dspex.client.fair_queue import FairQueue
from dspex.client.gate import Gate, GateState, Permit, Refused, Verdict
from dspex.client.limits import Limiter, LimitPolicy
from dspex.client.options import ClientOptions
from dspex.client.prices import cost_of
from dspex.client.retry_budget import RetryBudget
from dspex.core.errors import LMError
from dspex.core.ids import new_id
from dspex.core.lm import Reply, Usage
from supervisors import Estate

_NOTHING = Usage()

ENDED = 1024
"""Outcomes kept for callers that are on their way back after a restart."""


class Stage(Enum):
    """Where an open call stands."""

    QUEUED = "queued"
    """Waiting for a place: the concurrency limit, an open breaker, a server."""
    IN_FLIGHT = "in_flight"
    """A request is out."""
    BACKING_OFF = "backing_off"
    """Waiting until it is tried again."""


class Lane:
    """The calls of one model at this endpoint: its queue, breaker and limits."""

    def __init__(self, model: str, options: ClientOptions) -> None:
        self.model = model
        """The model's name as the provider knows it."""
        self.gate = Gate(options.gate)
        """The breaker of this (endpoint, model)."""
        self.caution = Caution(options.gate.reset_after, options.gate.fail_max)
        """How many may be out after failures that do not open it."""
        self._max_in_flight = options.max_in_flight
        self.limits = options.limits
        """What the user allows in a minute."""
        self.limiter = Limiter(_limits(options, options.limits))
        """What may be sent when."""
        self.retry_budget = RetryBudget()
        """How many of the requests may be retries."""
        self.queue = FairQueue()
        """Ids of queued calls, next first."""
        self.last_error: LMError | None = None
        """The latest failure, to tell why the breaker is open."""
        self.next_look = math.inf
        """When a timer will look at this lane again."""
        self.told = GateState.CLOSED
        """The state of the breaker that was told last."""
        self.refusal: Refusal | None = None
        """Why the account is not served, while that was said a short time ago."""

    def admit(self, now: float) -> Permit | Refused:
        """Ask for the right to make one request; see `Gate.admit`."""
        pause = self.caution.wait(now)
        # The probe of an open breaker waits for nobody: what is out may never return.
        if pause and self.gate.state(now) is GateState.CLOSED:
            return Refused(pause)
        return self.gate.admit(now)

    def hear(self, attempt: OpenAttempt, verdict: Verdict, now: float) -> None:
        """Take what a request that returned tells of the provider's health."""
        self.gate.record(attempt.permit, verdict, now)
        if verdict is Verdict.SUCCESS:
            self.caution.answered(attempt.number)
        elif verdict is Verdict.FAILURE:
            self.caution.failed(now)
        if self.caution.is_spent:
            self.gate.trip(now)

    def is_doubted(self, now: float) -> bool:
        """Whether it is not known that the provider is well."""
        is_closed = self.gate.state(now) is GateState.CLOSED
        return not is_closed or self.caution.in_doubt > 0

    def obey(self, limits: LimitPolicy, options: ClientOptions, now: float) -> None:
        """Keep to other limits from now on; nothing happens when they are the same."""
        self.caution.look_every = options.gate.reset_after
        self.caution.fewest = options.gate.fail_max
        if limits != self.limits or options.max_in_flight != self._max_in_flight:
            self.limits = limits
            self._max_in_flight = options.max_in_flight
            self.limiter.reconfigure(_limits(options, limits), now)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The provider has refused the key or the account, not just one request."""

    error: LMError
    """What it said."""
    until: float
    """When the next call may ask again, in monotonic seconds."""


@dataclass(slots=True)
class OpenCall:
    """A call that has no answer yet."""

    # Invariant: `attempt` is set exactly in the stage IN_FLIGHT.
    call: Call
    lane: Lane
    stage: Stage = Stage.QUEUED
    attempt: OpenAttempt | None = None
    sent: int = 0
    """Requests sent, of any fate."""
    tokens: int = 0
    """What a request of it may take, for limits in tokens and for budgets."""
    cost: float | None = None
    """What that costs in dollars, if the price is known."""
    charged: int = 0
    """Requests that failed and count for the retry limit."""
    throttled: int = 0
    """Jams at the provider (429) that it met. A refusal that tells nothing new does not
    count, or the call at the front would pay for all that are needed to find a pace."""
    restarts: int = 0
    """Requests lost to our own restarts."""
    stale_key: int = 0
    """The number of a key that was refused: the next request needs a later one."""
    not_before: float = 0.0
    """When a call that backs off is due."""
    idempotency_key: str = field(default_factory=new_id)
    """The same for all its requests, and for no other call's: a cache key comes back
    when an answer was not kept, and must not get the old one from the provider."""

    def record(
        self,
        attempt: OpenAttempt,
        fate: Fate,
        *,
        usage: Usage | None = None,
        error: LMError | None = None,
        sends: int = 1,
        seconds: float = 0.0,
    ) -> AttemptRecord:
        """What the books say of one of its requests.

        Args:
            attempt: The request: the latest of this call.
            fate: What became of it.
            usage: What it cost; `None` when nobody knows.
            error: How it failed.
            sends: How often it was written.
            seconds: How long it took; 0 while it is open.
        """
        price = self.call.price
        return AttemptRecord(
            request_id=attempt.request_id,
            call_id=self.call.id,
            number=self.sent,
            fate=fate,
            error=None if error is None else type(error).__name__,
            sends=sends,
            usage=_NOTHING if usage is None else usage,
            cost=None if usage is None or price is None else cost_of(usage, price),
            seconds=seconds,
            configuration=attempt.configuration,
            tags=self.call.tags,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAttempt:
    """A request that is out."""

    request_id: str
    """Its id on the wire."""
    number: int
    """Order in which the branch sent it: the wire's reports are judged by it."""
    permit: Permit
    """The breaker's permission it was sent with."""
    started: float
    """When, in monotonic seconds."""
    configuration: int
    """Under which configuration it was sent."""


@dataclass(slots=True)
class Ended:
    """A call that is over."""

    outcome: Reply | LMError
    """How it ended."""
    paid: bool
    """Whether the caller who pays for it has it, so that others share it."""
    ticket: int = field(default_factory=draw_ticket)
    """Drawn at its end; callers with a lower one were there before."""


def _limits(options: ClientOptions, limits: LimitPolicy) -> LimitPolicy:
    """The limits of one model: what is in flight is counted for the whole branch."""
    return replace(limits, max_in_flight=options.max_in_flight)


class Ledger(Estate):
    """The memory of one provider branch."""

    def __init__(
        self, options: ClientOptions | None = None, *, needs_server: bool = False
    ) -> None:
        self.options = options or ClientOptions()
        """What the client works by."""
        self.configuration = 1
        """How many options there have been, these included."""
        self.lanes: dict[str, Lane] = {}
        """One per model."""
        self.calls: OrderedDict[str, OpenCall] = OrderedDict()
        """Open calls by id, oldest first."""
        self.by_attempt: dict[str, str] = {}
        """Call id by request id, for what is in flight."""
        self._ended: OrderedDict[str, Ended] = OrderedDict()
        self._turn = 0
        self.numbers = 0
        """Requests sent so far."""
        self.server_address: str | None = None
        """Where a local model server listens; `None` while there is none."""
        self.needs_server = needs_server
        """Whether calls are parked until `server_address` is known."""
        self.proven = False
        """Whether the provider has taken the key: until then few requests are out."""
        self.last_activity = 0.0
        """When the last call was submitted or ended."""

    @property
    def in_flight(self) -> int:
        """Requests that are out."""
        return len(self.by_attempt)

    @property
    def queued(self) -> int:
        """Calls that wait for a place."""
        return sum(len(lane.queue) for lane in self.lanes.values())

    def lane(self, model: str) -> Lane:
        """The lane of a model, new when it is called for the first time."""
        lane = self.lanes.get(model)
        if lane is None:
            lane = self.lanes[model] = Lane(model, self.options)
        return lane

    def lanes_in_turn(self) -> Iterator[Lane]:
        """All lanes, each time beginning with another, so that none is always last."""
        lanes = tuple(self.lanes.values())
        self._turn += 1
        first = self._turn % len(lanes) if lanes else 0
        return iter((*lanes[first:], *lanes[:first]))

    def add(self, call: Call, now: float) -> OpenCall:
        """Open a call and queue it last."""
        entry = OpenCall(call, self.lane(call.request.model))
        self.calls[call.id] = entry
        entry.lane.queue.push(call.id, share=call.share, priority=call.priority)
        self.last_activity = now
        return entry

    def requeue(self, entry: OpenCall) -> None:
        """Queue a call again, before all that were not out yet."""
        call = entry.call
        entry.stage = Stage.QUEUED
        entry.lane.queue.push(
            call.id, share=call.share, priority=call.priority, first=True
        )

    def send(self, entry: OpenCall, attempt: OpenAttempt) -> None:
        """Note that a request is out."""
        entry.stage = Stage.IN_FLIGHT
        entry.attempt = attempt
        entry.sent += 1
        self.by_attempt[attempt.request_id] = entry.call.id
        entry.lane.caution.sent(attempt.number, attempt.started)

    def returned(self, entry: OpenCall) -> OpenAttempt:
        """Note that a request is out no more."""
        attempt = entry.attempt
        if attempt is None:
            msg = f"call {entry.call.id!r} has no request out"
            raise AssertionError(msg)
        entry.attempt = None
        self.by_attempt.pop(attempt.request_id, None)
        entry.lane.caution.returned()
        return attempt

    def close(self, entry: OpenCall, now: float) -> None:
        """Forget a call that has its outcome or is not wanted."""
        self.calls.pop(entry.call.id, None)
        entry.lane.queue.remove(entry.call.id)
        self.last_activity = now

    def write_off(self, note: Callable[[AttemptRecord, float, Call], None]) -> None:
        """Count what is out as spent, when no client will ever hear of it again.

        The branch is over, and its budgets are not: others wait for their room.

        Args:
            note: Told of each request's end, of when it was sent, and of its call.
        """
        for entry in self.calls.values():
            attempt = entry.attempt
            if attempt is not None:
                for budget in entry.call.budgets:
                    budget.settle(attempt.request_id, usage=None, dollars=None)
                record = entry.record(attempt, Fate.RESTARTED)
                note(record, attempt.started, entry.call)

    def keep(self, call_id: str, outcome: Reply | LMError, *, paid: bool) -> None:
        """Keep an outcome for callers who were there but did not get it.

        Their client or their cache restarted at the wrong moment, and they are on the
        way back with the same call.
        """
        self._ended.pop(call_id, None)
        self._ended[call_id] = Ended(outcome, paid)
        while len(self._ended) > ENDED:
            self._ended.popitem(last=False)

    def ended(self, call: Call) -> Ended | None:
        """The end that came while the caller of `call` was waiting, if there is one."""
        ended = self._ended.get(call.id)
        return ended if ended is not None and call.ticket < ended.ticket else None
