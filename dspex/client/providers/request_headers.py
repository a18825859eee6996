"""The headers every request carries, whatever the format."""

from __future__ import annotations


def request_headers(
    *, request_id: str, idempotency_key: str, stream: bool
) -> dict[str, str]:
    """Make the headers of a request with a JSON body; the key is the format's to add.

    Args:
        request_id: Our own id of this attempt.
        idempotency_key: The same for all attempts of one call, so that a provider that
            honours it bills them once.
        stream: Whether the answer shall come as events.
    """
    return {
        "Content-Type": "application/json",
        "Accept": "text/event-stream" if stream else "application/json",
        "User-Agent": "dspex",
        "X-Client-Request-Id": request_id,
        "Idempotency-Key": idempotency_key,
    }
