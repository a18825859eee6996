"""What a provider's refusal means: from status, headers and body to an `LMError`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dspex.client.providers.retry_after import retry_after, should_retry
from dspex.client.secrets import MASK, Secret
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

_MESSAGE_MAX = 500
_KEY_LIKE = re.compile(r"\b(?:sk|gsk|pk|key)-[\w-]{6,}|(?i:bearer )\S+")
_NO_MONEY = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
)
_TOO_LONG = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_TOO_LONG_TEXTS = (
    "maximum context length",
    "available context size",
    "context window",
    "prompt is too long",
)
_MENDS: Mapping[type[LMError], str] = {
    LMAuthError: "a valid key was expected. Check the key and what it may use.",
    LMBillingError: "an account that can pay was expected. Check plan and balance.",
    LMRateLimitError: "fewer requests were expected. Wait, or lower the concurrency.",
    ContextWindowExceededError: (
        "a shorter prompt was expected. Use fewer demonstrations, shorter inputs, or a"
        " model with a larger context."
    ),
    LMInvalidRequestError: (
        "a request it understands was expected. Check the model's name, the settings"
        " and api_base."
    ),
    LMServerError: "an answer was expected. The same call may succeed later.",
    LMResponseError: "a completion was expected. The same call may succeed later.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A response that holds no completion, and what is known about the call."""

    status: int
    """The HTTP status."""
    headers: Mapping[str, str]
    """The response's headers, names in lower case."""
    body: bytes
    """The body."""
    model: str
    """The model string as the user wrote it."""
    secret: Secret | None
    """The key that was sent."""
    wall_clock: Callable[[], float]
    """Seconds since 1970."""

    @property
    def request_id(self) -> str | None:
        """The provider's id of the request."""
        return self.request_id_in(self.headers)

    @staticmethod
    def request_id_in(headers: Mapping[str, str]) -> str | None:
        """Find the provider's id of a request in a response's headers."""
        found = headers.get("x-request-id") or headers.get("request-id")
        return visible(found, limit=200) if found else None


def error_for(refusal: Refusal) -> LMError:
    """Say what a refusal means, as an error that can be raised."""
    details = _details(refusal.body)
    status = _status(refusal.status, details)
    error_class = _class_for(status, details)
    error = error_class(
        f"{refusal.model!r} was refused with status {status}{_said(refusal, details)};"
        f" {_no_key(refusal, error_class)}{_MENDS[error_class]}",
        model=refusal.model,
        status=status,
        request_id=refusal.request_id,
        retry_after=retry_after(refusal.headers, refusal.wall_clock),
    )
    advice = should_retry(refusal.headers)
    if advice is not None:
        # The class says what is usual; the provider's own word on this one wins.
        error.retryable = advice
    return error


def visible(text: str, *, limit: int = _MESSAGE_MAX) -> str:
    r"""Shorten a foreign text and make what is not printable visible.

    Example:
        >>> visible("red \x1b[31m\nalert")
        'red \\x1b[31m\\nalert'
    """
    shown = "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in text[:limit]
    )
    return shown if len(text) <= limit else f"{shown} ... ({len(text)} characters)"


def _class_for(status: int, details: Mapping[str, str]) -> type[LMError]:
    words = {details.get("code", ""), details.get("type", "")}
    if status in {401, 403}:
        return LMAuthError
    if status == 402 or (status == 429 and words & _NO_MONEY):
        return LMBillingError
    if status == 429:
        return LMRateLimitError
    if status in {408, 409} or status >= 500:
        return LMServerError
    if 200 <= status < 300:
        return LMResponseError
    if words & _TOO_LONG or _is_too_long(details.get("message", "")):
        return ContextWindowExceededError
    return LMInvalidRequestError


def _is_too_long(message: str) -> bool:
    message = message.lower()
    return any(text in message for text in _TOO_LONG_TEXTS)


def _status(status: int, details: Mapping[str, str]) -> int:
    """Prefer the status inside a body that came with a success."""
    inner = details.get("code", "")
    is_status = inner.isascii() and inner.isdecimal() and 400 <= int(inner[:4]) < 600
    return int(inner) if 200 <= status < 300 and is_status else status


def _details(body: bytes) -> dict[str, str]:
    """Read `message`, `type` and `code` out of an error body, whatever its shape."""
    text = body.decode("utf-8-sig", errors="replace").strip()
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return {"message": text}
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else text
    if not isinstance(error, dict):
        return {"message": str(error)}
    return {"message": _message(error), **_words(error)}


def _message(error: Mapping[str, Any]) -> str:
    found = error.get("message") or error.get("detail") or ""
    return found if isinstance(found, str) else _dumped(found)


def _dumped(value: object) -> str:
    try:
        return json.dumps(value)
    except RecursionError:
        return ""


def _words(error: Mapping[str, Any]) -> dict[str, str]:
    pairs = ((name, error.get(name)) for name in ("type", "code"))
    return {name: str(word) for name, word in pairs if isinstance(word, str | int)}


def _said(refusal: Refusal, details: Mapping[str, str]) -> str:
    message = details.get("message", "")
    if refusal.secret is not None:
        message = refusal.secret.scrub(message)
    message = _KEY_LIKE.sub(MASK, message)
    said = f", saying '{visible(message)}'" if message else ""
    by_id = f" (request {refusal.request_id})" if refusal.request_id else ""
    return f"{by_id}{said}"


def _no_key(refusal: Refusal, error_class: type[LMError]) -> str:
    is_keyless = error_class is LMAuthError and refusal.secret is None
    return "no key was sent, and " if is_keyless else ""
