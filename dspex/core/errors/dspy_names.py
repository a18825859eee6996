"""DSPy's names of dspex's errors, for programs that catch them by those names.

Each is the class itself. Where DSPy has a class of its own for what is one kind here,
as for a model that is not configured, the name leads to that kind.
"""

from __future__ import annotations

from dspex.core.errors import (
    ConfigurationError,
    DspexError,
    LMConnectionError,
    LMError,
    LMInvalidRequestError,
    LMStreamError,
)

DSPyError = DspexError
LMConfigurationError = ConfigurationError
LMStreamAssemblyError = LMStreamError
LMTransportError = LMConnectionError
LMUnsupportedFeatureError = ConfigurationError
LMUnsupportedModelError = LMInvalidRequestError


def is_retryable_lm_error(error: BaseException) -> bool:
    """Say whether the same call may succeed when it is made again.

    dspex itself has tried again already, as often as `LM(num_retries=...)` allows.

    Args:
        error: Any error; one that is no `LMError` is not worth another call.
    """
    return isinstance(error, LMError) and error.retryable
