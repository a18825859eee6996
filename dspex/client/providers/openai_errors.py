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
    LMBillingError,
    LMError,
    LMInvalidRequestError,
)

_NO_MONEY = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
)
_TOO_LONG = frozenset({"context_length_exceeded", "exceed_context_size_error"})


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
    words = {details.get("code", ""), details.get("type", "")}
    usual = usual_class(status)
    if status == 429 and words & _NO_MONEY:
        return LMBillingError
    is_too_long = words & _TOO_LONG or says_too_long(details.get("message", ""))
    if usual is LMInvalidRequestError and is_too_long:
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
