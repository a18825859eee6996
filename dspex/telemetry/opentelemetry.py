"""Traces and metrics for OpenTelemetry: `instrument()` and nothing else is needed.

Only OpenTelemetry's API is used; which SDK and exporter there are is for the
application to say. Prompts and answers are left out unless they are asked for, and the
texts of errors, which may quote them, always.
"""

from __future__ import annotations

from typing import Any

from dspex.core import events as names
from dspex.core.errors import ConfigurationError
from dspex.core.ids import new_id
from dspex.telemetry.handlers import attach, detach
from dspex.telemetry.spans import Recorder


class Instrumentation:
    """What `instrument` has attached."""

    def __init__(self, recorder: Recorder) -> None:
        self._id = f"opentelemetry {new_id()}"
        attach(self._id, names.PROGRAM_START[:1], recorder)

    def uninstrument(self) -> None:
        """Record nothing more; what is open stays open. Twice is as good as once."""
        detach(self._id)


def instrument(
    tracer_provider: Any = None,
    meter_provider: Any = None,
    *,
    logger_provider: Any = None,
    capture_content: bool = False,
) -> Instrumentation:
    """Record programs, models, tools and examples of this process as spans.

    Args:
        tracer_provider: Where spans go; the global one by default.
        meter_provider: Where figures go; the global one by default.
        logger_provider: Where results of evaluations go; the global one by default.
        capture_content: Whether spans hold prompts and answers.

    Returns:
        A handle with `uninstrument()`.

    Raises:
        ConfigurationError: The extra is missing.
    """
    try:
        from opentelemetry import _logs, metrics, trace
    except ImportError as error:
        raise ConfigurationError(
            "OpenTelemetry is not installed; its API is needed to record spans. "
            "Install it with: pip install 'dspex[otel]'"
        ) from error
    return Instrumentation(
        Recorder(
            tracer=trace.get_tracer("dspex", tracer_provider=tracer_provider),
            meter=metrics.get_meter("dspex", meter_provider=meter_provider),
            logger=_logs.get_logger("dspex", logger_provider=logger_provider),
            capture_content=capture_content,
        )
    )
