"""The running system: one supervised tree, and the way in for the rest of dspex.

A default runtime starts at the first call and ends by itself with the program. A
daemon or a library may open one of its own with `with dspex.Runtime(...)`.
"""

from __future__ import annotations

import atexit
import contextvars
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Self, cast

from dspex.cache.cache import Cache
from dspex.client.client import Client
from dspex.client.proxies import Proxies
from dspex.client.standing import ClientStanding, Survey
from dspex.client.transport import Transport, make_transport
from dspex.core import defaults
from dspex.core.blocks import put_back
from dspex.core.errors import ConfigurationError, RuntimeClosedError
from dspex.core.rich_text import as_rich
from dspex.runtime import answers, tree
from dspex.runtime.branches import Branches
from dspex.runtime.config import Config
from dspex.runtime.mount import MountedActor
from dspex.runtime.restarts import RestartCount
from dspex.runtime.tree import Branch
from supervisors import (
    SYSTEM_CLOCK,
    ChildSpec,
    Clock,
    Events,
    Handle,
    Registry,
    Supervisor,
    Surroundings,
    TreeNode,
    draw,
    snapshot,
)
from supervisors.events import EVERYWHERE

State = Literal["not started", "running", "given up", "closed"]
"""Where a runtime is in its life. One that has given up restarted its parts too often;
in a process that was forked it counts as closed."""


class Runtime:
    """One tree: cache, providers, evaluations.

    `with Runtime()` is the runtime of the context it is opened in. The workers of an
    evaluation see it; a plain thread sees it only when it runs in a copy of that
    context (`contextvars.copy_context().run`) or in `with runtime.use()`, and else
    uses the default runtime.

    Example:
        >>> with Runtime() as runtime:  # doctest: +ELLIPSIS
        ...     print(runtime)
        dspex
        ├─ cache
        │  ├─ store...
        │  └─ memory
        ├─ providers
        └─ evaluations

    Args:
        config: What can be set.
        clock: The tree's time; wound by hand in tests.
        make_transport: Makes the HTTP transport of each provider branch; `None` is
            dspex's own, with the configuration's proxies.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        make_transport: Callable[[], Transport] | None = None,
    ) -> None:
        self.config = config or Config()
        self.clock = clock
        self.events = Events()
        self._restarts = RestartCount()
        self._restarts.listen(self.events)
        self._make_transport = make_transport
        self._pid = os.getpid()
        # Protects starting the tree, which two threads may want at once; the tree
        # itself needs no lock.
        self._starting = threading.Lock()
        self._root: Supervisor | None = None
        self._parts: _Parts | None = None
        self._mounted_as: str | None = None
        self._closed = False
        self._token: contextvars.Token[Runtime | None] | None = None

    def __enter__(self) -> Self:
        """Start, and be the runtime of this context until the block ends."""
        self.start()
        self._token = _current.set(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._token is not None:
            put_back(_current, self._token)
        self.close()

    @contextmanager
    def use(self) -> Iterator[Self]:
        """Be the runtime of this context for a block, and go on after it.

        For actors and threads of your own, which have a context of their own.
        """
        token = _current.set(self)
        try:
            yield self
        finally:
            put_back(_current, token)

    def __repr__(self) -> str:
        return f"<dspex.Runtime {self.state}>"

    def __str__(self) -> str:
        return draw(self.tree())

    def __rich__(self) -> Any:
        return as_rich(self._shown())

    def _repr_html_(self) -> str:
        from dspex.core.elements import element, written

        return written(element("pre", self._shown()))

    def _shown(self) -> str:
        """Its tree, or its state: to show it starts nothing."""
        return str(self) if self.state == "running" else repr(self)

    # Life.

    def start(self) -> Supervisor:
        """Start the tree unless it runs.

        Raises:
            RuntimeClosedError: It was closed, gave up, or belongs to the process this
                one was forked from.
        """
        self._check()
        if self._root is not None:
            return self._root
        with self._starting:
            if self._root is None:
                if self._mounted_as is not None:
                    raise RuntimeClosedError(
                        f"this runtime is a child {self._mounted_as!r} of another tree "
                        "and was not started by it. Start that tree first."
                    )
                root = Supervisor.start(
                    tree.top_children(self.config),
                    intensity=tree.ROOT_INTENSITY,
                    events=self.events,
                    clock=self.clock,
                )
                self._settle_in(root)
            return cast("Supervisor", self._root)

    def child_spec(self, child_id: str = "dspex") -> ChildSpec:
        """This runtime as a child of another tree, which then starts and stops it.

        Its names are that tree's, so one runtime fits into a tree. Calls made before
        the tree has started it raise.

        Args:
            child_id: Its id and its name there.

        Example:
            >>> runtime = Runtime()
            >>> with Supervisor.start([runtime.child_spec()]) as top:
            ...     tree = str(runtime)
            >>> [part for part in ("cache", "providers", "evaluations") if part in tree]
            ['cache', 'providers', 'evaluations']
        """
        self._mounted_as = child_id

        def on_mount(surroundings: Surroundings) -> None:
            self.events, self.clock = surroundings.events, surroundings.clock
            self._restarts.listen(self.events, surroundings.path)
            self._settle_in(Supervisor(surroundings.registry, child_id))

        return ChildSpec(
            id=child_id,
            actor=MountedActor,
            args=(tree.top_children(self.config),),
            kwargs={"intensity": tree.ROOT_INTENSITY, "on_mount": on_mount},
            kind="supervisor",
            name=child_id,
        )

    def _settle_in(self, root: Supervisor) -> None:
        """Be the runtime of a tree that has just started, or started again."""
        if self._parts is None or self._parts.registry is not root.registry:
            self._parts = _Parts(
                registry=root.registry,
                cache=tree.cache(root.registry, self.config),
                branches=Branches(
                    root.registry, self.config, events=self.events, clock=self.clock
                ),
            )
        self._root = root
        answers.let_in(self, root.ref())

    def close(self, timeout: float | None = defaults.CLOSE_WITHIN) -> None:
        """Stop the tree, youngest part first; calls that wait are answered.

        A tree that this runtime is mounted in goes on; it makes no more calls.
        """
        self._closed = True
        if self._parts is not None:
            self._parts.branches.close()
        is_own = self._mounted_as is None and self._pid == os.getpid()
        if self._root is not None and is_own:
            self._root.stop(timeout)
        self._restarts.leave()
        answers.show_out(self)

    def _check(self) -> None:
        if self._pid != os.getpid():
            raise RuntimeClosedError(
                "this runtime belongs to the process that this one was forked from; "
                "its actors are there. Open a Runtime of your own after forking."
            )
        if self._closed:
            raise RuntimeClosedError(
                "this runtime is closed; open another with dspex.Runtime()."
            )
        over = self._root.registry.closed if self._root is not None else None
        if over is not None:
            raise RuntimeClosedError(
                f"the runtime gave up: {over}. Mend the cause, then open another."
            ) from over

    # What runs in it.

    @property
    def cache(self) -> Cache:
        """The cache of this tree."""
        return self._running().cache

    def handle(self, name: str) -> Handle:
        """A handle on the actor of that name in this tree."""
        return self.start().handle(name)

    def tree(self) -> TreeNode:
        """A picture of the tree at this moment, without asking any actor."""
        return replace(snapshot(self.start()), id="dspex")

    @property
    def restarts(self) -> int:
        """Restarts of any part so far, of branches that have ended too."""
        return self._restarts.value

    def client(self, branch_id: str, make_branch: Callable[[], Branch]) -> Client:
        """The client of a provider branch, started if it is not there.

        Args:
            branch_id: Names the (provider, base URL, key).
            make_branch: Makes it when it is called for the first time.
        """
        return self._running().branches.client(branch_id, make_branch)

    def running_client(self, branch_id: str) -> Client | None:
        """The client of a branch, unless something has to be started for it."""
        return self._running().branches.running(branch_id)

    @property
    def state(self) -> State:
        """Where it is in its life, without a look at any actor."""
        if self._closed or self._pid != os.getpid():
            return "closed"
        if self._root is None:
            return "not started"
        return "running" if self._root.registry.closed is None else "given up"

    def clients(self) -> tuple[tuple[Branch, Client], ...]:
        """Each provider branch that was called, with its client; nothing is started."""
        return () if self._parts is None else self._parts.branches.present()

    def standings(self, timeout: float = 1.0) -> tuple[ClientStanding, ...]:
        """What holds calls up now, for each provider that is called.

        Args:
            timeout: Seconds the clients may take to answer; one that does not is left
                out.
        """
        return self.survey(timeout).standings

    def survey(self, timeout: float = 1.0) -> Survey:
        """What `standings` says, and who did not answer."""
        return self._running().branches.survey(timeout)

    def reconfigure(self, config: Config) -> None:
        """Work by another configuration from now on.

        Limits, breakers and patience of every provider change under load: each call
        keeps the retries and timeouts it was made with, and what is out is finished.
        The cache's size and place stay as they were when the tree was started.
        """
        self.config = config
        self._running().branches.reconfigure(config)

    def transport_through(self, proxies: Proxies | None) -> Callable[[], Transport]:
        """What makes the HTTP transport of a provider branch.

        Args:
            proxies: The branch's own; `None` for those of the configuration.

        Raises:
            ConfigurationError: There are some, and the runtime was told how to make
                its transports.
        """
        if self._make_transport is None:
            proxies = proxies or self.config.proxies
            proxies = proxies or Proxies.from_environment(os.environ)
            return partial(make_transport, proxies=proxies)
        if proxies is not None:
            raise ConfigurationError(
                "a model was given a proxy, and this runtime a transport of its own, "
                "which has its own way out. Leave proxy= out, or make_transport=."
            )
        return self._make_transport

    def _running(self) -> _Parts:
        self.start()
        return cast("_Parts", self._parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What is held of a running tree."""

    registry: Registry
    cache: Cache
    branches: Branches


_current: contextvars.ContextVar[Runtime | None] = contextvars.ContextVar(
    "dspex_runtime", default=None
)


class _Default:
    """The runtime of a program that opened none."""

    def __init__(self) -> None:
        # Two threads may make the first call at once.
        self._lock = threading.Lock()
        self._runtime: Runtime | None = None

    def get(self) -> Runtime:
        with self._lock:
            if self._runtime is None:
                self._runtime = Runtime()
                atexit.register(self._runtime.close)
            return self._runtime

    def present(self) -> Runtime | None:
        return self._runtime

    def forget(self) -> None:
        """After a fork: the child starts afresh at its first call."""
        self._lock = threading.Lock()
        self._runtime = None

    def close(self) -> None:
        """Close it, so that the next call starts another."""
        with self._lock:
            runtime, self._runtime = self._runtime, None
        if runtime is not None:
            atexit.unregister(runtime.close)
            runtime.close()


_default = _Default()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_default.forget)


def current_runtime() -> Runtime:
    """The runtime of this context: the one opened with `with`, else the default one."""
    return _current.get() or _default.get()


def present_runtime() -> Runtime | None:
    """The runtime of this context, if there is one already; none is made."""
    return _current.get() or _default.present()


def events_here() -> Events:
    """Where what happens in this context is told, also where no runtime was needed."""
    runtime = present_runtime()
    return EVERYWHERE if runtime is None else runtime.events


def shutdown() -> None:
    """Stop the default runtime now; the next call starts another."""
    _default.close()
