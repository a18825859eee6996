"""Ways a provider can fail, as values for `FakeProvider.misbehave`.

Nothing here acts: the provider reads these values and behaves accordingly. Those whose
name starts with `Stream` are for requests that want their answer in pieces; a request
that does not is answered as usual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Hang:
    """Take the request and never answer, until the client goes away."""


@dataclass(frozen=True, slots=True)
class CloseBeforeAnswer:
    """Take the request, then close the connection without a byte."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Take the request, then reset the connection (the client sees a TCP RST)."""


@dataclass(frozen=True, slots=True)
class HalfBody:
    """Announce the whole answer, send half of it, close the connection."""


@dataclass(frozen=True, slots=True)
class Drip:
    """Send the answer's body one byte at a time."""

    interval: float = 1.0
    """Seconds between two bytes."""


@dataclass(frozen=True, slots=True)
class Status:
    """Answer with a status and an error body instead of a completion.

    The body has the form of the API that was asked.
    """

    status: int
    """The HTTP status."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """More headers, such as `{"Retry-After": "2"}` or `{"x-should-retry": "false"}`."""
    message: str = "the fake provider was told to refuse this request"
    """The error's text."""
    kind: str = "fake_error"
    """The error's `type`."""
    code: str | None = None
    """The error's `code`, such as `insufficient_quota`."""


RATE_LIMITED = Status(429, {"Retry-After": "1"}, code="rate_limit_exceeded")
"""Too many requests; come back in one second."""
WRONG_KEY = Status(401, message="wrong API key", code="invalid_api_key")
"""The key is refused."""
OUT_OF_QUOTA = Status(429, kind="insufficient_quota", code="insufficient_quota")
"""The account is empty."""
SERVER_ERROR = Status(500, message="something broke inside")
"""The provider failed."""
OVERLOADED = Status(503, message="no capacity left")
"""The provider is overloaded."""


@dataclass(frozen=True, slots=True)
class RawBody:
    """Answer with exactly these bytes."""

    body: bytes
    """The body."""
    status: int = 200
    """The HTTP status."""
    content_type: str = "application/json"
    """The type the body claims to have."""


@dataclass(frozen=True, slots=True)
class GzipBomb:
    """Answer with a small gzip body that unpacks into a large one."""

    size: int = 64 * 1024 * 1024
    """Bytes after unpacking; about a thousandth of it is sent."""


@dataclass(frozen=True, slots=True)
class HugeBody:
    """Answer with a valid completion whose text is very long."""

    size: int = 16 * 1024 * 1024
    """Bytes of text."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the client elsewhere."""

    to: str
    """The address, whole or from the slash on."""
    status: int = 307
    """The HTTP status."""


@dataclass(frozen=True, slots=True)
class EndlessBody:
    """Answer, and never come to an end, as fast as the client reads."""


@dataclass(frozen=True, slots=True)
class Gzipped:
    """Answer as usual, packed with gzip. No failure, but not everybody does it."""


@dataclass(frozen=True, slots=True)
class Chunked:
    """Answer as usual, in chunks and without `Content-Length`. No failure either."""

    size: int = 16
    """Bytes per chunk."""


@dataclass(frozen=True, slots=True)
class StreamCut:
    """Close the connection in the middle of a stream."""

    after: int = 1
    """Pieces of the completion that are sent before."""


@dataclass(frozen=True, slots=True)
class StreamStall:
    """Fall silent in the middle of a stream, until the client goes away."""

    after: int = 1
    """Pieces of the completion that are sent before."""


@dataclass(frozen=True, slots=True)
class StreamUnfinished:
    """End a stream in good order, but too early."""

    after: int | None = None
    """Pieces of the completion that are sent before; `None` leaves out nothing but the
    last event, the one that says that the answer is whole (such as `[DONE]`)."""


@dataclass(frozen=True, slots=True)
class StreamError:
    """Send an error as an event in the middle of a stream, then end it."""

    after: int = 1
    """Pieces of the completion that are sent before."""
    error: Status = OVERLOADED
    """The error. Its status is in the event only; the response's own was 200."""


StreamFault = StreamCut | StreamStall | StreamUnfinished | StreamError
"""The faults for requests that want their answer in pieces."""

Fault = (
    Hang
    | CloseBeforeAnswer
    | Reset
    | HalfBody
    | Drip
    | Status
    | RawBody
    | GzipBomb
    | HugeBody
    | EndlessBody
    | Redirect
    | Gzipped
    | Chunked
    | StreamFault
)
"""Everything `FakeProvider.misbehave` accepts."""

BAD_JSON = RawBody(b'{"choices": [{"message": {"content": "cut o')
"""A body that starts as JSON and does not end."""
NOT_JSON = RawBody(b"<html><body>It works</body></html>", content_type="text/html")
"""The page of a proxy that stands in the way."""
EMPTY_CHOICES = RawBody(b'{"id": "x", "object": "chat.completion", "choices": []}')
"""A completion without a completion in it."""
