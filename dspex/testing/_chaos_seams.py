"""Where chaos stands: between a part and what it uses, for as long as a block runs.

A method or an attribute of a class is another one meanwhile. So nothing of it is there,
and nothing is paid for it, when there is no chaos.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from typing import Any

from dspex.cache.database import Database
from dspex.cache.trouble import Trouble, file_error
from dspex.client.http_exchange import HttpExchange
from dspex.client.http_messages import HttpRequest, OpenResponse
from dspex.client.transport import Transport
from dspex.core.errors import LMConnectionError, RecordFullError
from dspex.evaluate.record.reader import RecordReader
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.running.recording import Recording
from dspex.evaluate.working.attempt import Attempt
from dspex.testing._chaos_plan import ChaosPlan
from supervisors import Actor, LoopActor, Ref

STATUSES = (429, 500, 503)
"""What a provider answers with that passes."""
MOST_DEATHS = 2
"""Workers of one example that are killed, at most."""
ONE_IN = 20
"""One in so many occasions is taken for what happens a few times in all."""

Handle = Callable[[Any], Any]
"""Handles a message as its actor would."""


class Dice:
    """Draws what happens, and counts it. For any thread.

    Args:
        seed: Draws the same each time, though not for the same callers.
    """

    def __init__(self, seed: int) -> None:
        # Protects all below.
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> Counter[str]:
        """How often what happened: a copy."""
        with self._lock:
            return +self._counts

    def happens(self, share: float, what: str) -> bool:
        """Whether it happens this time, when it does to such a share."""
        if not share:
            return False
        with self._lock:
            happens = self._random.random() < share
            self._counts[what] += happens
        return happens

    def happens_once_more(self, most: int, what: str) -> bool:
        """Whether it happens this time, when it does so often in all."""
        if not most:
            return False
        with self._lock:
            may = self._counts[what] < most
            happens = may and self._random.randrange(ONE_IN) == 0
            self._counts[what] += happens
        return happens

    def between(self, low: float, high: float) -> float:
        """A number between these."""
        with self._lock:
            return self._random.uniform(low, high)

    def one_of(self, choices: tuple[int, ...]) -> int:
        """One of these."""
        with self._lock:
            return self._random.choice(choices)


@contextmanager
def at_all_seams(plan: ChaosPlan, dice: Dice) -> Iterator[None]:
    """Let happen what the plan says while the block runs, but for crashes of actors."""
    with ExitStack() as stack:
        _at_providers(plan, dice, stack)
        _at_the_cache(plan, dice, stack)
        _at_the_record(plan, dice, stack)
        _at_the_clock(plan, dice, stack)
        _at_workers(plan, dice, stack)
        yield


# Requests.


class ChaosTransport(Transport):
    """Another transport, and what happens to its requests."""

    def __init__(self, behind: Transport, plan: ChaosPlan, dice: Dice) -> None:
        self._behind = behind
        self._plan = plan.provider
        self._dice = dice

    def open(
        self, request: HttpRequest, **options: Any
    ) -> AbstractAsyncContextManager[OpenResponse]:
        """Send a request as the other does, or not."""
        return self._open(request, options)

    @contextlib.asynccontextmanager
    async def _open(
        self, request: HttpRequest, options: dict[str, Any]
    ) -> AsyncIterator[OpenResponse]:
        plan, dice = self._plan, self._dice
        if dice.happens(plan.slow, "requests held back"):
            await asyncio.sleep(dice.between(0.0, plan.delay))
        if dice.happens(plan.refused, "connections refused"):
            raise LMConnectionError("chaos: there was no connection")
        if dice.happens(plan.errors, "errors of the provider"):
            yield _error(dice.one_of(STATUSES))
            return
        async with self._behind.open(request, **options) as opened:
            if dice.happens(plan.dropped, "answers lost on the way"):
                await opened.read()
                raise LMConnectionError("chaos: the connection broke")
            yield opened

    async def aclose(self) -> None:
        """Close the other."""
        await self._behind.aclose()


def _error(status: int) -> OpenResponse:
    async def body() -> Any:
        yield b'{"error": {"message": "chaos: it passes", "type": "chaos"}}'

    return OpenResponse(status=status, headers={}, sends=1, parts=body())


def _at_providers(plan: ChaosPlan, dice: Dice, stack: ExitStack) -> None:
    through = _Through("_transport", lambda real: ChaosTransport(real, plan, dice))
    stack.enter_context(_replaced(HttpExchange, "_transport", through))


# Files.


def _at_the_cache(plan: ChaosPlan, dice: Dice, stack: ExitStack) -> None:
    def fails(share: float, what: str) -> Callable[[Any], None]:
        def check(database: Database) -> None:
            if dice.happens(share, what):
                said = "chaos: it is locked"
                raise file_error(database.path, Trouble.LOCKED, said)

        return check

    chaos = plan.cache
    checks = {
        "read": fails(chaos.reads, "reads of the cache that failed"),
        "write": fails(chaos.writes, "writes of the cache that failed"),
    }
    for method, check in checks.items():
        stack.enter_context(_checked(Database, method, check))


def _at_the_record(plan: ChaosPlan, dice: Dice, stack: ExitStack) -> None:
    chaos, full_until = plan.disk, [0.0]

    def check(record: RunRecord) -> None:
        now = time.monotonic()
        if dice.happens_once_more(chaos.full, "times the disk was full"):
            full_until[0] = now + chaos.seconds
        if now < full_until[0]:
            text = "chaos: there is no room on the disk; it is there again in a moment"
            place = record.place
            raise RecordFullError(text, run=place.run, path=place.path)

    stack.enter_context(_checked(RunRecord, "commit", check))
    stack.enter_context(_checked(RunRecord, "announce", check))


# Time.


def _at_the_clock(plan: ChaosPlan, dice: Dice, stack: ExitStack) -> None:
    chaos, offset = plan.clock, [0.0]

    def jumping(real: Callable[[], float]) -> Callable[[], float]:
        def now() -> float:
            if dice.happens_once_more(chaos.jumps, "jumps of the clock"):
                offset[0] = dice.between(-chaos.seconds, chaos.seconds)
            return real() + offset[0]

        return now

    for kind, attribute in (
        (RecordReader, "_now"),
        (Recording, "_now"),
        (Database, "now"),
    ):
        through = _Through(attribute, jumping)
        stack.enter_context(_replaced(kind, attribute, through))


# Messages and workers.


def held_back(plan: ChaosPlan, dice: Dice) -> Callable[[Actor, Any, Handle], Any]:
    """What hands a message to its actor, sometimes later."""
    chaos, never = plan.mailboxes, threading.Event()

    def meet(actor: Actor, message: Any, handle: Handle) -> Any:
        if not dice.happens(chaos.slow, "messages held back"):
            return handle(message)
        seconds = dice.between(0.0, chaos.delay)
        if isinstance(actor, LoopActor):
            return _later(seconds, message, handle)
        never.wait(seconds)
        return handle(message)

    return meet


async def _later(seconds: float, message: Any, handle: Handle) -> Any:
    await asyncio.sleep(seconds)
    result = handle(message)
    return await result if inspect.isawaitable(result) else result


def _at_workers(plan: ChaosPlan, dice: Dice, stack: ExitStack) -> None:
    started = Attempt.started
    deaths: Counter[tuple[int, int]] = Counter()

    def begin(attempt: Attempt, ref: Ref[Any]) -> None:
        started(attempt, ref)
        key = attempt.stamp.key
        if deaths[key] < MOST_DEATHS and dice.happens_once_more(
            plan.crashes.workers, "workers killed"
        ):
            deaths[key] += 1
            ref.kill()

    stack.enter_context(_replaced(Attempt, "started", begin))


# How it stands there.


class _Through:
    """An attribute of objects, seen through something else.

    The object keeps what it has; it is seen as it is again when this is gone.
    """

    def __init__(self, name: str, seen: Callable[[Any], Any]) -> None:
        self._name = name
        self._seen = seen

    def __get__(self, owner: Any, kind: type[Any] | None = None) -> Any:
        return self if owner is None else self._seen(vars(owner)[self._name])

    def __set__(self, owner: Any, value: Any) -> None:
        vars(owner)[self._name] = value


@contextmanager
def _replaced(kind: type[Any], name: str, value: Any) -> Iterator[None]:
    """Let a class have another attribute."""
    before = vars(kind).get(name)
    setattr(kind, name, value)
    try:
        yield
    finally:
        if before is None:
            delattr(kind, name)
        else:
            setattr(kind, name, before)


@contextmanager
def _checked(
    kind: type[Any], name: str, check: Callable[[Any], None]
) -> Iterator[None]:
    """Let a method fail where the check does."""
    real = getattr(kind, name)

    def method(owner: Any, *arguments: Any, **named: Any) -> Any:
        check(owner)
        return real(owner, *arguments, **named)

    with _replaced(kind, name, method):
        yield
