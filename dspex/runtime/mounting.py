"""Client and cache in a tree of the user's own, without a `Runtime`.

Each is a branch of that tree, by a child spec, and a handle that finds it there by its
id. What the handle must know of the branch (its model, its file) is kept beside the
tree's names, so it can be made anywhere in the program, like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from dspex.cache import cache as cache_tiers
from dspex.cache.at_hand import Memory
from dspex.cache.cache import new_caller
from dspex.cache.key import Identity, identify
from dspex.cache.store import StorePlace
from dspex.client import client as provider_client
from dspex.client.call import Call
from dspex.client.price import Price
from dspex.client.prices import price_of
from dspex.client.transport import Transport
from dspex.core.errors import ConfigurationError, LMCancelledError, LMError
from dspex.core.lm import Message, Reply, Request
from dspex.runtime import tree
from dspex.runtime.call_options import CallOptions, check_settings
from dspex.runtime.calling import named
from dspex.runtime.config import Config
from dspex.runtime.mount import MountedActor
from dspex.runtime.one_model import merged
from dspex.runtime.places import Place, Reach, find_place
from dspex.runtime.runtime import Runtime
from supervisors import ChildSpec, Handle, Registry, Restart, Surroundings

_BACK_WITHIN = 10.0
"""Seconds a branch may take to be restarted by the tree it is in."""


class Client(provider_client.Client):
    """The client of one model's endpoint, mounted in a tree of your own.

    When to use it: a program with a tree that wants limits, retries, the breaker and
    the deadlines of dspex for one endpoint, and nothing else of it. When not: to run
    programs and evaluations; `Runtime.child_spec()` mounts all that `LM` needs.

    Example:
        >>> from dspex.testing import FakeProvider
        >>> from supervisors import Supervisor
        >>> with FakeProvider() as provider:
        ...     spec = Client.child_spec(
        ...         "openai/m", child_id="model", api_base=provider.base_url
        ...     )
        ...     with Supervisor.start([spec]) as top:
        ...         Client(top.registry, "model").ask("Is all well?").text
        'ok'

    Args:
        registry: The names of the tree: `top.registry` outside of it, and
            `self.surroundings.registry` in its actors.
        child_id: The id of the client's branch there.

    Raises:
        ConfigurationError: No client of that id has been started in that tree.
    """

    def __init__(self, registry: Registry, child_id: str = "client") -> None:
        self._seat = _mounted(registry, child_id, _Seat, "client")
        name = tree.client_name(child_id)

        def revive() -> None:
            registry.await_name(name, _BACK_WITHIN)

        super().__init__(Handle(registry, name), revive)

    @staticmethod
    def child_spec(
        model: str,
        *,
        child_id: str = "client",
        api_base: str | None = None,
        api_key: str | Callable[[], str] | None = None,
        api_version: str | None = None,
        allow_insecure: bool = False,
        max_in_flight: int | None = None,
        proxy: str | None = None,
        config: Config | None = None,
        make_transport: Callable[[], Transport] | None = None,
    ) -> ChildSpec:
        """The spec of a client with its wire, for the children of one supervisor.

        Its memory (breakers, limits, open calls) is in the spec and outlives restarts,
        so make one for each tree. The weights of a local model are put together here.

        Args:
            model: The model string, as for `LM`; other models of the same provider can
                be called there too.
            child_id: Its id and the beginning of its names there.
            api_base: As for `LM`, like all down to `proxy`.
            api_key: The key, or a function that returns it.
            api_version: Azure's version of its API.
            allow_insecure: Whether the key may go unencrypted to another machine.
            max_in_flight: Requests out at a time.
            proxy: The proxy of every request.
            config: Queue, breaker, proxies, prices; the cache's part is of no use here.
            make_transport: Makes its HTTP transport; `None` is dspex's own.

        Raises:
            ConfigurationError: As for `LM`.
        """
        place = find_place(
            model,
            Reach(
                api_base=api_base,
                api_key=api_key,
                api_version=api_version,
                allow_insecure=allow_insecure,
                max_in_flight=max_in_flight,
                proxy=proxy,
            ),
        )
        # Never started: it says by what a branch is made.
        runtime = Runtime(config, make_transport=make_transport)
        branch = replace(place.branch(runtime), id=child_id)
        return _mounting(
            tree.provider_branch(branch, runtime.config, listener=_nobody_listens),
            _Seat(place=place, model=model, prices=runtime.config.prices),
        )

    def ask(self, prompt: str, **settings: Any) -> Reply:
        """Ask the model and wait for its reply; nothing is cached.

        Args:
            prompt: The question.
            settings: Sent with it, as for `LM`.

        Raises:
            LMError: The call ended without an answer.
            RuntimeClosedError: The branch or its tree gave up, or is stopped.
        """
        with named(self._seat.model):
            return self.complete(self._seat.call(prompt, settings))

    async def aask(self, prompt: str, **settings: Any) -> Reply:
        """The same for coroutines, on the caller's loop; cancelled, it withdraws."""
        with named(self._seat.model):
            return await self.acomplete(self._seat.call(prompt, settings))

    def identity(self, prompt: str, **settings: Any) -> Identity:
        """What `ask` with the same arguments is to a cache; see `Cache.fetch`."""
        place = self._seat.place
        return identify(
            place.provider,
            place.identity,
            self._seat.request(prompt, settings),
            wire_format=place.format,
        )


class Cache(cache_tiers.Cache):
    """A cache of answers, mounted in a tree of your own.

    Example:
        >>> from supervisors import Supervisor
        >>> with Supervisor.start([Cache.child_spec(None)]) as top:
        ...     cache = Cache(top.registry)
        ...     [cache.fetch("k", lambda: Reply(texts=("a",))).text for _ in range(2)]
        ...     cache.statistics().hits
        ['a', 'a']
        1

    Args:
        registry: The names of the tree.
        child_id: The id of the cache's branch there.

    Raises:
        ConfigurationError: No cache of that id has been started in that tree.
    """

    def __init__(self, registry: Registry, child_id: str = "cache") -> None:
        shelf = _mounted(registry, child_id, _Shelf, "cache")
        store = Handle(registry, tree.store_name(child_id)) if shelf.place else None
        memory = Memory(registry, tree.memory_name(child_id))
        super().__init__(memory, store, shelf.place)

    @staticmethod
    def child_spec(
        path: Path | str | None,
        *,
        child_id: str = "cache",
        config: Config | None = None,
    ) -> ChildSpec:
        """The spec of a memory and, below it, a store on disk.

        Args:
            path: The file of the store, made when it is not there, for this user only;
                several processes may share it. `None` keeps nothing on disk.
            child_id: Its id and the beginning of its names there.
            config: How much is kept, and for how long; its `home` and `persist` are of
                no use here.
        """
        config = config or Config()
        place = None
        if path is not None:
            place = StorePlace(
                path=Path(path),
                ttl=config.cache_disk_ttl,
                max_bytes=config.cache_disk_bytes,
            )
        return _mounting(
            tree.cache_branch(child_id, place, config), _Shelf(place=place)
        )

    def fetch(self, identity: Identity | str, make: Callable[[], Reply]) -> Reply:
        """The answer that is kept, or else the one that is made now, once for all.

        Whoever asks the same meanwhile waits for it, in this thread or another.

        Args:
            identity: What is asked, such as from `Client.identity`. With a key alone
                the answer is kept in memory, and not on disk.
            make: Makes the answer.

        Raises:
            LMError: `make` raised it, here or for the one who was first. Cancelled work
                is not the end for those who wait: the next one makes the answer.
            ActorDownError: The cache is gone for good.
        """
        caller = new_caller()
        found = self.look_up(identity, caller)
        if found is not None:
            return found
        key = identity if isinstance(identity, str) else identity.key
        reply = None
        try:
            reply = make()
            self.settle(key, reply)
        except LMCancelledError:
            # It was this caller's work that was given up: the next one makes it.
            raise
        except LMError as error:
            self.settle(key, error)
            raise
        finally:
            self.leave(key, caller, reply)
        return reply


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seat:
    """What a client's handle knows of its branch."""

    place: Place
    """Where the model lives."""
    model: str
    """The model string."""
    prices: Mapping[str, Price] = field(repr=False)
    """The user's own."""

    def request(self, prompt: str, settings: Mapping[str, Any]) -> Request:
        check_settings(settings)
        return Request(
            model=self.place.model,
            messages=(Message("user", prompt),),
            settings=merged(self.place.settings, settings),
        )

    def call(self, prompt: str, settings: Mapping[str, Any]) -> Call:
        return CallOptions().call(
            self.request(prompt, settings),
            None,
            now=0.0,  # it has no deadline of its own
            price=price_of(self.place.provider, self.place.model, self.prices),
            channel=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shelf:
    """What a cache's handle knows of its branch."""

    place: StorePlace | None
    """Its file, if it has one."""


_Known = TypeVar("_Known", _Seat, _Shelf)


def _mounting(branch: ChildSpec, known: _Seat | _Shelf) -> ChildSpec:
    """That branch, which tells a tree it is started in what its handle must know."""

    def on_mount(surroundings: Surroundings) -> None:
        surroundings.registry.put_meta((type(known), branch.id), known)

    return replace(
        branch,
        actor=MountedActor,
        kwargs={**branch.kwargs, "on_mount": on_mount},
        # Nobody asks for it again, as a runtime does: its supervisor decides.
        restart=Restart.PERMANENT,
        name=branch.id,
    )


def _mounted(
    registry: Registry, child_id: str, kind: type[_Known], what: str
) -> _Known:
    known = registry.meta((kind, child_id))
    if known is None:
        raise ConfigurationError(
            f"no {what} {child_id!r} was started in this tree; expected the child_id of"
            f" one. Put dspex.{what.title()}.child_spec() among its children."
        )
    return cast("_Known", known)


def _nobody_listens(_call_id: str, _outcome: object) -> None:
    """Nothing is told to a cache: who wants one asks it first."""
