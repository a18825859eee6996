"""Events in the manner of Erlang's `:telemetry`: named, measured, handled in place.

A handler runs in the thread that emits, so it must be quick (`QueuedHandler` is for a
slow one); one that raises is detached and reported once, and never harms whoever
emitted. Names are tuples of words; the last says what happened (`start`, `stop`,
`exit`, ...). The constants below are the events of this package; spans are in seconds.
`path` is the way from the root to the supervisor that tells, as ids; `child_id` is the
child's id there.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from supervisors.clock import SYSTEM_CLOCK, Clock
from supervisors.errors import ConfigError
from supervisors.log import logger

SUPERVISOR_START = ("supervisors", "supervisor", "start")
"""A supervisor runs, and so do its first children. Metadata: path, ref. Measurements:
children, seconds."""
SUPERVISOR_STOP = ("supervisors", "supervisor", "stop")
"""A supervisor that ran has ended, however. Metadata: path, ref, reason. Measurements:
seconds it ran."""
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

MAILBOX_FULL = ("supervisors", "mailbox", "full")
"""A message was refused. Told by the thread that sent it. Metadata: path (of the actor
whose mailbox it is), message (its class). Measurements: limit."""
HANDLER_FAILED = ("supervisors", "handler", "failed")
"""A handler raised and was detached. Metadata: handler_id, event (the name), error."""

MOST_NAMES = 1_000
"""Names of events of which it is remembered who wants them."""

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

Name = tuple[str, ...]
"""An event's name, or the beginning of the names that a handler wants."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A handler and what it wants."""

    handler_id: Hashable
    """What it is detached by."""
    handler: Handler
    """What is called."""
    prefixes: tuple[Name, ...]
    """It is called for each event whose name begins with one of these."""

    def wants(self, name: Name) -> bool:
        """Whether it is called for events of that name."""
        # A loop: a generator would cost more than the comparison.
        for prefix in self.prefixes:  # noqa: SIM110 - said above
            if name[: len(prefix)] == prefix:
                return True
        return False


class Events:
    """The handlers of one tree. Any thread may emit, attach and detach.

    What it tells, the handlers of `EVERYWHERE` hear as well.

    Example:
        >>> events = Events()
        >>> words = []
        >>> events.attach(lambda event: words.append(event.name[-1]), ("work",))
        1
        >>> with events.span(("work", "parse"), file="a.txt") as more:
        ...     more["lines"] = 3
        >>> words
        ['start', 'stop']
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        # Protects the replacing, so that two at once do not lose a handler.
        self._lock = threading.Lock()
        # Replaced whole at each change, so that emit needs no lock to walk it.
        self._handlers: Mapping[Hashable, Attached] = {}
        # Who wants the events of each name emitted so far. It goes with the handlers,
        # so that whoever walks one of them finds those of one moment.
        self._by_name: dict[Name, tuple[Attached, ...]] = {}

    def attach(
        self,
        handler: Handler,
        prefix: Name = (),
        *,
        handler_id: Hashable = None,
    ) -> Hashable:
        """Call `handler` for each event whose name begins with `prefix`.

        Args:
            handler: What is called.
            prefix: The beginning of the names; by default all events.
            handler_id: What it is detached by; a number of its own by default.

        Returns:
            The handler's id.

        Raises:
            ConfigError: Another handler has that id.
        """
        return self.attach_many(handler, (prefix,), handler_id=handler_id)

    def attach_many(
        self,
        handler: Handler,
        prefixes: Iterable[Name],
        *,
        handler_id: Hashable = None,
    ) -> Hashable:
        """Call `handler` once for each event whose name begins with one of `prefixes`.

        Raises:
            ConfigError: Another handler has that id.
        """
        wanted = tuple(prefixes)
        with self._lock:
            key = next(self._numbers) if handler_id is None else handler_id
            if key in self._handlers:
                msg = (
                    f"there is a handler with the id {key!r} already, and ids are "
                    "unique. Detach that one first, or pass another handler_id."
                )
                raise ConfigError(msg)
            attached = Attached(key, handler, wanted)
            self._replace({**self._handlers, key: attached})
        return key

    def detach(self, handler_id: Hashable) -> bool:
        """Stop calling the handler of that id; `False` when there is none."""
        with self._lock:
            kept = dict(self._handlers)
            found = kept.pop(handler_id, None)
            self._replace(kept)
        return found is not None

    def _replace(self, handlers: Mapping[Hashable, Attached]) -> None:
        # In this order: what is looked up in the old table meanwhile goes with it.
        self._handlers = handlers
        self._by_name = {}

    def handlers(self, prefix: Name = ()) -> tuple[Attached, ...]:
        """The handlers that want something below `prefix`, in order of attaching."""
        return tuple(
            attached
            for attached in self._handlers.values()
            if any(_related(prefix, wanted) for wanted in attached.prefixes)
        )

    def are_wanted(self, name: Name) -> bool:
        """Whether any handler is called for events of that name.

        For events whose facts cost something to put together.
        """
        if self._wanting(name):
            return True
        wider = self._wider()
        return wider is not None and wider.are_wanted(name)

    def _wanting(self, name: Name) -> tuple[Attached, ...]:
        # Before the handlers: a table made from old ones is never the new table.
        by_name = self._by_name
        found = by_name.get(name)
        if found is None:
            handlers = self._handlers.values()
            found = tuple(one for one in handlers if one.wants(name))
            # Somebody's names may hold numbers.
            if len(by_name) < MOST_NAMES:
                by_name[name] = found
        return found

    def emit(
        self,
        name: Name,
        /,
        measurements: Mapping[str, float] = _NOTHING,
        **metadata: Any,
    ) -> None:
        """Hand an event to every handler that wants it, in order of attaching."""
        if not self.are_wanted(name):
            return
        self.pass_on(Event(name=name, measurements=measurements, metadata=metadata))

    def pass_on(self, event: Event) -> None:
        """Hand an event that is made already to every handler that wants it."""
        for attached in self._wanting(event.name):
            try:
                attached.handler(event)
            except Exception as error:  # noqa: BLE001 - a handler never harms who emits
                self._give_up(attached, event, error)
        wider = self._wider()
        if wider is not None and wider.are_wanted(event.name):
            wider.pass_on(event)

    def _wider(self) -> Events | None:
        """Who hears what is told here as well."""
        return EVERYWHERE

    @contextlib.contextmanager
    def span(self, name: Name, /, **metadata: Any) -> Iterator[dict[str, Any]]:
        """Tell of the block: `start`, then `stop` or `exception`, behind `name`.

        All carry `metadata` and `span`, a value that is the same for those of one
        block. The last two measure `seconds`; `exception` also has `error`, which goes
        on to the caller.

        Args:
            name: What the block does.
            metadata: Whom and what it is about.

        Yields:
            A dictionary; what the block puts there is added to the last event.
        """
        span = object()
        more: dict[str, Any] = {}
        began = self._clock.monotonic()
        self.emit((*name, "start"), **metadata, span=span)
        try:
            yield more
        except BaseException as error:
            known = {**metadata, **more, "span": span, "error": error}
            self.emit((*name, "exception"), self._since(began), **known)
            raise
        known = {**metadata, **more, "span": span}
        self.emit((*name, "stop"), self._since(began), **known)

    def _since(self, began: float) -> dict[str, float]:
        return {"seconds": self._clock.monotonic() - began}

    def _give_up(self, attached: Attached, event: Event, error: Exception) -> None:
        if not self.detach(attached.handler_id):
            # Another thread met the same and has told.
            return
        logger().exception("event handler detached", handler=repr(attached.handler))
        self.emit(
            HANDLER_FAILED,
            handler_id=attached.handler_id,
            event=event.name,
            error=error,
        )


class _Everywhere(Events):
    """The handlers of the process, which hear what any tree tells."""

    def _wider(self) -> Events | None:
        return None


EVERYWHERE: Events = _Everywhere()
"""Handlers attached here hear the events of every tree of the process, as in Erlang's
`:telemetry`, whose table is one for the node. They are called after the tree's own."""


def _related(one: Name, other: Name) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
