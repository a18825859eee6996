"""What the two tiers of the cache are told and asked, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass

from dspex.cache.entry import Absence, Entry
from dspex.cache.key import Identity
from dspex.core.errors import LMError
from dspex.core.lm import Reply

# To the memory tier.


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """Ask for the answer to a request. Asked; the reply is a `Found` or `Lead`."""

    identity: Identity
    caller: str
    """Names the asker; a leader withdraws under it."""
    deadline: float | None = None
    """When the asker waits no longer, on the tree's clock; `None` for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """A leader's call has its outcome. Cast by the client."""

    key: str
    outcome: Reply | LMError
    keep: bool = True
    """Whether the answer may be kept at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """A caller is done: it has its own answer, or is gone without one. Cast."""

    key: str
    caller: str
    reply: Reply | None = None
    """Its answer. The cache uses it only when the client's `Settle` was lost, because
    the cache restarted at the wrong moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """Forget all answers in memory. Asked; the reply is how many there were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStatistics:
    """Asked; the reply is the tier's statistics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """The deadline of one who waits has come. Sent by a timer."""

    key: str
    caller: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUpReading:
    """The store has had its time for some readings. Sent by a timer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the store has for a request. Cast by the store."""

    identity: Identity
    reading: int
    """Which reading this answers."""
    reply: Reply | None
    """`None` when it has nothing."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Lead:
    """Nobody has the answer: fetch it, for yourself and for those who come after."""


# To the store.


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Look an answer up, and tell the memory with `Stored`. Cast."""

    identity: Identity
    reading: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Keep an answer. Cast."""

    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """Note that an answer was not kept, and why, for `explain`. Cast."""

    identity: Identity
    absence: Absence


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Write what is waiting. Cast by the store to itself, behind what waits now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """Write what is waiting now. Asked; the reply is how many rows still wait."""
