"""The log of a daemon on standard error: one JSON object a line, or words for people.

For the process that `dspex serve` is, which belongs to nobody else: in a program of
somebody's own, dspex touches no configuration of logging.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog

from dspex.core.safe_text import safe_text

_OTHERS = logging.WARNING
"""What is worth telling of packages that are not ours."""
_OURS = ("dspex", "supervisors")


@contextmanager
def logging_to_stderr(*, as_json: bool, stream: TextIO | None = None) -> Iterator[None]:
    """Write what this process logs in the block, a line each: of dspex from `info` on.

    A text with line breaks or escapes stays one line and one text.

    Args:
        as_json: Whether each line is a JSON object.
        stream: Where to; standard error by default.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.ExtraAdder(),
                structlog.stdlib.add_logger_name,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(default=str) if as_json else _words,
            ],
        )
    )
    levels = {"": _OTHERS} | dict.fromkeys(_OURS, logging.INFO)
    before = {name: logging.getLogger(name).level for name in levels}
    root = logging.getLogger()
    root.addHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _words(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """A line for people; `repr` keeps what a fact holds on it."""
    facts = dict(event)
    head = f"{facts.pop('timestamp')} {facts.pop('level')}: {facts.pop('event')}"
    facts.pop("logger", None)
    told = " ".join(f"{name}={value!r}" for name, value in facts.items())
    return safe_text(f"{head} {told}").replace("\n", " ")
