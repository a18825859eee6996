"""What tests of the cache's file share: identities, entries, a file, two tiers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dspex.cache.at_hand import Memory
from dspex.cache.cache import Cache
from dspex.cache.database import Database
from dspex.cache.entry import Entry
from dspex.cache.key import Identity, identify
from dspex.cache.memory import Errands, MemoryActor
from dspex.cache.store import StoreActor, StorePlace
from dspex.core.lm import Message, Reply, Request, Usage
from supervisors import (
    ChildSpec,
    Clock,
    Events,
    Handle,
    Intensity,
    Strategy,
    Supervisor,
)
from supervisors.testing import ManualClock

NOW = 1_700_000_000.0
"""Some moment, in seconds since 1970."""


class WallClock:
    """The calendar, turned by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def ask(question: str, **settings: object) -> Identity:
    """The identity of a question."""
    request = Request(
        model="m", messages=(Message("user", question),), settings=settings
    )
    return identify("openai", "http://127.0.0.1:1/v1", request)


def answer(question: str) -> Reply:
    """The reply to a question; it says what it answers."""
    return Reply(
        texts=(f"re: {question}",), usage=Usage(prompt_tokens=3, completion_tokens=1)
    )


def entry(question: str, created: float = NOW, **settings: object) -> Entry:
    """A kept answer."""
    return Entry(
        identity=ask(question, **settings), reply=answer(question), created=created
    )


def database(folder: Path, **options: object) -> Database:
    """A file in that folder, with a calendar that stands still."""
    options.setdefault("wall_clock", WallClock())
    return Database(folder / "cache" / "answers-1.db", **options)  # type: ignore[arg-type] # whatever the test wants


@contextmanager
def two_tiers(
    place: StorePlace,
    *,
    clock: Clock | None = None,
    events: Events | None = None,
) -> Iterator[tuple[Cache, Supervisor]]:
    """Store and memory under a root of their own, as in the tree.

    The clock stands still, so that the memory's patience with the store never ends.
    """
    children = (
        ChildSpec(id="store", actor=StoreActor, args=(place, "memory"), name="store"),
        ChildSpec(
            id="memory",
            actor=MemoryActor,
            kwargs={
                "max_entries": 10_000,
                "ttl": 1e9,
                "store": "store",
                "errands": Errands(1_000_000),
            },
            name="memory",
        ),
    )
    with Supervisor.start(
        children,
        strategy=Strategy.REST_FOR_ONE,
        intensity=Intensity(max_restarts=10_000, within=1.0),
        clock=ManualClock() if clock is None else clock,
        events=events,
    ) as top:
        yield Cache(Memory(top.registry, "memory"), top.handle("store"), place), top


def restart(top: Supervisor, name: str) -> None:
    """Kill the actor of that name, and wait for the next one."""
    top.registry.await_name(name, 20.0).kill()
    top.registry.await_name(name, 20.0)
    top.registry.await_name("memory", 20.0)


def handle(top: Supervisor, name: str) -> Handle:
    """A handle in that tree."""
    return top.handle(name)
