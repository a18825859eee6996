"""The log of a daemon on standard error: one JSON object a line, or words for people.

For the process that `dspex serve` is, which belongs to nobody else: in a program of
somebody's own, dspex touches no configuration of logging.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO, cast

import structlog
from aiohttp.http_exceptions import HttpProcessingError

from dspex.core.safe_text import safe_text
from dspex.telemetry import json_logs
from supervisors.log import logger


@contextmanager
def logging_to_stderr(
    *, as_json: bool, stream: TextIO | None = None, level: int | str = logging.INFO
) -> Iterator[None]:
    """Write what this process logs in the block, a line each, keys masked.

    Warnings are logged too, and errors that nothing has caught: in a thread, or where
    something is thrown away. What was configured before is so again after it.

    Args:
        as_json: Whether each line is a JSON object.
        stream: Where to; standard error by default.
        level: What is written: this level and above.
    """
    root = logging.getLogger()
    handlers, level_before = list(root.handlers), root.level
    was_configured, before = structlog.is_configured(), structlog.get_config()
    json_logs.configure(stream, level)
    # Python loads a file to write such a character, and may have none left to open
    # when that is what has to be told.
    safe_text("\x1b")
    if not as_json:
        (handler,) = root.handlers
        formatter = cast("structlog.stdlib.ProcessorFormatter", handler.formatter)
        formatter.processors = (*formatter.processors[:-1], _words)
    try:
        with _everything_logged():
            yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level_before)
        structlog.configure(**before) if was_configured else structlog.reset_defaults()


@contextmanager
def _everything_logged() -> Iterator[None]:
    """Log what Python writes to standard error by itself, in lines of its own."""
    of_warnings, of_threads, unraisable = (
        warnings.showwarning,
        threading.excepthook,
        sys.unraisablehook,
    )
    warnings.showwarning = _log_warning
    threading.excepthook = _log_end_of_thread
    sys.unraisablehook = _log_unraisable
    try:
        yield
    finally:
        warnings.showwarning = of_warnings
        threading.excepthook = of_threads
        sys.unraisablehook = unraisable


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001 - the names are Python's
    line: str | None = None,  # noqa: ARG001 - the names are Python's
) -> None:
    told = f"{category.__name__}: {message}"
    logging.getLogger("py.warnings").warning(
        "%s", told, extra={"place": f"{filename}:{lineno}"}
    )


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    # Python is silent of it, too.
    if not issubclass(ended.exc_type, SystemExit):
        name = None if ended.thread is None else ended.thread.name
        logger("dspex").error(
            "an error has ended a thread",
            thread_name=name,
            exc_info=ended.exc_value,
        )


def _log_unraisable(lost: sys.UnraisableHookArgs) -> None:
    # Only its name: what is thrown away is not to be kept.
    name = getattr(lost.object, "__qualname__", type(lost.object).__name__)
    logger("dspex").error(
        "an error could not be raised",
        told=lost.err_msg or "Exception ignored in",
        where=name,
        exc_info=lost.exc_value,
    )


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
