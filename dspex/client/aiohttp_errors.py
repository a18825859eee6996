"""What aiohttp raises, sorted by what it means."""

from __future__ import annotations

import aiohttp

from dspex.client.http_body import EncodingError, TooLargeError
from dspex.client.transport_errors import (
    Circumstances,
    broke,
    never_sent,
    no_http,
    not_connected,
    not_connected_in_time,
    not_taken,
    reason_of,
    silent,
    unreadable,
    untrusted,
)
from dspex.core.errors import DspexError, LMConnectionError

__all__ = ["FOREIGN", "HeadTimeoutError", "translated"]

FOREIGN = (aiohttp.ClientError, OSError)
"""What may be raised on the way of a request, our own errors aside."""


class HeadTimeoutError(Exception):
    """Connecting, sending and waiting for a head took longer than all may together."""


def translated(error: Exception, around: Circumstances) -> DspexError:
    """Turn what aiohttp and the system raise into an error of ours."""
    match error:
        case TooLargeError() | EncodingError():
            return unreadable(error, around)
        case aiohttp.ConnectionTimeoutError():
            return not_connected_in_time(around)
        case HeadTimeoutError():
            return not_taken(around)
        case aiohttp.ServerTimeoutError():
            return silent(around)
        case aiohttp.ClientConnectorCertificateError():
            return untrusted(str(error.certificate_error), around)
        case aiohttp.ClientHttpProxyError() | aiohttp.ClientProxyConnectionError():
            return never_sent(_proxy_failed(error, around))
        case aiohttp.ClientConnectorError():
            return not_connected(reason_of(error.os_error), around)
        case aiohttp.ClientResponseError():
            return no_http(around)
        case _:
            return broke(error, around)


def _proxy_failed(
    error: aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError,
    around: Circumstances,
) -> LMConnectionError:
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
                f" {reason_of(error.os_error)}; a proxy should be listening there."
                " Check proxy= or the variables HTTP_PROXY, HTTPS_PROXY and ALL_PROXY."
            )
