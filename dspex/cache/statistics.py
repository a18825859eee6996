"""What the cache did, and what its file holds, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatistics:
    """What the file holds."""

    size: int = 0
    """Answers in it."""
    bytes: int = 0
    """Bytes of it that are used."""
    attachments: int = 0
    """Long texts kept by their digest."""
    damaged: int = 0
    """Rows that were damaged and set aside."""
    oldest: float | None = None
    """When the oldest answer came, in seconds since 1970."""
    newest: float | None = None
    """When the newest one came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStatistics:
    """What the cache did since its memory tier started."""

    size: int = 0
    """Answers held in memory now."""
    bytes: int = 0
    """Bytes they take, about."""
    hits: int = 0
    """Look-ups answered without a call, from memory or from the file."""
    stored_hits: int = 0
    """How many of these were answered from the file."""
    misses: int = 0
    """Look-ups that led to a call."""
    shared: int = 0
    """Look-ups answered by the call of another."""
    evictions: int = 0
    """Answers dropped from memory for want of room or because their time was over."""
    store: StoreStatistics | None = None
    """What the file holds; `None` when there is none, or it cannot be read now."""

    @property
    def hit_rate(self) -> float:
        """Share of look-ups that cost no call; 0 before the first."""
        looked = self.hits + self.shared + self.misses
        return (self.hits + self.shared) / looked if looked else 0.0
