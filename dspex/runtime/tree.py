"""The child specs of the tree: what runs under what, and what each may cost.

```
dspex            one_for_one
├─ cache         rest_for_one
│  ├─ store      unless `Config(persist=False)`
│  └─ memory
├─ providers     one_for_one, a branch for each (provider, base URL, key)
│  └─ <provider> one_for_one: model server (optional), wire, client
└─ evaluations   dynamic, a branch for each run
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dspex.cache.at_hand import Memory
from dspex.cache.cache import Cache
from dspex.cache.files import cache_file
from dspex.cache.memory import Errands, MemoryActor
from dspex.cache.store import StoreActor, StorePlace
from dspex.client.client_actor import ClientActor
from dspex.client.gate import GatePolicy
from dspex.client.ledger import Ledger
from dspex.client.local.server import ServerActor
from dspex.client.messages import Listener
from dspex.client.options import ClientOptions
from dspex.client.providers.endpoint import Endpoint
from dspex.client.wire import Exchange, WireActor
from dspex.core import defaults
from dspex.core.home import home
from dspex.runtime.config import Config
from supervisors import (
    ChildSpec,
    DynamicSupervisorActor,
    Handle,
    Intensity,
    ProcessSpec,
    Registry,
    Restart,
    Strategy,
    SupervisorActor,
)

CACHE = "cache"
PROVIDERS = "providers"
EVALUATIONS = "evaluations"

_STORE_HANGS_AFTER = 300.0
"""Seconds after which a read or a write on disk counts as stuck."""

ROOT_INTENSITY = Intensity(
    max_restarts=defaults.ROOT_RESTARTS, within=defaults.ROOT_WITHIN
)


def branch_intensity(config: Config) -> Intensity:
    """How many restarts a branch may make before it gives up."""
    return Intensity(max_restarts=config.branch_restarts, within=defaults.BRANCH_WITHIN)


def top_children(config: Config) -> tuple[ChildSpec, ...]:
    """The three branches under the root."""
    intensity = branch_intensity(config)
    return (
        cache_branch(CACHE, store_place(config), config),
        _branches("providers", PROVIDERS, SupervisorActor, intensity),
        _branches("evaluations", EVALUATIONS, DynamicSupervisorActor, intensity),
    )


def memory_name(branch_id: str) -> str:
    """The name of the memory of a cache branch."""
    return f"{branch_id}.memory"


def store_name(branch_id: str) -> str:
    """The name of the store of a cache branch."""
    return f"{branch_id}.store"


def cache(registry: Registry, config: Config) -> Cache:
    """The cache of the tree that has these names."""
    place = store_place(config)
    store = None if place is None else Handle(registry, store_name(CACHE))
    return Cache(Memory(registry, memory_name(CACHE)), store, place)


def store_place(config: Config) -> StorePlace | None:
    """The file of the cache, if there is to be one."""
    if not config.persist:
        return None
    return StorePlace(
        path=cache_file(config.home or home()),
        ttl=config.cache_disk_ttl,
        max_bytes=config.cache_disk_bytes,
    )


def cache_branch(branch_id: str, place: StorePlace | None, config: Config) -> ChildSpec:
    """The supervisor of a cache and its tiers.

    Args:
        branch_id: Its id, and the beginning of its actors' names.
        place: The file, if there is to be one.
        config: How much is kept in memory.
    """
    return ChildSpec(
        id=branch_id,
        actor=SupervisorActor,
        args=(tuple(_tiers(branch_id, place, config)),),
        kwargs={
            "strategy": Strategy.REST_FOR_ONE,
            "intensity": branch_intensity(config),
        },
        kind="supervisor",
    )


def _tiers(
    branch_id: str, place: StorePlace | None, config: Config
) -> Iterator[ChildSpec]:
    """The store, if there is one, then the memory that asks it."""
    memory, store = memory_name(branch_id), store_name(branch_id)
    if place is not None:
        yield ChildSpec(
            id="store",
            actor=StoreActor,
            args=(place, memory),
            name=store,
            hang_after=_STORE_HANGS_AFTER,
        )
    yield ChildSpec(
        id="memory",
        actor=MemoryActor,
        kwargs={
            "max_entries": config.cache_entries,
            "max_bytes": config.cache_bytes,
            "ttl": config.cache_ttl,
            # Outlives each incarnation: what is asked by the calls that are out.
            "errands": Errands(config.cache_bytes),
            "name": memory,
            "store": None if place is None else store,
        },
        name=memory,
    )


def _branches(
    child_id: str,
    name: str,
    actor: type[SupervisorActor | DynamicSupervisorActor],
    intensity: Intensity,
) -> ChildSpec:
    """A supervisor whose children come while the program runs."""
    return ChildSpec(
        id=child_id,
        actor=actor,
        kwargs={"intensity": intensity},
        name=name,
        kind="supervisor",
    )


def client_options(config: Config, max_in_flight: int | None = None) -> ClientOptions:
    """What the configuration says to a client.

    Args:
        config: The runtime's.
        max_in_flight: The branch's own figure, if it has one.
    """
    return ClientOptions(
        max_in_flight=max_in_flight or config.max_in_flight,
        max_queued=config.max_queued,
        max_outage=config.max_outage,
        idle_after=config.local_idle,
        gate=GatePolicy(
            fail_max=config.breaker_failures, reset_after=config.breaker_reset
        ),
    )


def client_name(branch_id: str) -> str:
    """The name of the client of a provider branch."""
    return f"{branch_id}/client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """What a provider branch is made of."""

    id: str
    """Its id under `providers`, and the beginning of its actors' names."""
    endpoint: Endpoint
    """Where it calls; for a local model, with a placeholder for the address."""
    label: str
    """The provider as errors name it."""
    ledger: Ledger
    """Its memory, which outlives every actor in it."""
    make_exchange: Callable[[], Exchange]
    """Makes what its wire sends with."""
    server: ProcessSpec | None = None
    """The local model server, if it has one."""
    max_in_flight: int | None = None
    """Requests out at a time, where it has a figure of its own."""
    has_fresh_keys: bool = False
    """Whether a refused key may be replaced by asking for another."""

    @property
    def client_name(self) -> str:
        """The name of its client."""
        return client_name(self.id)


def provider_branch(
    branch: Branch,
    config: Config,
    *,
    listener: Listener,
) -> ChildSpec:
    """The supervisor of one provider and its children, in start order."""
    wire_name = f"{branch.id}/wire"
    server_name = f"{branch.id}/server" if branch.server is not None else None
    client = ChildSpec(
        id="client",
        actor=ClientActor,
        kwargs={
            "endpoint": branch.endpoint,
            "label": branch.label,
            "ledger": branch.ledger,
            "wire_name": wire_name,
            "server_name": server_name,
            "has_fresh_keys": branch.has_fresh_keys,
            "listener": listener,
        },
        name=branch.client_name,
    )
    wire = ChildSpec(
        id="wire",
        actor=WireActor,
        args=(branch.client_name, branch.make_exchange),
        name=wire_name,
    )
    children = [wire, client]
    if branch.server is not None:
        server = ChildSpec(
            id="model server",
            actor=ServerActor,
            args=(branch.server, branch.client_name),
            name=server_name,
            shutdown=15.0,
        )
        # Last: it tells the client, by name, where it listens.
        children.append(server)
    return ChildSpec(
        id=branch.id,
        actor=SupervisorActor,
        args=(tuple(children),),
        kwargs={"intensity": branch_intensity(config)},
        kind="supervisor",
        restart=Restart.TRANSIENT,
        name=branch.id,
    )
