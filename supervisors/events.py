"""Events in the manner of Erlang's `:telemetry`: named, measured, handled in place.

A handler runs in the thread that emits, so it must be quick; one that raises is
detached and reported once, and never harms whoever emitted. Names are tuples of words;
the last says what happened (`start`, `stop`, `exit`, ...).
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from supervisors.log import logger

CHILD_START = ("supervisors", "child", "start")
"""A child runs. Metadata: path, child_id, ref. Measurements: seconds."""
CHILD_START_FAILED = ("supervisors", "child", "start_failed")
"""A child did not start. Metadata: path, child_id, reason."""
CHILD_EXIT = ("supervisors", "child", "exit")
"""A child ended. Metadata: path, child_id, reason."""
CHILD_RESTART = ("supervisors", "child", "restart")
"""A child that had ended runs again. Metadata: path, child_id, reason."""
CHILD_HUNG = ("supervisors", "child", "hung")
"""A child is ended because it is stuck. Metadata: path, child_id. Measurements:
seconds."""
CHILD_ABANDONED = ("supervisors", "child", "abandoned")
"""A child is dead and its thread still runs. Metadata: path, child_id, thread (its
name). Measurements: zombies, those of this supervisor."""
SUPERVISOR_GAVE_UP = ("supervisors", "supervisor", "gave_up")
"""A supervisor ends because of a child. Metadata: path, cause."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened."""

    name: tuple[str, ...]
    """Words from the general to the special."""
    measurements: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    """Numbers: seconds, counts."""
    metadata: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    """Whom and what it is about."""


Handler = Callable[[Event], None]
"""What is done with an event, in the thread that emits it."""


class Events:
    """The handlers of one tree. Any thread may emit, attach and detach."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        # Protects the replacing, so that two at once do not lose a handler.
        self._lock = threading.Lock()
        # Replaced whole at each change, so that emit needs no lock to walk it.
        self._handlers: Mapping[int, tuple[tuple[str, ...], Handler]] = {}

    def attach(self, handler: Handler, prefix: tuple[str, ...] = ()) -> int:
        """Call `handler` for each event whose name begins with `prefix`."""
        with self._lock:
            number = next(self._numbers)
            self._handlers = {**self._handlers, number: (prefix, handler)}
        return number

    def detach(self, number: int) -> None:
        """Stop calling the handler that `attach` numbered so."""
        with self._lock:
            kept = {key: pair for key, pair in self._handlers.items() if key != number}
            self._handlers = kept

    def emit(
        self,
        name: tuple[str, ...],
        measurements: Mapping[str, float] = _NOTHING,
        **metadata: Any,
    ) -> None:
        """Hand an event to every handler that wants it."""
        if not self._handlers:
            return
        event = Event(name=name, measurements=measurements, metadata=metadata)
        for number, (prefix, handler) in self._handlers.items():
            if name[: len(prefix)] != prefix:
                continue
            try:
                handler(event)
            except Exception:  # noqa: BLE001 - a handler never harms who emits
                self.detach(number)
                logger().exception("event handler detached", handler=repr(handler))
