"""The error tree of dspex.

```
DspexError
├─ ConfigurationError (ValueError)      a setting, a model string or a missing extra
├─ SignatureError (ValueError)          the signature text or class is wrong
├─ DataError (ValueError)               a data file or a row; .path .line
├─ MissingInputError (ValueError)       a program was called without a declared input
├─ AdapterError                         between a signature and a model's text
│   └─ AdapterParseError                the reply does not fit the signature
├─ LMError                              one language-model call ended without an answer
│   ├─ LMConnectionError                no connection, or it broke
│   ├─ LMProviderError                  the provider let the call fail
│   │   ├─ LMTimeoutError               no byte for the attempt timeout, or the deadline
│   │   ├─ LMRateLimitError             429; .retry_after
│   │   ├─ LMAuthError                  401, 403: the key
│   │   ├─ LMBillingError               402, insufficient_quota: the account
│   │   ├─ LMInvalidRequestError        400, 404, 422: the request
│   │   │   └─ ContextWindowExceededError   longer than the model's context
│   │   └─ LMServerError                5xx
│   ├─ LMUnexpectedError                what came is not what was promised
│   │   ├─ LMResponseError              a reply that is none
│   │   └─ LMStreamError                a stream broke after its first text; .text
│   ├─ CircuitOpenError                 the provider has been down too long; .retry_in
│   ├─ QueueFullError                   more calls wait than the queue may hold
│   ├─ BudgetExceededError              the next request might exceed a budget
│   └─ LMCancelledError                 the scope that made the call was cancelled
├─ EvaluationError                      the evaluation as a whole could not go on
└─ RuntimeClosedError                   the runtime has ended, or gave up; see the cause
```

`EvaluationInterrupted` is a `KeyboardInterrupt`, so that no `except Exception` in a
program swallows a Ctrl-C. Facts are attributes, so code never needs to read the text.
No error holds a key, a header or a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class DspexError(Exception):
    """Base of every error dspex raises on purpose."""

    code: str = "dspex_error"
    """A word for the kind of error that never changes, for logs and dashboards; DSPy's
    word where DSPy has one."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class ConfigurationError(DspexError, ValueError):
    """A setting is missing or makes no sense; raised before any work starts."""

    code = "configuration"


class SignatureError(DspexError, ValueError):
    """The text or class of a signature is wrong."""

    code = "signature"


class DataError(DspexError, ValueError):
    """A data file or a row of it cannot be read.

    Attributes:
        path: The file, or `None` for rows that came from memory.
        line: The line in the file, counted from 1, or `None`.
    """

    code = "data"

    def __init__(
        self, message: str, *, path: Path | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.path = path
        self.line = line


class MissingInputError(DspexError, ValueError):
    """A program was called without one of its declared inputs.

    Attributes:
        missing: The names that were not given.
    """

    code = "missing_input"

    def __init__(self, message: str, *, missing: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.missing = missing


class AdapterError(DspexError):
    """Something between a signature and a model's text went wrong."""

    code = "adapter"


class AdapterParseError(AdapterError):
    """A model's reply does not fit the signature.

    Args:
        message: The whole text; by default one made of the other facts.
        adapter_name: The adapter that could not read the reply.
        lm_response: The reply, as it came.
        signature: The signature it should fit, or `None`.
        expected: The output fields that were expected; those of the signature unless
            given.
        parsed_result: The fields that could be read, by name.

    Attributes:
        adapter_name: As given.
        lm_response: As given.
        signature: As given.
        expected: As given, or as the signature has them.
        parsed_result: As given; an empty mapping when nothing could be read.
    """

    code = "adapter_parse_error"

    def __init__(
        self,
        message: str | None = None,
        *,
        adapter_name: str,
        lm_response: str,
        signature: Any = None,
        expected: tuple[str, ...] = (),
        parsed_result: Mapping[str, Any] | None = None,
    ) -> None:
        if signature is not None and not expected:
            expected = tuple(signature.output_fields)
        read = dict(parsed_result or {})
        super().__init__(
            message or _unreadable(adapter_name, lm_response, expected, tuple(read))
        )
        self.adapter_name = adapter_name
        self.lm_response = lm_response
        self.signature = signature
        self.expected = expected
        self.parsed_result = read


def _unreadable(
    adapter_name: str, reply: str, expected: tuple[str, ...], read: tuple[str, ...]
) -> str:
    found = f"only {', '.join(read)}" if read else "none of them"
    return (
        f"{adapter_name} cannot read a reply of {len(reply)} characters; expected the "
        f"fields {', '.join(expected)} and found {found}. Look at .lm_response, and "
        "show the model worked examples (demos)."
    )


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
    """What came from the provider is not what its interface promises."""

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
    """

    code = "circuit_open"

    def __init__(self, message: str, *, retry_in: float = 0.0, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retry_in = retry_in


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


class EvaluationError(DspexError):
    """An evaluation could not go on.

    Attributes:
        result: What was measured until then (an `EvaluationResult`), or `None`.
    """

    code = "evaluation"

    def __init__(self, message: str, *, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class EvaluationInterrupted(KeyboardInterrupt):
    """Ctrl-C during an evaluation or an optimisation.

    Attributes:
        result: What was measured until then (an `EvaluationResult`), or `None`.
        best_so_far: For an optimiser, the best program until then, or `None`.
    """

    def __init__(
        self, message: str, *, result: Any = None, best_so_far: Any = None
    ) -> None:
        super().__init__(message)
        self.result = result
        self.best_so_far = best_so_far


class RuntimeClosedError(DspexError):
    """The runtime has ended or given up; the cause says why."""

    code = "runtime_closed"
