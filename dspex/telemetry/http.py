"""The words of OpenTelemetry's conventions for HTTP servers, and requests in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from supervisors import Event

METHOD: Final = "http.request.method"
ROUTE: Final = "http.route"
SCHEME: Final = "url.scheme"
STATUS_CODE: Final = "http.response.status_code"
ERROR_TYPE: Final = "error.type"

DURATION: Final = "http.server.request.duration"
DURATION_BUCKETS: Final = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
)
"""Seconds, as the conventions require."""

OTHER_METHOD: Final = "_OTHER"
"""Stands for a method that is none of HTTP's, of which a client can make up many."""
_METHODS: Final = frozenset(
    {
        "CONNECT",
        "DELETE",
        "GET",
        "HEAD",
        "OPTIONS",
        "PATCH",
        "POST",
        "PUT",
        "TRACE",
    }
)


def asked(event: Event) -> dict[str, Any]:
    """Return what is known of a request to a service, in words of few values."""
    known = event.metadata
    method = known["method"] if known["method"] in _METHODS else OTHER_METHOD
    told = {METHOD: method, SCHEME: known["scheme"]}
    return told if known["route"] is None else {**told, ROUTE: known["route"]}


def answered(event: Event) -> dict[str, Any]:
    """Return what its answer adds to that."""
    known = event.metadata
    told = {STATUS_CODE: known["status"], ERROR_TYPE: known["error_type"]}
    return {name: value for name, value in told.items() if value is not None}


def title(told: Mapping[str, Any]) -> str:
    """Return the name of a request's span."""
    # A method that nobody knows is no good name.
    method = "HTTP" if told[METHOD] == OTHER_METHOD else told[METHOD]
    return f"{method} {told[ROUTE]}" if ROUTE in told else f"{method}"


def has_failed(event: Event) -> bool:
    """Whether an answer is the service's failure, not the client's."""
    status = event.metadata["status"]
    is_told = event.metadata["error_type"] is not None
    # In a stream the failure comes after the status.
    return status is None or status >= 500 or (status < 400 and is_told)
