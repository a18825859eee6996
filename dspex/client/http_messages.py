"""An HTTP request and response as values, without any HTTP library."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """What goes over the wire."""

    method: str
    """The HTTP method, in capitals."""
    url: str
    """The whole URL, `http` or `https`."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers as they are sent. Not part of the `repr`: they hold the key."""
    body: bytes = field(default=b"", repr=False)
    """The body. Not part of the `repr`: it holds the prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """What came back, whole and unpacked."""

    status: int
    """The HTTP status."""
    headers: Mapping[str, str] = field(repr=False)
    """Headers, names in lower case; the last wins when one came twice."""
    body: bytes = field(repr=False)
    """The body."""
    sends: int = 1
    """How often the request was written: 2 after a stale connection, else 1."""


class OpenResponse:
    """What has come back so far: the head, and the body as it comes.

    It belongs to the `async with` that opened it. Leaving that before the body's end
    closes the connection, which is how the provider learns that nobody listens.

    Attributes:
        status: The HTTP status.
        headers: Headers, names in lower case; the last wins when one came twice.
        sends: How often the request was written: 2 after a stale connection, else 1.
    """

    def __init__(
        self,
        *,
        status: int,
        headers: Mapping[str, str],
        sends: int,
        parts: AsyncGenerator[bytes, None],
    ) -> None:
        self.status = status
        self.headers = headers
        self.sends = sends
        self._parts = parts

    def parts(self) -> AsyncGenerator[bytes, None]:
        """Return the body, unpacked, in pieces of any size. It can be read once.

        Little is read ahead of the reader: a server that sends faster than its pieces
        are taken has to wait.

        Raises:
            LMConnectionError: When the connection broke before the body's end.
            LMTimeoutError: When no byte came for the read timeout.
            LMResponseError: When the body is larger than allowed, packed or unpacked,
                or cannot be unpacked.
        """
        return self._parts

    async def read(self) -> bytes:
        """Return the whole body, or what is left of it; see `parts`."""
        return b"".join([part async for part in self._parts])
