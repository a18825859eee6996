"""Answers in memory: bounded by number, bytes and age. Holds no actor and no file."""

from __future__ import annotations

import sys
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cachetools

from dspex.cache.key import Identity
from dspex.core.lm import Reply

JITTER: Final = 0.1
"""The part of its time to live by which an answer may be shortened."""
_OVERHEAD: Final = 1_500
"""Bytes that an answer takes besides its texts, about."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """One answer."""

    text: str
    """The canonical text of what was asked; empty when it is not known."""
    reply: Reply
    weight: int
    """Bytes it takes, about."""


class Shelf:
    """The answers of the memory tier: the least recently used one makes room.

    One actor owns it and puts answers in; any thread may take them.

    Args:
        max_entries: Answers held at most.
        max_bytes: Bytes they may take together, about.
        ttl: Seconds an answer is held; each a little shorter by chance.
        timer: A monotonic clock.

    Example:
        >>> shelf = Shelf(max_entries=2, max_bytes=10_000, ttl=60.0, timer=lambda: 0.0)
        >>> for question in ("a", "b", "c"):
        ...     shelf.put(Identity.of(question), Reply(texts=(question.upper(),)))
        >>> [shelf.get(Identity.of(question)) is None for question in ("a", "b", "c")]
        [True, False, False]
        >>> len(shelf), shelf.evictions
        (2, 1)
    """

    def __init__(
        self,
        *,
        max_entries: int,
        max_bytes: int,
        ttl: float,
        timer: Callable[[], float],
    ) -> None:
        self._max_entries = max_entries
        # Protects all below: to take an answer moves it in the order of use.
        self._lock = threading.Lock()
        self._kept: cachetools.TLRUCache[str, _Kept] = cachetools.TLRUCache(
            max_bytes,
            lambda key, _kept, now: now + lifetime(key, ttl),
            timer=timer,
            getsizeof=lambda kept: kept.weight,
        )
        self.evictions = 0
        """Answers dropped for want of room or because their time was over."""
        self.hits = 0
        """How often an answer was taken."""

    def __len__(self) -> int:
        with self._lock:
            self._drop_expired()
            return len(self._kept)

    def __contains__(self, key: str) -> bool:
        with self._lock:
            return key in self._kept

    @property
    def bytes(self) -> int:
        """Bytes that the answers take, about."""
        return int(self._kept.currsize)

    def get(self, identity: Identity) -> Reply | None:
        """The answer to exactly that request."""
        with self._lock:
            kept = self._kept.get(identity.key)
            if kept is None:
                return None
            # A request may be known by its key alone, such as after a restart.
            if kept.text and identity.text and kept.text != identity.text:
                return None
            self.hits += 1
            return kept.reply

    def put(self, identity: Identity, reply: Reply) -> None:
        """Hold an answer; one that is larger than all room there is goes by."""
        kept = _Kept(identity.text, reply, weight(identity, reply))
        with self._lock:
            self._put(identity.key, kept)

    def clear(self) -> int:
        """Drop all; how many there were."""
        with self._lock:
            self._drop_expired()
            count = len(self._kept)
            self._kept.clear()
            return count

    def _put(self, key: str, kept: _Kept) -> None:
        self._drop_expired()
        before = len(self._kept) + (key not in self._kept)
        if kept.weight > self._kept.maxsize:
            # Nor does an older answer to the same stand for it.
            self._kept.pop(key, None)
            return
        self._kept[key] = kept
        while len(self._kept) > self._max_entries:
            self._kept.popitem()
        self.evictions += before - len(self._kept)

    def _drop_expired(self) -> None:
        # The cache does it by itself at many occasions, but does not count.
        self.evictions += len(list(self._kept.expire()))


def lifetime(key: str, ttl: float) -> float:
    """Seconds an answer is held: its time to live less up to a tenth.

    How much less follows from the key, so the answers of one burst do not all expire
    at once and are not all asked for again at once.

    Example:
        >>> [round(lifetime(key, 100.0), 1) for key in ("a", "b", "c")]
        [90.9, 95.6, 99.7]
    """
    return ttl * (1.0 - JITTER * zlib.crc32(key.encode()) / 2**32)


def weight(identity: Identity, reply: Reply) -> int:
    """Bytes an answer takes in memory, about."""
    texts = sum(map(sys.getsizeof, (identity.text, *reply.texts, *reply.reasoning)))
    numbers = 32 * sum(map(len, reply.vectors))
    # Both are rare, and nested in ways of the provider's own.
    others = len(repr(reply.logprobs)) + len(repr(reply.tool_calls))
    return _OVERHEAD + texts + numbers + 4 * others
