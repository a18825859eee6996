"""The error tree of dspex.

```
DspexError
├─ ConfigurationError (ValueError)      a setting, a model string or a missing extra
│   └─ LMNotConfiguredError             a model without a key was asked
├─ SignatureError (ValueError)          the signature text or class is wrong
├─ DataError (ValueError)               a data file or a row; .path .line
│   └─ MissingFileError (FileNotFoundError)  there is no such file or folder
├─ MissingInputError (ValueError)       a program was called without a declared input
├─ ContentError (ValueError)            a picture, file or sound that is none
├─ ToolArgumentError (ValueError)       a tool does not take them; .tool .arguments
├─ ToolExecutionError (RuntimeError)    a tool's function raised; .tool, and the cause
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
├─ BatchError                           too many items of a batch failed; .results
├─ WorkLostError                        work beside other work was ended; .position
│   └─ WorkTimeoutError (TimeoutError)  it took longer than its timeout
└─ RuntimeClosedError                   the runtime has ended, or gave up; see the cause
```

`EvaluationInterrupted` and `BatchInterrupted` are `KeyboardInterrupt`s, so that no
`except Exception` in a program swallows a Ctrl-C. Facts are attributes, so code never
needs to read the text. No error holds a key, a header or a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dspex.core.base_error import DspexError as DspexError
from dspex.core.call_errors import BudgetExceededError as BudgetExceededError
from dspex.core.call_errors import CircuitOpenError as CircuitOpenError
from dspex.core.call_errors import (
    ContextWindowExceededError as ContextWindowExceededError,
)
from dspex.core.call_errors import LMAuthError as LMAuthError
from dspex.core.call_errors import LMBillingError as LMBillingError
from dspex.core.call_errors import LMCancelledError as LMCancelledError
from dspex.core.call_errors import LMConnectionError as LMConnectionError
from dspex.core.call_errors import LMError as LMError
from dspex.core.call_errors import LMInvalidRequestError as LMInvalidRequestError
from dspex.core.call_errors import LMProviderError as LMProviderError
from dspex.core.call_errors import LMRateLimitError as LMRateLimitError
from dspex.core.call_errors import LMResponseError as LMResponseError
from dspex.core.call_errors import LMServerError as LMServerError
from dspex.core.call_errors import LMStreamError as LMStreamError
from dspex.core.call_errors import LMTimeoutError as LMTimeoutError
from dspex.core.call_errors import LMUnexpectedError as LMUnexpectedError
from dspex.core.call_errors import QueueFullError as QueueFullError
from dspex.core.type_names import type_name

SHOWN: Final = 200
"""How many characters of a reply an error's text shows."""


class ConfigurationError(DspexError, ValueError):
    """A setting is missing or makes no sense; raised before any work starts."""

    code = "configuration"


class LMNotConfiguredError(ConfigurationError):
    """A model has no key; raised at its first call, for it may be set until then."""

    code = "not_configured"


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


class MissingFileError(DataError, FileNotFoundError):
    """There is no such file or folder."""

    code = "missing_file"


class MissingInputError(DspexError, ValueError):
    """A program was called without one of its declared inputs.

    Attributes:
        missing: The names that were not given.
    """

    code = "missing_input"

    def __init__(self, message: str, *, missing: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.missing = missing


class ContentError(DspexError, ValueError):
    """What was given as a picture, a file or a sound cannot be sent as one."""


class ToolArgumentError(DspexError, ValueError):
    """A tool was called with arguments it does not take.

    Attributes:
        tool: The tool's name.
        arguments: The names of the arguments that are wrong, unknown or missing.
    """

    def __init__(self, message: str, *, tool: str, arguments: tuple[str, ...]) -> None:
        super().__init__(message)
        self.tool = tool
        self.arguments = arguments


class ToolExecutionError(DspexError, RuntimeError):
    """A tool's own function raised; what it raised is the cause.

    Attributes:
        tool: The tool's name.
    """

    def __init__(self, message: str, *, tool: str) -> None:
        super().__init__(message)
        self.tool = tool


class AdapterError(DspexError):
    """Something between a signature and a model's text went wrong."""

    code = "adapter"


class AdapterParseError(AdapterError):
    """A model's reply does not fit the signature.

    Its text says what is wrong, what was expected, and what came (the first 200
    characters of it).

    Args:
        adapter_name: The class of the adapter that could not read the reply.
        signature: The signature whose outputs were expected.
        lm_response: The reply.
        message: What is wrong with it.
        parsed_result: The outputs that could be read, by name.

    Attributes:
        adapter_name: The class of the adapter that could not read the reply.
        signature: The signature whose outputs were expected.
        lm_response: The reply, as it came.
        expected: The output fields that were expected.
        parsed_result: The fields that could be read, by name.
    """

    code = "adapter_parse_error"

    def __init__(
        self,
        adapter_name: str,
        signature: Any,
        lm_response: str,
        message: str | None = None,
        parsed_result: dict[str, Any] | None = None,
    ) -> None:
        self.adapter_name = adapter_name
        self.signature = signature
        self.lm_response = lm_response
        self.parsed_result = parsed_result or {}
        self._problem = message
        self.expected = tuple(getattr(signature, "output_fields", ()))
        super().__init__(
            f"the reply does not fit through {adapter_name}: "
            f"{message or 'an output is missing'}. {_expectation(signature)}; what "
            f"came is {_shortened(lm_response)}. Show the model worked examples "
            "(demos), or raise max_tokens if the reply was cut off."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        facts = (self.adapter_name, self.signature, self.lm_response, self._problem)
        return type(self), (*facts, self.parsed_result)


def _expectation(signature: Any) -> str:
    fields = getattr(signature, "output_fields", {}).items()
    typed = [f"{name!r} ({type_name(field.annotation)})" for name, field in fields]
    return (
        f"The outputs of {getattr(signature, 'signature', '')!r} are {', '.join(typed)}"
    )


def _shortened(text: str) -> str:
    if len(text) <= SHOWN:
        return repr(text)
    return f"{text[:SHOWN]!r}... ({len(text)} characters)"


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


class WorkLostError(DspexError):
    """A piece of work that ran beside others was ended before it was done.

    Attributes:
        position: Which of the items it was for, counted from 0.
    """

    def __init__(self, message: str, *, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


class WorkTimeoutError(WorkLostError, TimeoutError):
    """A piece of work took longer than its `timeout`, and was given up."""


class BatchError(DspexError):
    """So many items of a batch failed that the rest was given up.

    Attributes:
        results: What was done, in the order of the items; `None` for the others.
        failures: What failed: the error by the item's position.
    """

    def __init__(
        self,
        message: str,
        *,
        results: Sequence[Any] = (),
        failures: Mapping[int, BaseException] | None = None,
    ) -> None:
        super().__init__(message)
        self.results = list(results)
        self.failures = dict(failures or {})


class BatchInterrupted(KeyboardInterrupt):
    """Ctrl-C during a batch.

    Attributes:
        results: What was done, in the order of the items; `None` for the others.
        failures: What failed: the error by the item's position.
    """

    def __init__(
        self,
        message: str,
        *,
        results: Sequence[Any] = (),
        failures: Mapping[int, BaseException] | None = None,
    ) -> None:
        super().__init__(message)
        self.results = list(results)
        self.failures = dict(failures or {})


class RuntimeClosedError(DspexError):
    """The runtime has ended or given up; the cause says why."""

    code = "runtime_closed"
