"""What the fake provider does with each request, on its own event loop.

The bill is the one thing two threads share; it has its own lock. Everything else here
belongs to the loop's thread.
"""

from __future__ import annotations

import asyncio
import json
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, assert_never

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

Fate = Literal["open", "answered", "cut", "gone"]
"""How an exchange ended: not yet; with its whole answer (a refusal is an answer too);
broken off by the provider; given up by the client."""

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """One request the provider received."""

    number: int
    """Counted from 1, in the order received."""
    request_id: str | None
    """The `X-Client-Request-Id` header."""
    idempotency_key: str | None
    """The `Idempotency-Key` header."""
    path: str
    """The path that was asked for."""
    headers: Mapping[str, str] = field(repr=False)
    """All headers, names in lower case. Not part of the `repr`: it holds the key."""
    body: Mapping[str, Any]
    """The request's JSON; empty when it was not a JSON object."""
    received_at: float
    """The provider's monotonic clock when the request was whole."""
    status: int | None = None
    """The status that was sent, or `None` while or when there was none."""
    fate: Fate = "open"
    """How the exchange ended."""


class Bill:
    """Every request received, with its fate; safe to read from any thread."""

    def __init__(self) -> None:
        # Protects the entries and both counters, and wakes `wait`.
        self._changed = threading.Condition()
        self._entries: list[Billed] = []
        self._in_flight = 0
        self._in_flight_max = 0

    def snapshot(self) -> tuple[Billed, ...]:
        """Return the bill as it stands."""
        with self._changed:
            return tuple(self._entries)

    @property
    def received(self) -> int:
        """Requests received so far."""
        with self._changed:
            return len(self._entries)

    @property
    def in_flight(self) -> int:
        """Requests received and not yet ended."""
        with self._changed:
            return self._in_flight

    @property
    def in_flight_max(self) -> int:
        """The most requests that were in flight at one time."""
        with self._changed:
            return self._in_flight_max

    def open(self, exchange: Exchange, body: Mapping[str, Any], now: float) -> Billed:
        """Put a request on the bill."""
        with self._changed:
            entry = Billed(
                number=len(self._entries) + 1,
                request_id=exchange.headers.get("x-client-request-id"),
                idempotency_key=exchange.headers.get("idempotency-key"),
                path=exchange.path,
                headers=exchange.headers,
                body=body,
                received_at=now,
            )
            self._entries.append(entry)
            self._in_flight += 1
            self._in_flight_max = max(self._in_flight_max, self._in_flight)
            self._changed.notify_all()
            return entry

    def close(self, number: int, status: int | None, fate: Fate) -> None:
        """Write down how a request ended. The first ending counts."""
        with self._changed:
            entry = self._entries[number - 1]
            if entry.fate == "open":
                ended = replace(entry, status=status, fate=fate)
                self._entries[number - 1] = ended
                self._in_flight -= 1
                self._changed.notify_all()

    def wait(self, ready: Callable[[Bill], bool], timeout: float) -> bool:
        """Wait until `ready` is true of this bill, at most `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: ready(self), timeout)


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
        billed = self.bill.open(exchange, _parse(exchange.body), self._loop.time())
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
        exchange.send(response(200, _JSON, _dump(body)), then=exchange.done)

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
            return 404, _JSON, _dump({"error": {"message": message}})
        try:
            return 200, _JSON, _dump(completion(billed, self._answer))
        except Exception as error:  # noqa: BLE001 - the answer function is the test's own; the server lives on
            message = f"the answer function raised {error!r}"
            return 500, _JSON, _dump({"error": {"message": message}})

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
                self._reply(work, 200, _JSON, _dump(body))
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
        left = iter([body[at : at + 1] for at in range(len(body))])

        def drip() -> None:
            if work.ended:
                return
            byte = next(left, None)
            if byte is None:
                self._end(work, status, "answered")
                work.exchange.done()
            else:
                work.exchange.send(byte, then=_nothing)
                work.timer = self._loop.call_later(interval, drip)

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


def completion(billed: Billed, answer: Answer) -> dict[str, Any]:
    """Put an answer into the shape of OpenAI's chat completions."""
    messages = billed.body.get("messages", [])
    answers = [answer(messages) for _ in range(billed.body.get("n") or 1)]
    whole = next((body for body in answers if isinstance(body, dict)), None)
    if whole is not None:
        return whole
    texts = [str(text) for text in answers]
    prompt = _count_words(str(turn.get("content", "")) for turn in messages)
    written = _count_words(texts)
    return {
        "id": f"chatcmpl-{billed.number}",
        "object": "chat.completion",
        "model": billed.body.get("model", "fake"),
        "choices": [_choice(index, text) for index, text in enumerate(texts)],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
        },
    }


def error_body(fault: Status) -> bytes:
    """Put a refusal into the shape of OpenAI's errors."""
    error = {"message": fault.message, "type": fault.kind, "code": fault.code}
    return _dump({"error": error})


def gzip_bomb(size: int) -> bytes:
    """Pack `size` zero bytes without ever holding them all."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(64 * 1024)
    packed = [packer.compress(block) for _ in range(size // len(block))]
    return b"".join(
        [*packed, packer.compress(bytes(size % len(block))), packer.flush()]
    )


def _choice(index: int, text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"index": index, "message": message, "finish_reason": "stop"}


def _count_words(texts: Iterable[str]) -> int:
    return sum(len(text.split()) for text in texts)


def _parse(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _dump(body: object) -> bytes:
    return json.dumps(body).encode()


def _nothing() -> None:
    """There is nothing to do once a dripped byte is out."""
