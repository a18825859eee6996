"""Where this package reports to: the standard logger `supervisors`, through structlog.

Nobody's configuration is touched: structlog is wrapped around one logger, which has a
handler that does nothing. A program that configures logging sees the reports, with
their facts as fields of the record.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import structlog


@functools.cache
def logger(name: str = "supervisors") -> structlog.stdlib.BoundLogger:
    """The logger of that name; structlog loads when something is reported first."""
    import structlog

    plain = logging.getLogger(name)
    plain.addHandler(logging.NullHandler())
    wrapped = structlog.wrap_logger(
        plain,
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.render_to_log_kwargs,
        ],
    )
    return cast("structlog.stdlib.BoundLogger", wrapped)
