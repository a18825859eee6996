"""An HTTP request and response as values, without any HTTP library."""

from __future__ import annotations

from collections.abc import Mapping
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
