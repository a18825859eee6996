"""What can go wrong on the way of a request, in the words and classes of dspex.

A transport knows what its library raises and means by it; what is said of it is here,
the same for all. No text holds a URL, a header or a byte of a body: those may hold
secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from dspex.client.http_body import EncodingError, TooLargeError
from dspex.core.errors import (
    ConfigurationError,
    LMConnectionError,
    LMError,
    LMResponseError,
    LMTimeoutError,
)

__all__ = [
    "Circumstances",
    "broke",
    "check_headers",
    "never_sent",
    "no_http",
    "no_http_url",
    "not_connected",
    "not_connected_in_time",
    "not_taken",
    "reason_of",
    "silent",
    "unreadable",
    "unsendable",
    "untrusted",
]

E = TypeVar("E", bound=LMError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What an error's text says of the request."""

    host: str
    """Host and port that the request was for."""
    proxy: str | None = None
    """Host and port of the proxy in between, where the transport knows it."""
    connect_timeout: float
    """Seconds that connecting might take."""
    read_timeout: float
    """Seconds that might pass without a byte."""
    max_bytes: int
    """The largest body allowed."""


# The request cannot be sent.


def no_http_url(scheme: str, host: str | None) -> ConfigurationError:
    """The URL is none that a transport can send to."""
    return ConfigurationError(
        f"a request cannot be sent to scheme {scheme!r} and host {host!r}; expected an"
        " http or https URL with a host and without a user. Check `api_base`."
    )


def check_headers(headers: Mapping[str, str], host: str) -> None:
    """Refuse characters that HTTP has no place for, and that no provider expects.

    Raises:
        ConfigurationError: There are some.
    """
    for text in (*headers, *headers.values()):
        if not (text.isascii() and text.isprintable()):
            raise unsendable(host)


def unsendable(host: str) -> ConfigurationError:
    """A header holds what HTTP has no place for; it is not quoted."""
    return ConfigurationError(
        f"the request to {host} cannot be put into HTTP; headers hold visible ASCII"
        " characters only. Check the key for spaces and line breaks."
    )


# There is no connection.


def never_sent(error: E) -> E:
    """Note on an error that the provider cannot have had the request, nor bill it."""
    error.was_sent = False
    return error


def not_connected(reason: str, around: Circumstances) -> LMConnectionError:
    """Nobody answers there."""
    return never_sent(
        LMConnectionError(
            f"no connection to {around.host}: {reason}; a server should be listening"
            " there. Start it, or check `api_base`."
        )
    )


def not_connected_in_time(around: Circumstances) -> LMTimeoutError:
    """Connecting took longer than it may."""
    way = around.host if not around.proxy else f"{around.host} through {around.proxy}"
    return never_sent(
        LMTimeoutError(
            f"no connection to {way} within {around.connect_timeout:g} s; a provider"
            " answers faster. Check the network and `api_base`."
        )
    )


def untrusted(reason: str, around: Circumstances) -> LMConnectionError:
    """The server's certificate is none that is trusted here."""
    return never_sent(
        LMConnectionError(
            f"no connection to {around.host}: {reason}; a certificate that is trusted"
            " here was expected. Set SSL_CERT_FILE to your own authority's, or check"
            " `api_base`."
        )
    )


# The connection is of no use any more.


def not_taken(around: Circumstances) -> LMTimeoutError:
    """Sending and waiting for a head took longer than all may together."""
    return LMTimeoutError(
        f"{around.host} did not take the request, or not at a bearable pace; a server"
        " reads what it is sent. The same call may succeed again."
    )


def silent(around: Circumstances) -> LMTimeoutError:
    """No byte came for too long."""
    return LMTimeoutError(
        f"no byte from {around.host} for {around.read_timeout:g} s; the attempt timeout"
        " allows no longer silence. Raise it for slow models."
    )


def broke(error: BaseException, around: Circumstances) -> LMConnectionError:
    """The connection ended too early."""
    return LMConnectionError(
        f"the connection to {around.host} broke: {reason_of(error)}; the whole"
        " response was expected. The same call may succeed again."
    )


def no_http(around: Circumstances) -> LMConnectionError:
    """What came is no HTTP; it is not quoted."""
    return LMConnectionError(
        f"the connection to {around.host} broke: what it sent is no HTTP; a response"
        " was expected. Check that `api_base` is a model's API."
    )


def unreadable(
    error: TooLargeError | EncodingError, around: Circumstances
) -> LMResponseError:
    """The body cannot be taken as it is."""
    match error:
        case TooLargeError():
            return LMResponseError(
                f"the body from {around.host} is too large: more than"
                f" {around.max_bytes} bytes; a completion is far smaller. Check that"
                " `api_base` is a model's API."
            )
        case EncodingError():
            return LMResponseError(
                f"the body from {around.host} is packed as {str(error)!r} and cannot be"
                " unpacked; plain, gzip or deflate was expected. Check for a proxy in"
                " between."
            )


def reason_of(error: BaseException) -> str:
    """What an error says of itself, or else its name."""
    return str(error) or type(error).__name__
