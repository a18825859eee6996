"""Asks that race with the death of whom they ask: each must end, and say how.

`python -m tests.supervisors.race --asks 200000 [--switch-interval 1e-6]` prints how
many were answered, which reasons the others got, and how many hang. It exits with 1
when any hangs or ends in another way.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import itertools
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from supervisors import (
    NO_REPLY,
    Actor,
    ActorDownError,
    ExitReason,
    Failed,
    Handle,
    Ref,
    Registry,
    ReplyToken,
    Shutdown,
    Stop,
)
from tests.supervisors.actors.parts import BoomError

LIMIT = 30.0
"""Seconds after which an ask counts as hanging."""

TASKS = 4
"""Callers at once on the event loop."""

NAME = "target"


class Target(Actor):
    """Answers at once or at the next message, and dies of what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.owed: list[ReplyToken] = []

    def on_receive(self, message: Any) -> Any:
        match message:
            case "crash":
                raise BoomError(message)
            case "exit":
                raise Stop(Failed("exit"))
            case "later":
                self.owed.append(self.reply_token())
                return NO_REPLY
            case Ref():
                return self.link(message)
            case _:
                while self.owed:
                    self.owed.pop().reply("late")
                return message


@dataclass(slots=True)
class Tally:
    """How the asks of a race ended."""

    answered: Counter[str] = field(default_factory=Counter)
    """Those that got a value, by the way of asking."""
    ended: Counter[str] = field(default_factory=Counter)
    """Those that were told of the death, by its reason."""
    hanging: int = 0
    """Those that got nothing within the limit."""
    other: Counter[str] = field(default_factory=Counter)
    """Those that ended in a way no ask should."""
    deaths: Counter[str] = field(default_factory=Counter)
    """How the targets were ended."""

    def asks(self) -> int:
        """All that were counted."""
        counts = (self.answered, self.ended, self.other)
        return self.hanging + sum(count.total() for count in counts)

    def good(self) -> bool:
        """Whether every ask ended as it should."""
        return not self.hanging and not self.other

    def add(self, way: str, began: float, error: BaseException | None) -> None:
        """Count one ask. Each thread has a tally of its own."""
        match error:
            case _ if time.monotonic() - began >= LIMIT:
                self.hanging += 1
            case None:
                self.answered[way] += 1
            case ActorDownError():
                self.ended[str(error.reason)] += 1
            case _:
                self.other[f"{way}: {error!r}"] += 1

    def take(self, other: Tally) -> None:
        """Count what another has counted."""
        self.answered += other.answered
        self.ended += other.ended
        self.hanging += other.hanging
        self.other += other.other


Ask = Callable[[Handle, Any], Any]


def _ref(handle: Handle) -> Ref[Any]:
    return handle._registry.await_name(NAME, LIMIT)


def _by_handle(handle: Handle, message: Any) -> Any:
    # Waits for the name first, or most asks would find nobody.
    _ref(handle)
    return handle.call(message, LIMIT)


ASKS: dict[str, Ask] = {
    "call": lambda handle, message: _ref(handle).call(message, LIMIT),
    "submit": lambda handle, message: _ref(handle).submit(message).get(timeout=LIMIT),
    "ask": lambda handle, message: _ref(handle).ask(message, timeout=LIMIT),
    "handle": _by_handle,
    "idempotent": lambda handle, message: handle.call(message, LIMIT, idempotent=True),
}
"""The ways of asking that block."""

AWAITS: dict[str, Callable[[Handle, Any], Awaitable[Any]]] = {
    "acall": lambda handle, message: _ref(handle).acall(message, LIMIT),
}
"""The ways of asking on an event loop."""


def _end_by_link(ref: Ref[Any]) -> None:
    peer = Target.start()
    # The target may be dead by now, of a message that was on its way.
    with contextlib.suppress(ActorDownError):
        ref.call(peer, LIMIT)
    peer.kill()


DEATHS: dict[str, Callable[[Ref[Any]], object]] = {
    "kill": Ref.kill,
    "crash": lambda ref: ref.cast("crash"),
    "stop": lambda ref: ref.stop(block=False),
    "shutdown": Ref.shutdown,
    "link": _end_by_link,
    "exit": lambda ref: ref.cast("exit"),
    "signal": lambda ref: ref.signal(Shutdown("signal")),
}
"""The ways a target dies."""


def _messages(number: int) -> Iterator[str]:
    return itertools.islice(itertools.cycle(("now", "later", "now")), number)


def _ask_all(way: str, handle: Handle, number: int, tally: Tally) -> None:
    for message in _messages(number):
        began, error = time.monotonic(), None
        try:
            ASKS[way](handle, message)
        except BaseException as raised:
            error = raised
        tally.add(way, began, error)


async def _await_all(way: str, handle: Handle, number: int, tally: Tally) -> None:
    for message in _messages(number):
        began, error = time.monotonic(), None
        try:
            await AWAITS[way](handle, message)
        except BaseException as raised:
            error = raised
        tally.add(way, began, error)


def _await_in_tasks(way: str, handle: Handle, number: int, tally: Tally) -> None:
    async def work() -> None:
        shares = [number // TASKS] * TASKS
        shares[0] += number % TASKS
        await asyncio.gather(
            *(_await_all(way, handle, share, tally) for share in shares)
        )

    asyncio.run(work())


class _Deaths:
    """Brings one target after the other, and ends each in one way after the other."""

    def __init__(self, registry: Registry, tally: Tally, seed: int) -> None:
        self._registry = registry
        self._tally = tally
        self._random = random.Random(seed)
        self.over = threading.Event()

    def run(self) -> None:
        ways = itertools.cycle(DEATHS)
        while not self.over.is_set():
            ref = Target.start()
            ref.life.before_end(functools.partial(self._unregister, ref))
            self._registry.register(NAME, ref)
            with contextlib.suppress(ActorDownError):
                for _ in range(self._random.randrange(8)):
                    ref.call("now", LIMIT)
            way = next(ways)
            self._tally.deaths[way] += 1
            DEATHS[way](ref)
            if ref.wait(LIMIT) is None:
                self._tally.other[f"no end by {way}"] += 1
                ref.kill()
        # Whoever asks for a name that does not come any more is told so.
        self._registry.close(ActorDownError(NAME, Shutdown("the race is over")))

    def _unregister(self, ref: Ref[Any], _reason: ExitReason) -> None:
        self._registry.unregister(NAME, ref)


def race(asks: int, seed: int = 0) -> Tally:
    """Ask in all ways at once while the target dies in all ways, again and again."""
    registry, total = Registry(), Tally()
    handle = Handle(registry, NAME)
    ways = [*ASKS, *AWAITS]
    tallies = [Tally() for _ in ways]
    shares = [asks // len(ways)] * len(ways)
    shares[0] += asks % len(ways)
    deaths = _Deaths(registry, total, seed)
    threads = [
        threading.Thread(
            target=_ask_all if way in ASKS else _await_in_tasks,
            args=(way, handle, share, tally),
            daemon=True,
        )
        for way, share, tally in zip(ways, shares, tallies, strict=True)
    ]
    ender = threading.Thread(target=deaths.run, daemon=True)
    for thread in (ender, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    deaths.over.set()
    ender.join(LIMIT)
    for tally in tallies:
        total.take(tally)
    return total


@contextlib.contextmanager
def switch_interval(seconds: float | None) -> Iterator[None]:
    """Let threads change places that often while the block runs."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before if seconds is None else seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def main() -> int:
    """Run one race of the size and the haste that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asks", type=int, default=200_000)
    parser.add_argument("--switch-interval", type=float, default=None)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    with switch_interval(options.switch_interval):
        tally = race(options.asks, options.seed)
    print(f"asks      {tally.asks()} in {time.monotonic() - began:.1f} s")
    print(f"deaths    {tally.deaths.total()}: {_listed(tally.deaths)}")
    print(f"answered  {tally.answered.total()}: {_listed(tally.answered)}")
    print(f"told why  {tally.ended.total()}: {_listed(tally.ended)}")
    print(f"hanging   {tally.hanging}")
    print(f"other     {tally.other.total()}: {_listed(tally.other)}")
    return 0 if tally.good() and tally.asks() == options.asks else 1


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "-"


if __name__ == "__main__":
    sys.exit(main())
