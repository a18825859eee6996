"""What a refusal in OpenAI's format means: from status, headers and body to an error.

Servers that speak the format put their errors into several shapes; all are read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.format import Sender
from dspex.client.providers.json_body import JsonError, read_json, write_json
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
    LMRateLimitError,
    LMResponseError,
    LMServerError,
)

_NO_MONEY = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
)
_TOO_LONG = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_MEANINGS: Mapping[str, type[LMError]] = {
    **dict.fromkeys(_NO_MONEY, LMBillingError),
    "rate_limit_exceeded": LMRateLimitError,
    "rate_limit_error": LMRateLimitError,
    "invalid_api_key": LMAuthError,
    "authentication_error": LMAuthError,
    "server_error": LMServerError,
    "overloaded": LMServerError,
    "overloaded_error": LMServerError,
    "invalid_request_error": LMInvalidRequestError,
}
"""What an error means that comes without a status of its own, in a stream or a 200."""


def error_for(response: HttpResponse, sender: Sender) -> LMError:
    """Say what a refusal means, as an error that can be raised."""
    details = _details(response.body)
    status = _status(response.status, details)
    return refused(
        response,
        sender,
        error_class=_class_for(status, details),
        message=details.get("message", ""),
        status=status,
    )


def _class_for(status: int, details: Mapping[str, str]) -> type[LMError]:
    words = [details.get("code", ""), details.get("type", "")]
    usual = usual_class(status)
    if is_success(status):
        found = (_MEANINGS[word] for word in words if word in _MEANINGS)
        usual = next(found, usual)
    if status == 429 and _NO_MONEY.intersection(words):
        return LMBillingError
    is_too_long = _TOO_LONG.intersection(words) or says_too_long(
        details.get("message", "")
    )
    if is_too_long and usual in {LMInvalidRequestError, LMResponseError}:
        return ContextWindowExceededError
    return usual


def _status(status: int, details: Mapping[str, str]) -> int:
    """Prefer the status inside a body that came with a success."""
    inner = details.get("code", "")
    if is_success(status) and len(inner) == 3 and inner.isascii() and inner.isdecimal():
        return int(inner) if int(inner) >= 400 else status
    return status


def _details(body: bytes) -> dict[str, str]:
    """Read `message`, `type` and `code` out of an error body, whatever its shape."""
    text = body.decode("utf-8-sig", errors="replace").strip()
    try:
        parsed = read_json(body)
    except JsonError:
        return {"message": text}
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else text
    if not isinstance(error, dict):
        return {"message": str(error)}
    return {"message": _message(error), **_words(error)}


def _message(error: Mapping[str, Any]) -> str:
    found = error.get("message") or error.get("detail") or ""
    return found if isinstance(found, str) else write_json(found).decode()


def _words(error: Mapping[str, Any]) -> dict[str, str]:
    pairs = ((name, error.get(name)) for name in ("type", "code"))
    return {name: str(word) for name, word in pairs if isinstance(word, str | int)}
