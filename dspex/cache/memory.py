"""The memory tier: answers with a time to live, and one call for equal questions.

A caller who looks a key up gets the answer (*hit*), or the task to fetch it (*lead*),
or waits for whoever has that task (*follow*). When a leader is gone without an outcome,
the longest waiting follower leads. The actor never touches a file or a socket. It
starts empty after a restart; those who were waiting ask again.
"""

from __future__ import annotations

import copy
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

import cachetools

from dspex.core.errors import LMError, LMTimeoutError
from dspex.core.lm import Reply, Usage
from supervisors import NO_REPLY, Actor, Handle, ReplyToken, last_words


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """Ask for the answer to a key. Asked; the reply is a `Found` or `Lead`."""

    key: str
    caller: str
    """Names the asker; a leader withdraws under it."""
    deadline: float | None = None
    """When the asker waits no longer, on the tree's clock; `None` for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """A leader's call has its outcome. Cast by the client."""

    key: str
    outcome: Reply | LMError


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """A caller is gone without an outcome. Cast."""

    key: str
    caller: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """Forget all answers. Asked; the reply is how many there were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStatistics:
    """Asked; the reply is `CacheStatistics`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """A follower's deadline has come. Sent by a timer."""

    key: str
    caller: str


Message = LookUp | Settle | Leave | Clear | GetStatistics | Expire


@dataclass(frozen=True, slots=True)
class Found:
    """The answer."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Lead:
    """Nobody has the answer: fetch it, for yourself and for those who come after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStatistics:
    """What the memory tier did since it started."""

    size: int = 0
    """Answers held now."""
    hits: int = 0
    """Look-ups answered at once."""
    misses: int = 0
    """Look-ups that led to a call."""
    shared: int = 0
    """Look-ups answered by the call of another."""
    evictions: int = 0
    """Answers dropped for want of room or because their time was over."""

    @property
    def hit_rate(self) -> float:
        """Share of look-ups that cost no call; 0 before the first."""
        looked = self.hits + self.shared + self.misses
        return (self.hits + self.shared) / looked if looked else 0.0


@dataclass(slots=True)
class _Flight:
    """A key whose answer is being fetched."""

    leader: str
    followers: OrderedDict[str, ReplyToken] = field(default_factory=OrderedDict)


class MemoryActor(Actor):
    """Holds the answers; the only one to touch them."""

    def __init__(self, *, max_entries: int, ttl: float) -> None:
        super().__init__()
        self._max_entries = max_entries
        self._ttl = ttl
        self._flights: dict[str, _Flight] = {}
        self._counts = CacheStatistics()

    def on_start(self) -> None:
        """Start empty."""
        self._answers: cachetools.TTLCache[str, Reply] = cachetools.TTLCache(
            self._max_entries, self._ttl, timer=self.surroundings.clock.monotonic
        )

    def on_receive(self, message: Message) -> Any:
        """Hand each message to its method."""
        match message:
            case LookUp():
                return self._look_up(message)
            case Settle():
                self._settle(message)
            case Leave():
                self._leave(message)
            case Clear():
                return self._clear()
            case GetStatistics():
                return self._statistics()
            case Expire():
                self._expire(message)
            case _:
                assert_never(message)
        return None

    def _look_up(self, message: LookUp) -> Any:
        reply = self._answers.get(message.key)
        if reply is not None:
            self._count(hits=1)
            return Found(reply)
        flight = self._flights.get(message.key)
        if flight is None or flight.leader == message.caller:
            self._flights.setdefault(message.key, _Flight(message.caller))
            self._count(misses=1)
            return Lead()
        flight.followers[message.caller] = self.reply_token()
        if message.deadline is not None:
            due = max(0.0, message.deadline - self.surroundings.clock.monotonic())
            self.send_after(due, Expire(key=message.key, caller=message.caller))
        return NO_REPLY

    def _expire(self, message: Expire) -> None:
        flight = self._flights.get(message.key)
        if flight is None:
            return
        token = flight.followers.pop(message.caller, None)
        if token is not None:
            text = (
                "no answer within the call's deadline (it shared the call of another "
                "for an equal question). Give it a longer deadline, or find out why "
                "the provider is slow."
            )
            token.fail(LMTimeoutError(text))

    def _settle(self, message: Settle) -> None:
        outcome = message.outcome
        if isinstance(outcome, Reply) and _worth_keeping(outcome):
            self._keep(message.key, outcome)
        flight = self._flights.pop(message.key, None)
        if flight is None:
            return
        self._count(shared=len(flight.followers))
        for token in flight.followers.values():
            if isinstance(outcome, Reply):
                token.reply(Found(outcome))
            else:
                token.fail(_to_raise(outcome))

    def _keep(self, key: str, reply: Reply) -> None:
        self._drop_expired()
        before = len(self._answers) + (key not in self._answers)
        self._answers[key] = reply
        self._count(evictions=before - len(self._answers))

    def _drop_expired(self) -> None:
        # The cache does it by itself at many occasions, but does not count.
        self._count(evictions=len(list(self._answers.expire())))

    def _statistics(self) -> CacheStatistics:
        self._drop_expired()
        return replace(self._counts, size=len(self._answers))

    def _leave(self, message: Leave) -> None:
        flight = self._flights.get(message.key)
        if flight is None:
            return
        flight.followers.pop(message.caller, None)
        if flight.leader != message.caller:
            return
        if not flight.followers:
            del self._flights[message.key]
            return
        flight.leader, token = flight.followers.popitem(last=False)
        self._count(misses=1)
        token.reply(Lead())

    def _clear(self) -> int:
        count = len(self._answers)
        self._answers.clear()
        return count

    def _count(self, **more: int) -> None:
        counts = {name: getattr(self._counts, name) + n for name, n in more.items()}
        self._counts = replace(self._counts, **counts)


def _to_raise(error: LMError) -> LMError:
    """A copy: raising an error ties it to the frames of whoever raises it."""
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin


def _worth_keeping(reply: Reply) -> bool:
    """A truncated answer is answered, but not kept: the next try may be whole."""
    return "length" not in reply.finish_reasons


class Cache:
    """What the rest of dspex holds of the cache."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def __repr__(self) -> str:
        return f"<Cache {self._handle.name}>"

    def look_up(
        self, key: str, caller: str, deadline: float | None = None
    ) -> Reply | None:
        """The answer, or `None` when the caller must fetch it for all.

        Waits while somebody else fetches it, however often the cache restarts.

        Raises:
            LMError: The call of the one who fetched it ended so, or `deadline` came
                first.
            ActorDownError: The cache is gone for good.
        """
        message = LookUp(key=key, caller=caller, deadline=deadline)
        try:
            found = self._handle.call(message, timeout=None, idempotent=True)
        except LMError:
            raise
        except BaseException:
            self.leave(key, caller)
            raise
        return as_cached(found.reply) if isinstance(found, Found) else None

    async def alook_up(
        self, key: str, caller: str, deadline: float | None = None
    ) -> Reply | None:
        """The same for coroutines; cancelled, the caller leaves."""
        message = LookUp(key=key, caller=caller, deadline=deadline)
        try:
            found = await self._handle.acall(message, timeout=None, idempotent=True)
        except LMError:
            raise
        except BaseException:
            self.leave(key, caller)
            raise
        return as_cached(found.reply) if isinstance(found, Found) else None

    def settle(self, key: str, outcome: Reply | LMError) -> None:
        """Tell the outcome of a call, to keep it and to answer those who wait."""
        self._handle.cast(Settle(key=key, outcome=outcome))

    def leave(self, key: str, caller: str) -> None:
        """Withdraw; the next in line leads."""
        with last_words():
            self._handle.cast(Leave(key=key, caller=caller))

    def clear(self) -> int:
        """Forget all answers; how many there were."""
        count: int = self._handle.call(Clear())
        return count

    def statistics(self) -> CacheStatistics:
        """What it did since it started."""
        counts: CacheStatistics = self._handle.call(GetStatistics())
        return counts


def as_cached(reply: Reply) -> Reply:
    """A reply as it is given to those who did not pay for it."""
    return replace(reply, cached=True, attempts=0, usage=Usage(), latency=0.0)


def new_caller() -> str:
    """A name for one look-up."""
    return uuid.uuid4().hex
