"""Events as logs, traces and metrics: handlers of what dspex tells anyway.

`attach` and `detach` are for handlers of your own; `opentelemetry`, `prometheus` and
`json_logs` are made with them. The names of the events stand in `dspex.core.events`.
"""

from dspex.telemetry.handlers import attach as attach
from dspex.telemetry.handlers import attach_many as attach_many
from dspex.telemetry.handlers import detach as detach

__all__ = ["attach", "attach_many", "detach"]
