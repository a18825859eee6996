"""The error tree of dspex.

```
DspexError
├─ ConfigurationError (ValueError)      a setting, a model string or a missing extra
│   ├─ LMNotConfiguredError             a model without a key was asked
│   └─ MetricArgumentsError (TypeError)  an optimiser's metric takes other arguments
├─ SignatureError (ValueError)          the signature text or class is wrong
├─ DataError (ValueError)               a data file or a row; .path .line
│   └─ MissingFileError (FileNotFoundError)  there is no such file or folder
├─ MissingInputError (ValueError)       a program was called without a declared input
├─ UnexpectedInputError (ValueError)    or with a name that is no input
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
├─ EvaluationError (RuntimeError)       the evaluation as a whole could not go on
│   ├─ EvaluationCancelledError         its task was cancelled; cause of that error
│   └─ IncompleteResultError            what was asked needs every example measured
├─ RunError                             a recorded run; .run
│   ├─ RunExistsError                   a new run was to have the name of another
│   ├─ RunNotFoundError (LookupError)   there is none of that name
│   ├─ RunBusyError                     another owner works on it; .pid .host .since
│   ├─ RunFencedError                   another owner took it over
│   ├─ RunChangedError (ConfigurationError)  other data, program or metric; .changes
│   └─ RecordError                      its file cannot be used; .path
│       ├─ RecordUnwritableError        not now; nothing is lost
│       │   └─ RecordFullError          the disk is full
│       ├─ RecordDamagedError           it is broken, or none of dspex
│       └─ RecordVersionError           a newer dspex wrote it; .version .known
├─ BatchError                           too many items of a batch failed; .results
├─ WorkLostError                        work beside other work was ended; .position
│   └─ WorkTimeoutError (TimeoutError)  it took longer than its timeout
└─ RuntimeClosedError                   the runtime has ended, or gave up; see the cause
```

`EvaluationInterrupted` and `BatchInterrupted` are `KeyboardInterrupt`s, so that no
`except Exception` in a program swallows a Ctrl-C. Facts are attributes, so code never
needs to read the text. No error holds a key, a header or a prompt.
"""

from dspex.core.errors.base import (
    DspexError,
)
from dspex.core.errors.calls import (
    BudgetExceededError,
    CircuitOpenError,
    ContextWindowExceededError,
    LMAuthError,
    LMBillingError,
    LMCancelledError,
    LMConnectionError,
    LMError,
    LMInvalidRequestError,
    LMProviderError,
    LMRateLimitError,
    LMResponseError,
    LMServerError,
    LMStreamError,
    LMTimeoutError,
    LMUnexpectedError,
    QueueFullError,
)
from dspex.core.errors.mistakes import (
    ConfigurationError,
    ContentError,
    DataError,
    LMNotConfiguredError,
    MetricArgumentsError,
    MissingFileError,
    MissingInputError,
    SignatureError,
    ToolArgumentError,
    UnexpectedInputError,
)
from dspex.core.errors.replies import (
    AdapterError,
    AdapterParseError,
)
from dspex.core.errors.runs import (
    RecordDamagedError,
    RecordError,
    RecordFullError,
    RecordUnwritableError,
    RecordVersionError,
    RunBusyError,
    RunChangedError,
    RunError,
    RunExistsError,
    RunFencedError,
    RunNotFoundError,
)
from dspex.core.errors.scores import (
    IncompleteResultError,
    MetricRangeError,
    NotBetterError,
)
from dspex.core.errors.work import (
    BatchError,
    BatchInterrupted,
    EvaluationCancelledError,
    EvaluationError,
    EvaluationInterrupted,
    RuntimeClosedError,
    ToolExecutionError,
    WorkLostError,
    WorkTimeoutError,
)

__all__ = [
    "AdapterError",
    "AdapterParseError",
    "BatchError",
    "BatchInterrupted",
    "BudgetExceededError",
    "CircuitOpenError",
    "ConfigurationError",
    "ContentError",
    "ContextWindowExceededError",
    "DataError",
    "DspexError",
    "EvaluationCancelledError",
    "EvaluationError",
    "EvaluationInterrupted",
    "IncompleteResultError",
    "LMAuthError",
    "LMBillingError",
    "LMCancelledError",
    "LMConnectionError",
    "LMError",
    "LMInvalidRequestError",
    "LMNotConfiguredError",
    "LMProviderError",
    "LMRateLimitError",
    "LMResponseError",
    "LMServerError",
    "LMStreamError",
    "LMTimeoutError",
    "LMUnexpectedError",
    "MetricArgumentsError",
    "MetricRangeError",
    "MissingFileError",
    "MissingInputError",
    "NotBetterError",
    "QueueFullError",
    "RecordDamagedError",
    "RecordError",
    "RecordFullError",
    "RecordUnwritableError",
    "RecordVersionError",
    "RunBusyError",
    "RunChangedError",
    "RunError",
    "RunExistsError",
    "RunFencedError",
    "RunNotFoundError",
    "RuntimeClosedError",
    "SignatureError",
    "ToolArgumentError",
    "ToolExecutionError",
    "UnexpectedInputError",
    "WorkLostError",
    "WorkTimeoutError",
]
