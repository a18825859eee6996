"""What to send for a request, and how the exchange ends: planned before a byte is out.

A fault is a change of the plan; nothing here sends anything.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain, repeat
from typing import assert_never

from dspex.core.lm import Usage
from dspex.testing._dialect import NO_TOKENS, Event
from dspex.testing._http_server import chunk, response_head
from dspex.testing._responses import (
    JSON,
    Asked,
    Responder,
    Response,
    chopped,
    in_chunks,
    packed,
    refusal,
)
from dspex.testing.faults import (
    Chunked,
    CloseBeforeAnswer,
    Drip,
    EndlessBody,
    Fault,
    GzipBomb,
    Gzipped,
    HalfBody,
    Hang,
    HugeBody,
    RawBody,
    Redirect,
    Reset,
    Status,
    StreamCut,
    StreamError,
    StreamFault,
    StreamStall,
    StreamUnfinished,
)

_WholeFault = Status | RawBody | GzipBomb | HugeBody | Redirect | Gzipped | Chunked
"""The faults whose response has an end, and reaches it."""

_BLOCK = b"x" * (64 * 1024)


class Ending(Enum):
    """What is done when everything planned has been sent."""

    WHOLE = "the answer is whole; the connection goes on"
    BROKEN = "the answer is not whole; the connection goes on all the same"
    CLOSE = "the connection is closed in the middle"
    RESET = "the connection is reset"
    SILENCE = "nothing more happens until the client goes away"


@dataclass(slots=True, kw_only=True)
class Plan:
    """What to send for one request."""

    parts: Iterator[Event]
    """The bytes, one part after the other; they may never end."""
    status: int | None = None
    """The status, `None` when none is sent."""
    interval: float = 0.0
    """Seconds between two parts."""
    ending: Ending = Ending.WHOLE
    """What follows the last part."""
    usage: Usage = NO_TOKENS
    """The tokens to be paid when all of it has been sent."""


NOTHING_PLANNED = Plan(parts=iter(()))
"""What there is of a request that was given up before its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans what to send. Holds what does not change from request to request."""

    responder: Responder
    """Knows what a provider says that works."""
    chunk_interval: float
    """Seconds between two events of a stream."""

    def plan(
        self, asked: Asked, fault: Fault | None, headers: Mapping[str, str]
    ) -> Plan:
        """Plan what to send for a request.

        Args:
            asked: The request.
            fault: What it is to meet; `None` is an answer.
            headers: Headers that every response gets.
        """
        match fault:
            case Hang():
                return _without_a_byte(Ending.SILENCE)
            case CloseBeforeAnswer():
                return _without_a_byte(Ending.CLOSE)
            case Reset():
                return _without_a_byte(Ending.RESET)
            case HalfBody():
                return _half(self._respond(asked), headers)
            case Drip(interval=interval):
                return _dripped(self._respond(asked), headers, interval)
            case EndlessBody():
                return _endless(self._respond(asked), headers)
            case StreamCut() | StreamStall() | StreamUnfinished() | StreamError():
                return self._cut_short(asked, fault, headers)
            case _:
                response = self._response(asked, fault)
        interval = self.chunk_interval if asked.is_streamed else 0.0
        return _plan(response, headers, response.rest(), interval=interval)

    def _response(
        self,
        asked: Asked,
        fault: Status
        | RawBody
        | GzipBomb
        | HugeBody
        | Redirect
        | Gzipped
        | Chunked
        | None,
    ) -> Response:
        match fault:
            case None:
                return self._respond(asked)
            case Status():
                return refusal(asked, fault)
            case RawBody(body=body, status=status):
                kind = {"Content-Type": fault.content_type}
                return Response(status=status, headers=kind, body=body)
            case GzipBomb(size=size):
                kind = {**JSON, "Content-Encoding": "gzip"}
                return Response(headers=kind, body=_gzip_bomb(size))
            case HugeBody(size=size):
                talker = replace(self.responder, answer=lambda _messages: "x" * size)
                return talker.respond(asked)
            case Redirect(to=to, status=status):
                return Response(status=status, headers={"Location": to})
            case Gzipped():
                return packed(self._respond(asked))
            case Chunked(size=size):
                return chopped(self._respond(asked), size)
            case _:
                assert_never(fault)

    def _cut_short(
        self, asked: Asked, fault: StreamFault, headers: Mapping[str, str]
    ) -> Plan:
        response = self._respond(asked)
        if response.events is None:
            # A refusal, or a body the answer function wrote itself: no stream to break.
            return _plan(response, headers, response.rest())
        kept = _start_of(response.events, fault.after)
        match fault:
            case StreamCut():
                ending, parts = Ending.CLOSE, in_chunks(kept)
            case StreamStall():
                ending, parts = Ending.SILENCE, in_chunks(kept)
            case StreamUnfinished():
                ending, parts = Ending.BROKEN, replace(response, events=kept).rest()
            case StreamError(error=error):
                told = [*kept, Event(asked.dialect.broken(error))]
                ending, parts = Ending.BROKEN, replace(response, events=told).rest()
            case _:
                assert_never(fault)
        interval = self.chunk_interval
        return _plan(response, headers, parts, interval=interval, ending=ending)

    def _respond(self, asked: Asked) -> Response:
        return self.responder.respond(asked)


def _plan(
    response: Response,
    headers: Mapping[str, str],
    rest: Iterator[Event],
    *,
    interval: float = 0.0,
    ending: Ending = Ending.WHOLE,
) -> Plan:
    """Plan a response: its head goes out with the first part of the rest."""
    size = len(response.body) if response.events is None else None
    head = response_head(response.status, {**headers, **response.headers}, size)
    first = next(rest, Event(b""))
    return Plan(
        status=response.status,
        parts=chain([Event(head + first.data, first.tokens)], rest),
        interval=interval,
        ending=ending,
        usage=response.usage,
    )


def _without_a_byte(ending: Ending) -> Plan:
    return Plan(parts=iter(()), ending=ending)


def _half(response: Response, headers: Mapping[str, str]) -> Plan:
    """The model has worked for the whole answer; half of it arrives."""
    body = b"".join(event.data for event in response.rest())
    half = Event(body[: len(body) // 2], response.usage.completion_tokens)
    return _plan(response, headers, iter([half]), ending=Ending.CLOSE)


def _dripped(response: Response, headers: Mapping[str, str], interval: float) -> Plan:
    body = b"".join(event.data for event in response.rest())
    drops = [Event(body[at : at + 1]) for at in range(len(body))]
    drops[-1:] = [
        Event(drop.data, response.usage.completion_tokens) for drop in drops[-1:]
    ]
    return _plan(response, headers, iter(drops), interval=interval)


def _endless(response: Response, headers: Mapping[str, str]) -> Plan:
    """Repeat the first piece of a stream for ever, or open a JSON text for ever."""
    if response.events:
        start = _start_of(response.events, 1)
        again = Event(chunk(start[-1].data), start[-1].tokens)
        rest = chain(in_chunks(start), repeat(again))
    else:
        response = replace(response, events=())
        rest = chain(
            in_chunks([Event(b'{"choices": [{"message": {"content": "')]),
            repeat(Event(chunk(_BLOCK))),
        )
    return _plan(response, headers, rest)


def _start_of(events: Sequence[Event], after: int | None) -> Sequence[Event]:
    """Return the events up to the last one wanted, but never the last of all.

    Args:
        events: A whole stream.
        after: How many of those that hold a piece of the completion; `None` is all.
    """
    kept = events[:-1]
    if after is None:
        return kept
    with_piece = [at for at, event in enumerate(kept) if event.tokens]
    if after < 1:
        return ()
    return kept if after > len(with_piece) else kept[: with_piece[after - 1] + 1]


def _gzip_bomb(size: int) -> bytes:
    """Pack `size` zero bytes without ever holding them all."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(64 * 1024)
    parts = [packer.compress(block) for _ in range(size // len(block))]
    return b"".join([*parts, packer.compress(bytes(size % len(block))), packer.flush()])
