"""Work was begun and could not be done: by a tool, a batch, an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dspex.core.errors.base import DspexError


class ToolExecutionError(DspexError, RuntimeError):
    """A tool's own function raised; what it raised is the cause.

    Attributes:
        tool: The tool's name.
    """

    def __init__(self, message: str, *, tool: str) -> None:
        super().__init__(message)
        self.tool = tool


class EvaluationError(DspexError, RuntimeError):
    """An evaluation could not go on; a `RuntimeError` too.

    Attributes:
        result: What was measured until then (an `EvaluationResult`), or `None`.
    """

    code = "evaluation"

    def __init__(self, message: str, *, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class EvaluationCancelledError(EvaluationError):
    """The task that awaited an evaluation was cancelled; the run has ended in order.

    It is the cause of the `asyncio.CancelledError` that goes on, and never raised
    itself: `asyncio.timeout` and task groups know that class alone, and none below it.
    """

    code = "evaluation_cancelled"


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


class _PartlyDone(BaseException):
    """Holds what a batch had done when it ended."""

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


class BatchError(_PartlyDone, DspexError):
    """So many items of a batch failed that the rest was given up.

    Attributes:
        results: What was done, in the order of the items; `None` for the others.
        failures: What failed: the error by the item's position.
    """


class BatchInterrupted(_PartlyDone, KeyboardInterrupt):
    """Ctrl-C during a batch.

    Attributes:
        results: What was done, in the order of the items; `None` for the others.
        failures: What failed: the error by the item's position.
    """


class RuntimeClosedError(DspexError):
    """The runtime has ended or given up; the cause says why."""

    code = "runtime_closed"
