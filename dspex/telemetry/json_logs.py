"""Logs as lines of JSON, for a daemon: `configure()` sets up this process's logging.

The library never calls it: whoever embeds dspex has a configuration of their own.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TextIO

from dspex.client.secrets import MASK
from dspex.core.key_shapes import LOOKS_LIKE_A_KEY
from dspex.core.safe_text import safe_text

if TYPE_CHECKING:
    import structlog

_KEY_NAMES: Final = re.compile(
    r"(?i)(api[-_]?key|authorization|password|secret|cookie|access[-_]?token)"
)
"""Fields whose values are keys, whatever they look like."""
_KEYS: Final = re.compile(
    rf"{LOOKS_LIKE_A_KEY.pattern}|\b(?:sk|pk)-[\w-]{{4,}}|(?i:bearer)\s+[\w.~+/=-]{{4,}}"
)
"""What keys look like, short ones too: a log is better masked than sorry."""


def configure(stream: TextIO | None = None, level: int | str = logging.INFO) -> None:
    """Write every log record of this process as one line of JSON.

    Handlers of the root logger are replaced, and structlog is configured to hand its
    events on to them. What looks like a key is masked; newlines and escape sequences
    are written out, so an event is one line, whatever renders it.

    Args:
        stream: Where to; `None` is the standard error stream.
        level: What is written: this level and above.
    """
    import structlog

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redacted,
    ]
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=_shown),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *(each for each in shared if not _is_foreign(each)),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def redacted(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    r"""Mask keys and write out what could forge a line or steer a terminal.

    Example:
        >>> redacted(None, "", {"event": "a\nb", "api_key": "k", "url": "Bearer abcd"})
        {'event': 'a\\nb', 'api_key': '***', 'url': '***'}
    """
    return {
        key: value if key in _OF_STRUCTLOG else _clean(key, value)
        for key, value in event.items()
    }


_OF_STRUCTLOG: Final = frozenset({"_record", "_from_structlog"})


def _clean(key: str, value: Any) -> Any:
    if _KEY_NAMES.search(key):
        return MASK
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {str(name): _clean(str(name), each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean("", each) for each in value]
        case str():
            return safe_text(_KEYS.sub(MASK, value), keep="")
        case _:
            return safe_text(_KEYS.sub(MASK, _shown(value)), keep="")


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may do anything
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"


def _is_foreign(processor: Any) -> bool:
    import structlog

    return isinstance(processor, structlog.stdlib.ExtraAdder)
