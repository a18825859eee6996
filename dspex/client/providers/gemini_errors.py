"""What a refusal of Gemini means: from status, headers and body to an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.format import Sender
from dspex.client.providers.json_body import JsonError, read_json
from dspex.client.providers.json_values import (
    count_of,
    object_of,
    objects_of,
    text_of,
)
from dspex.client.providers.refusals import (
    is_success,
    refused,
    says_too_long,
    usual_class,
)
from dspex.core.errors import (
    ContextWindowExceededError,
    LMAuthError,
    LMBillingError,
    LMError,
    LMInvalidRequestError,
)

_KEY_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED"})
_KEY_TEXTS = ("api key not valid", "api key expired", "api key not found")
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


def error_for(response: HttpResponse, sender: Sender) -> LMError:
    """Say what a refusal means, as an error that can be raised."""
    error = _error_in(response.body)
    message = text_of(error.get("message"))
    details = objects_of(error.get("details"))
    status = response.status
    if is_success(status):
        # An error inside a success tells which status it would have had.
        code = count_of(error.get("code"))
        status = code if 400 <= code < 600 else status
    refusal = refused(
        response,
        sender,
        error_class=_class_for(status, error, message, details),
        message=message,
        status=status,
    )
    if refusal.retry_after is None:
        refusal.retry_after = _retry_delay(details)
    return refusal


def _error_in(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = read_json(body)
    except JsonError:
        return {"message": body.decode("utf-8-sig", errors="replace").strip()}
    # A stream that was not asked for as events holds its error in a list.
    first = parsed[0] if isinstance(parsed, list) and parsed else parsed
    return object_of(object_of(first).get("error"))


def _class_for(
    status: int,
    error: Mapping[str, Any],
    message: str,
    details: list[Mapping[str, Any]],
) -> type[LMError]:
    usual = usual_class(status)
    if usual is not LMInvalidRequestError:
        return usual
    reasons = {text_of(detail.get("reason")) for detail in details}
    lowered = message.lower()
    if reasons & _KEY_REASONS or any(text in lowered for text in _KEY_TEXTS):
        return LMAuthError
    if error.get("status") == "FAILED_PRECONDITION" and "billing" in lowered:
        return LMBillingError
    return ContextWindowExceededError if says_too_long(message) else usual


def _retry_delay(details: list[Mapping[str, Any]]) -> float | None:
    """Seconds to wait, which Gemini says in the body: `"retryDelay": "21s"`."""
    for detail in details:
        found = _SECONDS.fullmatch(text_of(detail.get("retryDelay")))
        if found:
            return float(found[1])
    return None
