"""How one call of a language model can end without an answer.

The whole tree of errors, and the place to import these from, is `dspex.core.errors`.
"""

from __future__ import annotations

from typing import Any

from dspex.core.errors.base import DspexError


class LMError(DspexError):
    """One language-model call ended without an answer.

    Attributes:
        code: A word for the kind of error; the class's own unless given.
        model: The model string as the user wrote it, or `None`.
        provider: Who was asked; the model string's prefix unless given.
        provider_code: The provider's own word for the error, or `None`.
        status: The HTTP status, or `None` when no reply came.
        request_id: The provider's id of the request, or `None`.
        retry_after: Seconds the provider asked to wait, or `None`.
        attempts: How many requests were sent for this call.
    """

    code = "lm_error"
    retryable: bool = False
    """Whether the same call may succeed when it is made again.

    Each class has its own answer; an instance differs when the provider said so.
    """
    was_sent: bool = True
    """Whether the last request may have reached the provider, which may bill it then;
    not so where there was no connection, for example."""
    in_doubt: bool = False
    """Whether it may be the provider's doing and not this call's: nobody who asked
    after its last request had an answer when it failed."""
    lane: tuple[str, str] | None = None
    """Whose breaker heard of it: the provider as its client calls it, and the model as
    the provider does. `model` is the user's word for both."""

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        provider_code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        attempts: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.model = model
        self.provider = provider or _prefix(model)
        self.provider_code = provider_code
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.attempts = attempts

    def __str__(self) -> str:
        """Return the text, with the model in front where the text does not name it."""
        if not self.model or self.model in self.message:
            return self.message
        return f"[{self.model}] {self.message}"


def _prefix(model: str | None) -> str | None:
    prefix, slash, _ = (model or "").partition("/")
    return prefix if slash else None


class LMProviderError(LMError):
    """The provider let the call fail: it refused it, broke down, or never answered."""

    code = "provider"


class LMUnexpectedError(LMError):
    """What came is not what was promised, or a model's own code failed."""

    code = "unexpected"


class LMConnectionError(LMError):
    """No connection could be made, or it broke before the reply was whole."""

    code = "transport"
    retryable = True


class LMTimeoutError(LMProviderError):
    """No byte came for the attempt timeout, or the call's deadline passed."""

    code = "timeout"
    retryable = True


class LMRateLimitError(LMProviderError):
    """The provider said 429: too many requests."""

    code = "rate_limit"
    retryable = True
    puts_off: bool = False
    """Whether `retry_after` is longer than a call may sleep, so that nobody need ask
    before."""


class LMAuthError(LMProviderError):
    """The provider refused the key (401 or 403)."""

    code = "auth"


class LMBillingError(LMProviderError):
    """The account cannot pay (402, or a 429 with `insufficient_quota`)."""

    code = "billing"


class LMInvalidRequestError(LMProviderError):
    """The provider refused the request itself (400, 404, 413, 422)."""

    code = "invalid_request"


class ContextWindowExceededError(LMInvalidRequestError):
    """The prompt is longer than the model's context."""

    code = "context_window_exceeded"


class LMServerError(LMProviderError):
    """The provider failed (5xx)."""

    code = "server"
    retryable = True


class LMResponseError(LMUnexpectedError):
    """The provider answered 200 with something that is not a reply.

    It is worth another attempt: nothing of the answer could be read.
    """

    code = "response"
    retryable = True


class LMStreamError(LMUnexpectedError):
    """A stream broke after its first text had been handed on.

    It is never sent again in silence: what was read would come twice.

    Attributes:
        text: What had come until then, of the first completion.
    """

    code = "stream_assembly"

    def __init__(self, message: str = "", *, text: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.text = text


class CircuitOpenError(LMError):
    """The provider has been down longer than `max_outage`; the cause is chained.

    Attributes:
        retry_in: Seconds until the next request looks whether it is back.
        down_for: Seconds for which it has been down.
        only_waited: Whether no request of this call was lost: it waited for the
            provider to come back, and at most looked whether it was.
    """

    code = "circuit_open"

    def __init__(
        self,
        message: str,
        *,
        retry_in: float = 0.0,
        down_for: float = 0.0,
        only_waited: bool = False,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.retry_in = retry_in
        self.down_for = down_for
        self.only_waited = only_waited


class QueueFullError(LMError):
    """As many calls wait as the queue may hold, so this one was not taken."""

    code = "queue_full"


class BudgetExceededError(LMError):
    """The next request might have exceeded a budget, so it was not sent.

    Attributes:
        budget: The budget's name.
        limit: What was limited: "calls", "tokens" or "dollars".
    """

    code = "budget_exceeded"

    def __init__(
        self, message: str, *, budget: str = "", limit: str = "", **facts: Any
    ) -> None:
        super().__init__(message, **facts)
        self.budget = budget
        self.limit = limit


class LMCancelledError(LMError):
    """The work that made this call was given up, so the call was too."""

    code = "cancelled"
