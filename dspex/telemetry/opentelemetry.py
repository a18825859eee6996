"""Traces and metrics for OpenTelemetry: `instrument()` and nothing else is needed.

Only OpenTelemetry's API is used; which SDK and exporter there are is for the
application to say. Prompts and answers are left out unless they are asked for, and the
texts of errors, which may quote them, always.
"""

from __future__ import annotations

import threading
from typing import Any

from dspex.core import events as names
from dspex.core.errors import ConfigurationError
from dspex.core.ids import new_id
from dspex.telemetry.handlers import attach, detach
from dspex.telemetry.spans import Recorder

_Providers = tuple[Any, Any, Any]
"""Of traces, of figures and of logs, as `instrument` was given them."""


class Instrumentation:
    """What `instrument` has attached."""

    def __init__(self, recorder: Recorder, providers: _Providers) -> None:
        self._id = f"opentelemetry {new_id()}"
        self._recorder = recorder
        self._providers = providers
        attach(self._id, names.PROGRAM_START[:1], recorder)

    def uninstrument(self) -> None:
        """Begin no span any more; what is open is recorded to its end.

        Twice is as good as once.
        """
        with _lock:
            if _standing.get(self._providers) is self:
                del _standing[self._providers]
        self._recorder.end(lambda: detach(self._id))


_standing: dict[_Providers, Instrumentation] = {}
"""What records to each set of providers."""
# Protects it: two threads may instrument at once.
_lock = threading.RLock()


def instrument(
    tracer_provider: Any = None,
    meter_provider: Any = None,
    *,
    logger_provider: Any = None,
    capture_content: bool = False,
) -> Instrumentation:
    """Record programs, models, tools and examples of this process as spans.

    Called again with the same providers, as when the cell of a notebook is run again,
    the last call counts, and nothing is recorded twice.

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
    recorder = Recorder(
        tracer=trace.get_tracer("dspex", tracer_provider=tracer_provider),
        meter=metrics.get_meter("dspex", meter_provider=meter_provider),
        logger=_logs.get_logger("dspex", logger_provider=logger_provider),
        capture_content=capture_content,
    )
    with _lock:
        providers = (tracer_provider, meter_provider, logger_provider)
        if (before := _standing.get(providers)) is not None:
            before.uninstrument()
        made = _standing[providers] = Instrumentation(recorder, providers)
    return made
