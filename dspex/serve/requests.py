"""Reading a request: what it asks for, within which time, under which id. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final, Self

from dspex.core.ids import new_id
from dspex.serve.refusals import Refusal, Refused

TIMEOUT: Final = "Dspex-Timeout"
"""The header that says how long a client waits, in seconds."""
REQUEST_ID: Final = "X-Request-Id"
"""The header with a request's id: the client's, or one made here."""
JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"

_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a request wants to be answered."""

    id: str
    """What the response, logs and pictures call it."""
    timeout: float
    """Seconds within which it is to be answered."""
    is_streamed: bool
    """Whether the answer comes as events, while it is made."""

    @classmethod
    def of(
        cls,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        *,
        most: float,
        wished: str | None = None,
    ) -> Self:
        """Read what a request says of its answer.

        Args:
            headers: Its headers.
            query: What stands behind the `?` of its address.
            most: Seconds that the service allows.
            wished: Its id, where that is known already.

        Raises:
            Refused: The time is none.

        Example:
            >>> wish = Wish.of({"Dspex-Timeout": "2.5"}, {"stream": "1"}, most=60.0)
            >>> wish.timeout, wish.is_streamed
            (2.5, True)
        """
        return cls(
            id=wished or request_id(headers),
            timeout=min(most, _timeout(headers.get(TIMEOUT), most)),
            is_streamed=EVENTS in headers.get("Accept", "")
            or query.get("stream") in {"1", "true"},
        )


def request_id(headers: Mapping[str, str]) -> str:
    """Return the client's id of a request, where it is one, else a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if _ID.fullmatch(given) else new_id()


def _timeout(given: str | None, most: float) -> float:
    if given is None:
        return most
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not (isfinite(seconds) and seconds > 0):
        raise Refused(
            Refusal(
                status=400,
                type="invalid_header",
                message=f"the header {TIMEOUT} is no time; expected seconds above "
                f"zero, such as 2.5. The most that this service allows is {most:g}.",
            )
        )
    return seconds


def check_json(content_type: str, encoding: str | None = None) -> None:
    """Refuse a body that does not say that it is JSON, or is packed.

    A page of another site can send any other kind from a browser without being asked
    whether it may. And a packed one may be a thousand times longer than what came.

    Raises:
        Refused: It does not.
    """
    if content_type != JSON:
        raise Refused(
            Refusal(
                status=415,
                type="unsupported_media_type",
                message=f"the inputs are to come as {JSON}. Send them with the header "
                f"Content-Type: {JSON}.",
            )
        )
    if (encoding or "identity").lower() != "identity":
        raise Refused(
            Refusal(
                status=415,
                type="unsupported_media_type",
                message="the body is packed, and this service unpacks none. Send it as "
                "it is, without the header Content-Encoding.",
                closes=True,
            )
        )
