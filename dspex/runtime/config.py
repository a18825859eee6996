"""The configuration of a runtime, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from dspex.client.price import Price
from dspex.client.proxies import Proxies
from dspex.core import defaults
from dspex.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What can be set about a runtime.

    Raises:
        ConfigurationError: A number is negative or zero.
    """

    max_in_flight: int = defaults.MAX_IN_FLIGHT
    """Requests out at a time, for one provider, address and key."""
    max_queued: int = defaults.MAX_QUEUED
    """Calls that may wait for a place, for one provider, address and key."""
    breaker_failures: int = defaults.BREAKER_FAILURES
    """Failures in a row after which a provider counts as down."""
    breaker_reset: float = defaults.BREAKER_RESET
    """Seconds until one request looks whether it is back."""
    max_outage: float = defaults.MAX_OUTAGE
    """Seconds a provider may be down before the calls that wait for it fail."""
    cache_entries: int = defaults.CACHE_ENTRIES
    """Answers kept in memory."""
    cache_bytes: int = defaults.CACHE_BYTES
    """Bytes the answers in memory may take, about."""
    cache_ttl: float = defaults.CACHE_TTL
    """Seconds an answer is kept in memory."""
    cache_disk_bytes: int = defaults.CACHE_DISK_BYTES
    """Bytes the answers on disk may take; those used least recently make room."""
    cache_disk_ttl: float = defaults.CACHE_DISK_TTL
    """Seconds an answer is kept on disk."""
    persist: bool = True
    """Whether answers are kept on disk; without it, nothing of the cache is written."""
    local_idle: float = defaults.LOCAL_IDLE
    """Seconds without a call after which a local model server is stopped."""
    branch_restarts: int = defaults.BRANCH_RESTARTS
    """Restarts allowed in one branch within 30 s before it gives up."""
    proxies: Proxies | None = None
    """Which requests go through a proxy; `None` reads `HTTPS_PROXY` and its like."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    """Prices by model string, such as `openai/my-model`; they win over the table."""
    home: Path | None = None
    """Where files go; `None` is `DSPEX_HOME`, else the platform's user folder. A text
    becomes a path."""

    control: bool = True
    """Whether `dspex ps` and its like may look into the process from another terminal,
    through a socket that this user alone can open."""

    def __post_init__(self) -> None:
        if self.home is not None:
            object.__setattr__(self, "home", Path(self.home))
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, bool):
                continue
            if isinstance(value, int | float) and not value > 0:
                raise ConfigurationError(
                    f"{each.name} is {value!r}; it must be above zero. "
                    "Leave it out for the default."
                )
