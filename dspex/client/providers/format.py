"""What a provider's format is to the client: pure functions over values.

A format turns a request into bytes, and bytes into a reply or an error. It opens no
socket, reads no clock of its own and keeps no state between calls. Which format an
endpoint speaks stands in `Endpoint.format`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.core.lm import Reply, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a streamed answer."""

    text: str = ""
    """What the completion goes on with."""
    reasoning: str = ""
    """What its reasoning goes on with, where the provider shows it."""
    index: int = 0
    """Which completion, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a provider's headers say of one limit. What they leave out is `None`."""

    limit: int | None = None
    """How many there are in all."""
    remaining: int | None = None
    """How many are left now."""
    reset_in: float | None = None
    """Seconds until all of them are there again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """What a provider's headers say of its limits."""

    requests: Allowance = Allowance()
    """Requests."""
    tokens: Allowance = Allowance()
    """Tokens, or the scarcer of the ones sent and the ones received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who asks, and how, for reading what comes back."""

    endpoint: Endpoint
    """Where the request went. Its key is masked in every error."""
    label: str
    """The provider as errors name it."""
    wall_clock: Callable[[], float]
    """Seconds since 1970, for a header that holds a date."""


class StreamReader(Protocol):
    """Reads one streamed answer; made anew for each."""

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the bytes that came, cut anywhere; the chunks they complete.

        Raises:
            LMError: An error came in the stream, or what came is no stream. When chunks
                came before it in the same bytes, they are given, and the next call of
                `feed` or `finish` raises it.
        """

    def finish(self) -> Reply:
        """The whole reply, when the body has ended.

        Raises:
            LMResponseError: The stream ended before the answer did.
        """


class Format(Protocol):
    """One provider's wire format."""

    def build(
        self,
        request: Request,
        endpoint: Endpoint,
        *,
        request_id: str,
        idempotency_key: str,
        stream: bool = False,
    ) -> HttpRequest:
        """Put a request into bytes.

        Args:
            request: What to ask. Its model's name wins over the endpoint's.
            endpoint: Where to ask it.
            request_id: Our own id of this attempt.
            idempotency_key: The same for all attempts of one call.
            stream: Whether the answer shall come in pieces.

        Raises:
            ConfigurationError: A setting is no JSON value, or nothing this format has.
        """

    def read(self, response: HttpResponse, sender: Sender) -> Reply:
        """Read a whole response.

        Raises:
            LMError: The class that fits the status and the provider's own code.
        """

    def reader(self, headers: Mapping[str, str], sender: Sender) -> StreamReader:
        """A reader for the body of a response whose status was a success."""

    def limits(
        self, headers: Mapping[str, str], wall_clock: Callable[[], float], /
    ) -> RateLimits:
        """Read what the headers say of the provider's limits, if anything."""
