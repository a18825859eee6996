"""What the fake provider does with each request, on its own event loop.

Everything here belongs to the loop's thread; only the bill is shared.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from dspex.testing._bill import Bill, Billed, Fate
from dspex.testing._bodies import completion, dump, error_body, gzip_bomb, parse
from dspex.testing._http_server import Exchange, response, response_head
from dspex.testing.answers import Answer
from dspex.testing.faults import (
    WRONG_KEY,
    CloseBeforeAnswer,
    Drip,
    Fault,
    GzipBomb,
    HalfBody,
    Hang,
    HugeBody,
    RawBody,
    Reset,
    Status,
)

_JSON = {"Content-Type": "application/json"}


@dataclass(slots=True)
class Rule:
    """A fault and the requests it is for."""

    fault: Fault
    applies: Callable[[Billed], bool]
    left: int | None
    """How many more times it acts; `None` is always."""

    def take(self, billed: Billed) -> bool:
        """Say whether this rule acts on a request, and count it."""
        if self.left == 0 or not self.applies(billed):
            return False
        if self.left is not None:
            self.left -= 1
        return True


@dataclass(slots=True)
class Work:
    """One exchange on its way through the provider."""

    exchange: Exchange
    billed: Billed
    timer: asyncio.TimerHandle | None = None
    working: bool = False
    ended: bool = False


class Service:
    """Queue, slots, faults and answers of one fake provider."""

    def __init__(
        self,
        *,
        answer: Answer,
        latency: Callable[[int], float],
        slots: int | None,
        api_key: str | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.bill = Bill()
        self.rules: list[Rule] = []
        self._answer = answer
        self._latency = latency
        self._slots = slots
        self._api_key = api_key
        self._loop = loop
        self._open: dict[int, Work] = {}
        self._waiting: deque[Work] = deque()
        self._working = 0
        self._starting = False
        self._paused = False

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
            self._end(work, None, "cut")

    def on_request(self, exchange: Exchange) -> None:
        """Bill a request and start on it when there is a free slot."""
        if exchange.method == "GET":
            self._answer_get(exchange)
            return
        billed = self.bill.open(exchange, parse(exchange.body), self._loop.time())
        work = Work(exchange, billed)
        self._open[billed.number] = work
        exchange.on_gone = lambda: self._end(work, None, "gone")
        self._waiting.append(work)
        self._start_waiting()

    def _answer_get(self, exchange: Exchange) -> None:
        body: object
        if exchange.path.endswith("/models"):
            body = {"object": "list", "data": [{"id": "fake", "object": "model"}]}
        else:
            body = {"status": "ok"}
        exchange.send(response(200, _JSON, dump(body)), then=exchange.done)

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
        rule = next((rule for rule in self.rules if rule.take(work.billed)), None)
        if rule is not None:
            self._misbehave(work, rule.fault)
        elif not self._has_key(work.billed):
            self._misbehave(work, WRONG_KEY)
        else:
            self._reply(work, *self._complete(work.billed))

    def _has_key(self, billed: Billed) -> bool:
        expected = f"Bearer {self._api_key}"
        return self._api_key is None or billed.headers.get("authorization") == expected

    def _complete(self, billed: Billed) -> tuple[int, Mapping[str, str], bytes]:
        if not billed.path.endswith("/chat/completions"):
            message = f"no such path: {billed.path}"
            return 404, _JSON, dump({"error": {"message": message}})
        try:
            return 200, _JSON, dump(completion(billed, self._answer))
        except Exception as error:  # noqa: BLE001 - the answer function is the test's own; the server lives on
            message = f"the answer function raised {error!r}"
            return 500, _JSON, dump({"error": {"message": message}})

    def _misbehave(self, work: Work, fault: Fault) -> None:
        match fault:
            case Hang():
                pass
            case CloseBeforeAnswer():
                self._end(work, None, "cut")
                work.exchange.close()
            case Reset():
                self._end(work, None, "cut")
                work.exchange.reset()
            case HalfBody():
                self._send_half(work)
            case Drip(interval=interval):
                self._start_drip(work, interval)
            case Status():
                headers = {**_JSON, **fault.headers}
                self._reply(work, fault.status, headers, error_body(fault))
            case RawBody():
                headers = {"Content-Type": fault.content_type}
                self._reply(work, fault.status, headers, fault.body)
            case GzipBomb(size=size):
                headers = {**_JSON, "Content-Encoding": "gzip"}
                self._reply(work, 200, headers, gzip_bomb(size))
            case HugeBody(size=size):
                body = completion(work.billed, lambda _messages: "x" * size)
                self._reply(work, 200, _JSON, dump(body))
            case _:
                assert_never(fault)

    def _reply(
        self, work: Work, status: int, headers: Mapping[str, str], body: bytes
    ) -> None:
        headers = {"X-Request-Id": f"req-{work.billed.number}", **headers}

        def sent() -> None:
            self._end(work, status, "answered")
            work.exchange.done()

        work.exchange.send(response(status, headers, body), then=sent)

    def _send_half(self, work: Work) -> None:
        status, headers, body = self._complete(work.billed)
        head = response_head(status, headers, len(body))
        self._end(work, status, "cut")
        half = head + body[: len(body) // 2]
        work.exchange.send(half, then=work.exchange.close)

    def _start_drip(self, work: Work, interval: float) -> None:
        status, headers, body = self._complete(work.billed)
        left = deque(body[at : at + 1] for at in range(len(body)))

        def drip() -> None:
            if work.ended:
                return
            byte = left.popleft()
            if left:
                work.exchange.send(byte, then=_nothing)
                work.timer = self._loop.call_later(interval, drip)
            else:
                work.exchange.send(byte, then=sent)

        def sent() -> None:
            self._end(work, status, "answered")
            work.exchange.done()

        work.exchange.send(response_head(status, headers, len(body)), then=drip)

    def _end(self, work: Work, status: int | None, fate: Fate) -> None:
        if work.ended:
            return
        work.ended = True
        del self._open[work.billed.number]
        if work.timer is not None:
            work.timer.cancel()
        self.bill.close(work.billed.number, status, fate)
        if work.working:
            self._working -= 1
            self._start_waiting()


def _nothing() -> None:
    """There is nothing to do once a dripped byte is out."""
