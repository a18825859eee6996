"""What the fake provider does with each request, on its own event loop.

It lets requests in, queues them, and carries out what was planned. Everything here
belongs to the loop's thread; only the bill is shared.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from dspex.testing._bill import Bill, Billed, Fate
from dspex.testing._bill import Ending as BillEnding
from dspex.testing._dialect import Dialect, Event, dump
from dspex.testing._http_server import Exchange, response
from dspex.testing._plan import NOTHING_PLANNED, Ending, Plan, Planner
from dspex.testing._responses import (
    ANTHROPIC,
    GEMINI,
    JSON,
    OPENAI,
    Asked,
    read,
)
from dspex.testing._rules import Rule, Script
from dspex.testing.faults import Fault
from dspex.testing.rate_limit import Limiter, RateLimit, too_many

# `json.loads` guesses the encoding first, each time.
_decode = json.JSONDecoder().decode


@dataclass(slots=True, kw_only=True)
class Work:
    """One exchange on its way through the provider."""

    exchange: Exchange
    """The connection's side of it."""
    billed: Billed
    """Its entry on the bill, as it was when it came."""
    asked: Asked
    """What is asked."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers its response gets, whatever it is."""
    fault: Fault | None = None
    """What it meets instead of an answer."""
    limited: bool = False
    """Whether the rate limit refused it."""
    plan: Plan | None = None
    """What is being sent."""
    tokens: int = 0
    """Tokens of the completion that were sent."""
    timer: asyncio.Handle | None = None
    """What happens next."""
    working: bool = False
    """Whether it has a slot."""
    ended: bool = False
    """Whether it is off the bill's open entries."""


class Service:
    """Limits, queue, slots, faults and answers of one fake provider."""

    def __init__(
        self,
        *,
        bill: Bill,
        planner: Planner,
        latency: Callable[[int], float],
        slots: int | None,
        api_key: str | None,
        limit: RateLimit | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.bill = bill
        self.rules: list[Rule | Script] = []
        self._planner = planner
        self._latency = latency
        self._slots = slots
        self._api_key = api_key
        self._limiter: Limiter | None = None
        self._loop = loop
        self._open: dict[int, Work] = {}
        self._waiting: deque[Work] = deque()
        self._received = 0
        self._working = 0
        self._starting = False
        self._paused = False
        self.set_limit(limit)

    def set_limit(self, limit: RateLimit | None) -> None:
        """Hold callers to another limit, of which nothing has been taken yet."""
        now = self._loop.time()
        self._limiter = None if limit is None else Limiter(limit, now=now)

    def pause(self) -> None:
        """Start no work from now on; requests are still taken."""
        self._paused = True

    def resume(self) -> None:
        """Work on what has been waiting."""
        self._paused = False
        self._start_waiting()

    def cut_all(self) -> None:
        """Write down that the provider breaks off everything it has open."""
        self._waiting.clear()
        for work in list(self._open.values()):
            self._end(work, "cut")

    def on_request(self, exchange: Exchange) -> None:
        """Bill a request and start on it when there is a free slot."""
        if exchange.method == "GET":
            self._answer_get(exchange)
            return
        body = parse(exchange.body)
        self._received += 1
        asked = read(self._received, exchange.path, body)
        billed = self.bill.open(
            exchange, body, self._loop.time(), streamed=asked.is_streamed
        )
        work = Work(exchange=exchange, billed=billed, asked=asked)
        self._open[billed.number] = work
        exchange.on_gone = lambda: self._end(work, "gone")
        work.headers = {"X-Request-Id": f"req-{billed.number}"}
        if self._limiter is not None and self._has_key(work):
            self._hold_to_limit(work, self._limiter)
        if not work.limited:
            self._waiting.append(work)
            self._start_waiting()

    def _answer_get(self, exchange: Exchange) -> None:
        path = exchange.path.partition("?")[0]
        if not path.endswith("/models"):
            sent = response(200, JSON, dump({"status": "ok"}))
        else:
            dialect = _dialect_of_list(path, exchange.headers)
            names = self._planner.responder.models or ("fake",)
            status, body = 200, dialect.models(names)
            if self._api_key not in (None, dialect.key(exchange.headers)):
                status = dialect.wrong_key.status
                body = dialect.refusal(dialect.wrong_key)
            sent = response(status, JSON, dump(body))
        exchange.send(sent, then=exchange.done)

    def _hold_to_limit(self, work: Work, limiter: Limiter) -> None:
        limit, dialect = limiter.limit, work.asked.dialect
        verdict = limiter.judge(tokens=work.asked.weight, now=self._loop.time())
        wall_clock = time.time()
        if limit.announce:
            work.headers = {**work.headers, **dialect.limits(verdict, wall_clock)}
        if verdict.wait is not None:
            work.limited = True
            work.fault = too_many(limit, verdict.wait, wall_clock)
            self._carry_out(work)

    def _start_waiting(self) -> None:
        # An answer without latency ends inside `_start` and comes back here; the flag
        # makes that a loop instead of a recursion as deep as the queue.
        if self._starting:
            return
        self._starting = True
        while self._waiting and not self._paused and self._slot_is_free():
            work = self._waiting.popleft()
            if not work.ended:
                self._start(work)
        self._starting = False

    def _slot_is_free(self) -> bool:
        return self._slots is None or self._working < self._slots

    def _start(self, work: Work) -> None:
        work.working = True
        self._working += 1
        delay = self._latency(work.billed.number)
        if delay > 0:
            work.timer = self._loop.call_later(delay, self._act, work)
        else:
            self._act(work)

    def _act(self, work: Work) -> None:
        now = self._loop.time()
        for rule in self.rules:
            work.fault = rule.take(work.billed, now)
            if work.fault is not None:
                break
        if work.fault is None and not self._has_key(work):
            work.fault = work.asked.dialect.wrong_key
        self._carry_out(work)

    def _has_key(self, work: Work) -> bool:
        if self._api_key is None:
            return True
        return work.asked.dialect.key(work.billed.headers) == self._api_key

    def _carry_out(self, work: Work) -> None:
        work.plan = self._planner.plan(work.asked, work.fault, work.headers)
        self._go_on(work, next(work.plan.parts, None))

    def _go_on(self, work: Work, part: Event | None) -> None:
        if work.ended or work.plan is None:
            return
        if part is None:
            self._finish(work, work.plan)
            return
        work.tokens += part.tokens
        work.exchange.send(part.data, then=lambda: self._sent(work))

    def _sent(self, work: Work) -> None:
        """Send the next part once the client has taken this one."""
        if work.ended or work.plan is None:
            return
        part = next(work.plan.parts, None)
        if part is None:
            self._finish(work, work.plan)
        elif work.plan.interval > 0:
            interval = work.plan.interval
            work.timer = self._loop.call_later(interval, self._go_on, work, part)
        else:
            # Not at once: a long stream would be a recursion as deep, and would let
            # nobody else have a turn.
            work.timer = self._loop.call_soon(self._go_on, work, part)

    def _finish(self, work: Work, plan: Plan) -> None:
        match plan.ending:
            case Ending.WHOLE:
                self._end(work, "answered")
                work.exchange.done()
            case Ending.BROKEN:
                self._end(work, "cut")
                work.exchange.done()
            case Ending.CLOSE:
                self._end(work, "cut")
                work.exchange.close()
            case Ending.RESET:
                self._end(work, "cut")
                work.exchange.reset()
            case Ending.SILENCE:
                pass
            case _:
                assert_never(plan.ending)

    def _end(self, work: Work, fate: Fate) -> None:
        if work.ended:
            return
        work.ended = True
        del self._open[work.billed.number]
        if work.timer is not None:
            work.timer.cancel()
        self.bill.close(work.billed.number, self._ending(work, fate))
        if work.working:
            self._working -= 1
            self._start_waiting()

    def _ending(self, work: Work, fate: Fate) -> BillEnding:
        plan = work.plan or NOTHING_PLANNED
        usage = plan.usage
        if usage.completion_tokens != work.tokens:
            usage = replace(usage, completion_tokens=work.tokens)
        return BillEnding(
            fate=fate,
            at=self._loop.time(),
            status=plan.status,
            fault=work.fault,
            limited=work.limited,
            usage=usage,
        )


def parse(body: bytes) -> Mapping[str, Any]:
    """Read a request's body; empty when it is no JSON object."""
    try:
        parsed = _decode(body.decode())
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _dialect_of_list(path: str, headers: Mapping[str, str]) -> Dialect:
    """Find out whose list of models is asked for."""
    if "/v1beta/" in path:
        return GEMINI
    return ANTHROPIC if "anthropic-version" in headers else OPENAI
