"""What a registry tells its listeners: who got a key and who lost it, in order."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from supervisors.exits import ExitReason
from supervisors.log import logger
from supervisors.ref import Ref


@dataclass(frozen=True, slots=True)
class Registered:
    """An actor has a key now."""

    key: Hashable
    """The key."""
    ref: Ref[Any]
    """The actor."""
    value: Any
    """The value it registered with."""


@dataclass(frozen=True, slots=True)
class Unregistered:
    """An actor has lost one entry of a key. Each follows its `Registered`.

    A dead actor's key may be given to another before this is told of the dead one, so
    compare the refs.
    """

    key: Hashable
    """The key."""
    ref: Ref[Any]
    """The actor that had it."""
    reason: ExitReason | None
    """Why that actor ended; `None` when it was unregistered while it lived."""


Listener = Callable[[Registered | Unregistered], object]
"""What is done with the news."""


class NameNews:
    """The listeners of one registry, and the news they have not heard yet.

    The registry notes news under its lock, so they lie in the order of the changes, and
    tells them under none. One thread tells at a time and the others leave their news to
    it: nobody waits, and no listener hears of an end before the beginning.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        # Protects the replacing, so that two at once do not lose a listener.
        self._replacing = threading.Lock()
        # Replaced whole at each change, so that a note can keep what it was.
        self._listeners: Mapping[int, Listener] = {}
        self._untold: deque[
            tuple[Registered | Unregistered, Mapping[int, Listener]]
        ] = deque()
        # Held by the thread that tells; never waited for.
        self._telling = threading.Lock()

    def listen(self, listener: Listener) -> int:
        """Tell `listener` what happens from now on; the number ends that."""
        with self._replacing:
            number = next(self._numbers)
            self._listeners = {**self._listeners, number: listener}
        return number

    def unlisten(self, number: int) -> None:
        """Tell the listener that `listen` numbered so nothing more."""
        with self._replacing:
            pairs = self._listeners.items()
            self._listeners = {key: kept for key, kept in pairs if key != number}

    def note(self, news: Registered | Unregistered) -> None:
        """Keep news for those who listen now, until `tell`."""
        if self._listeners:
            self._untold.append((news, self._listeners))

    def tell(self) -> None:
        """Tell what was noted, unless another thread is telling: then it goes on."""
        # Looking again after letting go finds what was noted in between by a thread
        # that left it to this one.
        while self._untold and self._telling.acquire(blocking=False):
            try:
                while self._untold:
                    self._tell_one(*self._untold.popleft())
            finally:
                self._telling.release()

    def _tell_one(
        self, news: Registered | Unregistered, listeners: Mapping[int, Listener]
    ) -> None:
        for number, listener in listeners.items():
            if number not in self._listeners:
                continue
            try:
                listener(news)
            except Exception:  # noqa: BLE001 - a listener never harms who registers
                self.unlisten(number)
                logger().exception(
                    "registry listener detached", listener=repr(listener)
                )
