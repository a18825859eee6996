"""What the log of a daemon says of its providers and requests, from their events.

What fails is told where it fails; this is what an operator looks for besides.
"""

from __future__ import annotations

import logging

from dspex.core.events import (
    BREAKER_CLOSE,
    BREAKER_HALF_OPEN,
    BREAKER_OPEN,
    SERVE_REQUEST_STOP,
)
from supervisors import Event, Events
from supervisors.events import Name
from supervisors.log import logger

_REQUESTS = "dspex.serve"
"""The logger of requests."""


def write_chronicle(events: Events) -> None:
    """Log breakers that open and close, and below that level each request that ends.

    Args:
        events: Those of the daemon's runtime.
    """
    wanted: list[Name] = [BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_CLOSE]
    if logging.getLogger(_REQUESTS).isEnabledFor(logging.DEBUG):
        wanted.append(SERVE_REQUEST_STOP)
    events.attach_many(_write, wanted)


def _write(event: Event) -> None:
    known, measured = event.metadata, event.measurements
    if event.name == SERVE_REQUEST_STOP:
        logger(_REQUESTS).debug(
            "request",
            request=known["request"],
            method=known["method"],
            route=known["route"],
            program=known["program"],
            status=known["status"],
            type=known["error_type"],
            seconds=round(measured["seconds"], 6),
        )
        return
    facts = {"provider": known["label"], "model": known["model"]}
    match event.name:
        case ("dspex", "breaker", "open"):
            failures = measured["failures"]
            logger("dspex").warning("a breaker opened", **facts, failures=failures)
        case ("dspex", "breaker", "close"):
            logger("dspex").info("a breaker closed", **facts)
        case _:
            logger("dspex").info("a breaker lets a call look", **facts)
