"""From a response that holds no answer to an error, whatever the format.

A format says which class fits and what the provider said. What all formats share is
here: what a status usually means, how the error is worded, and which facts it carries.
"""

from __future__ import annotations

from collections.abc import Mapping

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.foreign_text import masked, visible
from dspex.client.providers.format import Sender
from dspex.client.providers.retry_after import retry_after, should_retry
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

_TOO_LONG_TEXTS = (
    "maximum context length",
    "available context size",
    "context window",
    "prompt is too long",
    "maximum number of tokens allowed",
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


def is_success(status: int) -> bool:
    """Whether a status promises an answer."""
    return 200 <= status < 300


def usual_class(status: int) -> type[LMError]:
    """Say what a status means when the provider's own words add nothing.

    Example:
        >>> [usual_class(status).__name__ for status in (401, 429, 529)]
        ['LMAuthError', 'LMRateLimitError', 'LMServerError']
    """
    if status in {401, 403}:
        return LMAuthError
    if status == 402:
        return LMBillingError
    if status == 429:
        return LMRateLimitError
    if status in {408, 409} or status >= 500:
        return LMServerError
    return LMResponseError if is_success(status) else LMInvalidRequestError


def says_too_long(message: str) -> bool:
    """Whether a provider's words mean that the prompt is longer than the context."""
    lowered = message.lower()
    return any(text in lowered for text in _TOO_LONG_TEXTS)


def refused(
    response: HttpResponse,
    sender: Sender,
    *,
    error_class: type[LMError],
    message: str = "",
    status: int | None = None,
) -> LMError:
    """Make the error for a refusal.

    Args:
        response: What came.
        sender: Who asked.
        error_class: What the refusal means; one of those `usual_class` can give, or
            `ContextWindowExceededError`.
        message: What the provider said, as it came. It is masked and shortened here.
        status: The status that counts, when it is not the response's own.
    """
    counts = response.status if status is None else status
    request_id = request_id_in(response.headers, sender)
    by_id = f" (request {request_id})" if request_id else ""
    error = error_class(
        f"{sender.label!r} was refused with status {counts}{by_id}"
        f"{_said(message, sender)}; {_no_key(sender, error_class)}"
        f"{_MENDS[error_class]}",
        model=sender.label,
        status=counts,
        request_id=request_id,
        retry_after=retry_after(response.headers, sender.wall_clock),
    )
    advice = should_retry(response.headers)
    if advice is not None:
        # The class says what is usual; the provider's own word on this one wins.
        error.retryable = advice
    return error


def unreadable(
    response: HttpResponse, sender: Sender, *, problem: str, expected: str
) -> LMResponseError:
    """Make the error for a success whose body is not what the format promises.

    Args:
        response: What came.
        sender: Who asked.
        problem: What is wrong, as a clause: "it has no choices".
        expected: What the format promises: "JSON with choices[0].message.content".
    """
    return LMResponseError(
        f"the reply of {sender.label!r} is no completion: {problem}; expected"
        f" {expected}. Check that api_base is the root of an API of this format"
        f" ({sender.endpoint.format}).",
        model=sender.label,
        status=response.status,
        request_id=request_id_in(response.headers, sender),
    )


def request_id_in(headers: Mapping[str, str], sender: Sender) -> str | None:
    """Find the provider's id of a request in a response's headers."""
    return shown_id(headers.get("x-request-id") or headers.get("request-id"), sender)


def shown_id(found: object, sender: Sender) -> str | None:
    """Make a provider's id of a request fit to be shown and kept.

    A server may echo the key that was sent here as well; it is masked.
    """
    if not isinstance(found, str) or not found:
        return None
    return visible(masked(found, sender.endpoint.api_key), limit=200)


def _said(message: str, sender: Sender) -> str:
    # Masked before it is cut: the cut might leave half of a key.
    shown = visible(masked(message, sender.endpoint.api_key))
    return f", saying '{shown}'" if shown else ""


def _no_key(sender: Sender, error_class: type[LMError]) -> str:
    is_keyless = error_class is LMAuthError and sender.endpoint.api_key is None
    return "no key was sent, and " if is_keyless else ""
