"""The log of a daemon on standard error: one JSON object a line, or words for people.

For the process that `dspex serve` is, which belongs to nobody else: in a program of
somebody's own, dspex touches no configuration of logging.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO, cast

import structlog
from aiohttp.http_exceptions import HttpProcessingError

from dspex.core.safe_text import safe_text
from dspex.telemetry import json_logs


@contextmanager
def logging_to_stderr(*, as_json: bool, stream: TextIO | None = None) -> Iterator[None]:
    """Write what this process logs in the block, a line each, keys masked.

    What was configured before is so again after it.

    Args:
        as_json: Whether each line is a JSON object.
        stream: Where to; standard error by default.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    was_configured, before = structlog.is_configured(), structlog.get_config()
    json_logs.configure(stream)
    if not as_json:
        (handler,) = root.handlers
        formatter = cast("structlog.stdlib.ProcessorFormatter", handler.formatter)
        formatter.processors = (*formatter.processors[:-1], _words)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**before) if was_configured else structlog.reset_defaults()


class _Nonsense(logging.Filter):
    """Takes the traceback from what a client has sent that is no HTTP.

    Anybody can send that, as often as they like, and it is no mistake of ours.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = None if record.exc_info is None else record.exc_info[1]
        if isinstance(error, HttpProcessingError):
            record.exc_info = record.exc_text = None
            record.msg, record.args = "what came was no HTTP", ()
            record.levelno, record.levelname = logging.INFO, "INFO"
        return True


def http_logger() -> logging.Logger:
    """Return the logger of the HTTP server."""
    found = logging.getLogger("dspex.serve.http")
    if not found.filters:
        found.addFilter(_Nonsense())
    return found


def _words(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """A line for people; `repr` keeps what a fact holds on it."""
    facts = dict(event)
    head = f"{facts.pop('timestamp')} {facts.pop('level')}: {facts.pop('event')}"
    facts.pop("logger", None)
    told = " ".join(f"{name}={value!r}" for name, value in facts.items())
    return safe_text(f"{head} {told}").replace("\n", " ")
