"""A plan of what is to go wrong, as values, and how it is read from a file. Pure."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from dspex.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderChaos:
    """What happens to requests, whatever the provider is."""

    errors: float = 0.0
    """Share that is answered with a passing error: 429, 500 or 503."""
    refused: float = 0.0
    """Share that finds no connection."""
    dropped: float = 0.0
    """Share whose answer is lost on the way; the provider bills it."""
    slow: float = 0.0
    """Share that is held back."""
    delay: float = 0.1
    """Seconds for which it is, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheChaos:
    """What happens to the file of the cache."""

    reads: float = 0.0
    """Share of reads that fail."""
    writes: float = 0.0
    """Share of writes that fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskChaos:
    """What happens to the disk that the run's record is on."""

    full: int = 0
    """How often it is full."""
    seconds: float = 0.2
    """How long each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxChaos:
    """What happens to messages between the parts of the tree."""

    slow: float = 0.0
    """Share that is held back."""
    delay: float = 0.01
    """Seconds for which it is, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChaos:
    """What happens to the time of day, by which records and caches are dated."""

    jumps: int = 0
    """How often it is set to another time."""
    seconds: float = 3_600.0
    """By how much at most, forward or back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashChaos:
    """How often each part crashes or is killed, at a message drawn from the seed.

    More than ten deaths of one branch within 30 seconds are taken for a fault that does
    not pass, and end it.
    """

    client: int = 0
    """Who admits requests to a provider."""
    wire: int = 0
    """Who has its connections."""
    memory: int = 0
    """The cache in memory."""
    store: int = 0
    """The cache on disk."""
    aggregator: int = 0
    """Who counts the outcomes of a run."""
    coordinator: int = 0
    """Who hands its examples out."""
    workers: int = 0
    """Workers that are killed when they begin. No example loses more than two, since
    one whose workers keep dying is set aside."""
    within: int = 30
    """Among how many of a part's messages each of its crashes is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosPlan:
    """What is to go wrong while a program is evaluated. By default nothing.

    Shares are of 1, and times and counts are limits: what has no occasion does not
    happen. The same seed draws the same faults; which call or message each of them
    meets also depends on the threads.

    Example:
        >>> plan = ChaosPlan(provider=ProviderChaos(errors=0.1), seed=7)
        >>> plan.provider.errors, plan.crashes.client
        (0.1, 0)
        >>> ChaosPlan.of({"seed": 7, "provider": {"errors": 0.1}}) == plan
        True

    Raises:
        ConfigurationError: A share is not from 0 to 1, or something is below 0.
    """

    seed: int = 0
    """Draws the faults."""
    provider: ProviderChaos = field(default_factory=ProviderChaos)
    """What happens to requests."""
    cache: CacheChaos = field(default_factory=CacheChaos)
    """What happens to the cache's file."""
    disk: DiskChaos = field(default_factory=DiskChaos)
    """What happens to the record's disk."""
    mailboxes: MailboxChaos = field(default_factory=MailboxChaos)
    """What happens to messages."""
    clock: ClockChaos = field(default_factory=ClockChaos)
    """What happens to the time of day."""
    crashes: CrashChaos = field(default_factory=CrashChaos)
    """Which parts die."""

    def __post_init__(self) -> None:
        for seam, kind in SEAMS.items():
            for each in fields(kind):
                value = getattr(getattr(self, seam), each.name)
                most = 1.0 if each.name in SHARES else float("inf")
                is_count = each.type == "int"
                wanted = int if is_count else (int, float)
                is_number = isinstance(value, wanted) and not isinstance(value, bool)
                if not is_number or not 0 <= value <= most:
                    raise ConfigurationError(
                        f"{seam}.{each.name} is {value!r}; expected "
                        f"{_expected(each.name, is_count=is_count)}. Write "
                        "0 for what is not to happen."
                    )

    @classmethod
    def everything(cls, seed: int = 0) -> Self:
        """A plan in which a little of everything happens."""
        return cls(
            seed=seed,
            provider=ProviderChaos(errors=0.05, refused=0.03, dropped=0.03, slow=0.1),
            cache=CacheChaos(reads=0.1, writes=0.1),
            disk=DiskChaos(full=1),
            mailboxes=MailboxChaos(slow=0.05),
            clock=ClockChaos(jumps=2),
            crashes=CrashChaos(
                client=1,
                wire=1,
                memory=1,
                store=1,
                aggregator=1,
                coordinator=1,
                workers=3,
            ),
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a plan from a TOML file: `seed`, and a table for each seam.

        Raises:
            ConfigurationError: It cannot be read, has a key that is none, or a value
                that makes no sense.
        """
        try:
            told = tomllib.loads(Path(path).read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(
                f"no plan of chaos can be read from {str(path)!r}: {error}; expected "
                "a TOML file with tables such as [provider]. Mend the file or its path."
            ) from error
        return cls.of(told)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Make a plan of what a TOML file says.

        Raises:
            ConfigurationError: See `load`.
        """
        _check_keys(told, ["seed", *SEAMS])
        seams = {}
        for name, kind in SEAMS.items():
            table = told.get(name, {})
            if not isinstance(table, Mapping):
                raise ConfigurationError(
                    f"{name} is {table!r}; expected a table. Write [{name}] above "
                    "its keys."
                )
            _check_keys(table, [each.name for each in fields(kind)], within=name)
            seams[name] = kind(**table)
        seed = told.get("seed", 0)
        if type(seed) is not int:
            raise ConfigurationError(
                f"seed is {seed!r}; expected a whole number. Write seed = 7."
            )
        return cls(seed=seed, **seams)


SEAMS: Mapping[str, type[Any]] = {
    "provider": ProviderChaos,
    "cache": CacheChaos,
    "disk": DiskChaos,
    "mailboxes": MailboxChaos,
    "clock": ClockChaos,
    "crashes": CrashChaos,
}
"""Where something may go wrong."""
SHARES = frozenset({"errors", "refused", "dropped", "slow", "reads", "writes"})
"""Values that are shares of 1; the others are counts and seconds."""


def _expected(name: str, *, is_count: bool) -> str:
    if name in SHARES:
        return "a share from 0 to 1"
    return "a whole number from 0 on" if is_count else "seconds from 0 on"


def _check_keys(told: Mapping[str, Any], known: list[str], within: str = "") -> None:
    before = f"{within}." if within else ""
    for key in told:
        if key in known:
            continue
        close = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
        raise ConfigurationError(
            f"a plan of chaos has no key {before + key!r}; expected one of "
            f"{', '.join(known)}. Did you mean {before + close[0]!r}?"
        )
