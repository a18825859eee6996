"""What aiohttp raises, in the words and classes of dspex."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from dspex.client.http_body import EncodingError, TooLargeError
from dspex.core.errors import (
    DspexError,
    LMConnectionError,
    LMResponseError,
    LMTimeoutError,
)

__all__ = ["FOREIGN", "Circumstances", "HeadTimeoutError", "translated"]

FOREIGN = (aiohttp.ClientError, OSError)
"""What may be raised on the way of a request, our own errors aside."""


class HeadTimeoutError(Exception):
    """Connecting, sending and waiting for a head took longer than all may together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What an error's text says of the request."""

    host: str
    """Host and port that the request was for."""
    proxy: str | None
    """Host and port of the proxy in between."""
    connect_timeout: float
    """Seconds that connecting might take."""
    read_timeout: float
    """Seconds that might pass without a byte."""
    max_bytes: int
    """The largest body allowed."""


def translated(error: Exception, around: Circumstances) -> DspexError:
    """Turn what aiohttp and the system raise into an error of ours.

    The texts hold no URL, no header and no byte of a body: those may hold secrets.
    """
    host = around.host
    match error:
        case TooLargeError():
            return LMResponseError(
                f"the body from {host} is too large: more than {around.max_bytes}"
                " bytes; a completion is far smaller. Check that `api_base` is a"
                " model's API."
            )
        case EncodingError():
            return LMResponseError(
                f"the body from {host} is packed as {str(error)!r} and cannot be"
                " unpacked; plain, gzip or deflate was expected. Check for a proxy in"
                " between."
            )
        case aiohttp.ServerTimeoutError() | HeadTimeoutError():
            return _timed_out(error, around)
        case aiohttp.ClientConnectorCertificateError():
            return LMConnectionError(
                f"no connection to {host}: {error.certificate_error}; a certificate"
                " that is trusted here was expected. Set SSL_CERT_FILE to your own"
                " authority's, or check `api_base`."
            )
        case aiohttp.ClientConnectorError() | aiohttp.ClientHttpProxyError():
            return _not_connected(error, around)
        case aiohttp.ClientResponseError():
            return LMConnectionError(
                f"the connection to {host} broke: what it sent is no HTTP; a response"
                " was expected. Check that `api_base` is a model's API."
            )
        case _:
            return LMConnectionError(
                f"the connection to {host} broke: {_reason(error)}; the whole response"
                " was expected. The same call may succeed again."
            )


def _timed_out(error: Exception, around: Circumstances) -> DspexError:
    host = around.host
    match error:
        case aiohttp.ConnectionTimeoutError():
            return LMTimeoutError(
                f"no connection to {_through(around)} within {around.connect_timeout:g}"
                " s; a provider answers faster. Check the network and `api_base`."
            )
        case HeadTimeoutError():
            return LMTimeoutError(
                f"{host} did not take the request, or not at a bearable pace; a server"
                " reads what it is sent. The same call may succeed again."
            )
        case _:
            return LMTimeoutError(
                f"no byte from {host} for {around.read_timeout:g} s; the attempt"
                " timeout allows no longer silence. Raise it for slow models."
            )


def _not_connected(
    error: aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError,
    around: Circumstances,
) -> DspexError:
    match error:
        case aiohttp.ClientHttpProxyError():
            return LMConnectionError(
                f"no connection to {around.host}: the proxy {around.proxy} refused with"
                f" status {error.status}; it should open a tunnel. Check its user and"
                " password, and whether it lets this host through."
            )
        case aiohttp.ClientProxyConnectionError():
            return LMConnectionError(
                f"no connection to the proxy {around.proxy}:"
                f" {_reason(error.os_error)}; a proxy should be listening there. Check"
                " proxy= or the variables HTTP_PROXY, HTTPS_PROXY and ALL_PROXY."
            )
        case _:
            return LMConnectionError(
                f"no connection to {around.host}: {_reason(error.os_error)}; a server"
                " should be listening there. Start it, or check `api_base`."
            )


def _through(around: Circumstances) -> str:
    return around.host if not around.proxy else f"{around.host} through {around.proxy}"


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
