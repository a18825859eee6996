"""The running system: one supervised tree, and the way in for the rest of dspex.

A default runtime starts at the first call and ends by itself with the program. A
daemon or a library may open one of its own with `with dspex.Runtime(...)`.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Self

from dspex.cache.cache import Cache
from dspex.client.client import Client
from dspex.client.proxies import Proxies
from dspex.client.transport import Transport, make_transport
from dspex.core import defaults
from dspex.core.errors import RuntimeClosedError
from dspex.runtime import tree
from dspex.runtime.config import Config
from dspex.runtime.tree import Branch
from supervisors import (
    SYSTEM_CLOCK,
    ActorDownError,
    ChildSpec,
    ChildStateError,
    Clock,
    Events,
    Handle,
    Registry,
    RestartLimitError,
    Supervisor,
    TreeNode,
    draw,
    snapshot,
)

_REVIVE_AFTER = 1.0
"""Seconds a client may take to be restarted until its branch is looked at."""
_PROVIDERS_WITHIN = 10.0
"""Seconds the supervisor of all providers may take to be restarted."""


class Runtime:
    """One tree: cache, providers, evaluations.

    `with Runtime()` is the runtime of the context it is opened in. The workers of an
    evaluation see it; a plain thread sees it only when it runs in a copy of that
    context (`contextvars.copy_context().run`), and else uses the default runtime.

    Example:
        >>> with Runtime() as runtime:
        ...     print(runtime)
        dspex
        ├─ cache
        │  ├─ store
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
        self._make_transport = make_transport
        self._pid = os.getpid()
        # Protects starting the tree and its branches, which two threads may want at
        # once; the tree itself needs no lock.
        self._starting = threading.Lock()
        self._root: Supervisor | None = None
        self._cache: Cache | None = None
        self._branches: dict[str, Branch] = {}
        self._clients: dict[str, Client] = {}
        self._closed = False
        self._token: contextvars.Token[Runtime | None] | None = None

    def __enter__(self) -> Self:
        """Start, and be the runtime of this context until the block ends."""
        self.start()
        self._token = _current.set(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._token is not None:
            _current.reset(self._token)
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "running" if self._root else "not started"
        return f"<dspex.Runtime {state}>"

    def __str__(self) -> str:
        return draw(self.tree())

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
                self._root = Supervisor.start(
                    tree.top_children(self.config),
                    intensity=tree.ROOT_INTENSITY,
                    events=self.events,
                    clock=self.clock,
                )
            return self._root

    def close(self, timeout: float | None = defaults.CLOSE_WITHIN) -> None:
        """Stop the tree, youngest part first; calls that wait are answered."""
        self._closed = True
        if self._root is not None and self._pid == os.getpid():
            self._root.stop(timeout)

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
        root = self.start()
        if self._cache is None:
            # Two threads may make it at once; both are the same.
            self._cache = tree.cache(root.registry, self.config)
        return self._cache

    def handle(self, name: str) -> Handle:
        """A handle on the actor of that name in this tree."""
        return self.start().handle(name)

    def tree(self) -> TreeNode:
        """A picture of the tree at this moment, without asking any actor."""
        return replace(snapshot(self.start()), id="dspex")

    @property
    def restarts(self) -> int:
        """Restarts of any part, since the tree started."""
        return self.tree().total_restarts

    def client(self, branch_id: str, make_branch: Callable[[], Branch]) -> Client:
        """The client of a provider branch, started if it is not there.

        Args:
            branch_id: Names the (provider, base URL, key).
            make_branch: Makes it when it is called for the first time.
        """
        client = self.running_client(branch_id)
        if client is None:
            self._start_branch(branch_id, make_branch)
            handle = self.handle(tree.client_name(branch_id))
            revive = partial(self._revive, branch_id, make_branch)
            client = self._clients[branch_id] = Client(handle, revive)
        return client

    def running_client(self, branch_id: str) -> Client | None:
        """The client of a branch, unless something has to be started for it."""
        self.start()
        client = self._clients.get(branch_id)
        return client if client is not None and client.is_running() else None

    def reconfigure(self, config: Config) -> None:
        """Work by another configuration from now on.

        Limits, breakers and patience of every provider change under load: each call
        keeps the retries and timeouts it was made with, and what is out is finished.
        The cache's size and place stay as they were when the tree was started.
        """
        self.config = config
        root = self.start()
        for branch in tuple(self._branches.values()):
            options = tree.client_options(config, branch.max_in_flight)
            client = Client(root.handle(branch.client_name), _stays_away)
            # One that gave up works by this configuration when it is started again.
            with contextlib.suppress(ActorDownError):
                client.reconfigure(options)

    @property
    def make_transport(self) -> Callable[[], Transport]:
        """Makes the HTTP transport of a provider branch."""
        if self._make_transport is not None:
            return self._make_transport
        proxies = self.config.proxies or Proxies.from_environment(os.environ)
        return partial(make_transport, proxies=proxies)

    def _revive(self, branch_id: str, make_branch: Callable[[], Branch]) -> None:
        """Wait for a client that is being restarted.

        When all providers were restarted, nobody has its branch any more; then it is
        started again.

        Raises:
            ActorDownError: The branch or the tree gave up, or is closed.
        """
        registry = self._registry()
        try:
            registry.await_name(tree.client_name(branch_id), _REVIVE_AFTER)
        except RestartLimitError:
            raise
        except ActorDownError:
            if registry.closed is not None or self._closed:
                raise
            self._start_branch(branch_id, make_branch)

    def _start_branch(self, branch_id: str, make_branch: Callable[[], Branch]) -> None:
        registry = self._registry()
        with self._starting:
            if registry.whereis(branch_id) is not None:
                return
            if self._gave_up(tree.client_name(branch_id)):
                # Everybody who waited was answered: nothing in its memory is wanted.
                self._branches.pop(branch_id, None)
            branch = self._branches.get(branch_id) or make_branch()
            self._branches[branch_id] = branch
            registry.await_name(tree.PROVIDERS, _PROVIDERS_WITHIN)
            spec = tree.provider_branch(
                branch,
                self.config,
                listener=self._settle,
            )
            self._add(Supervisor(registry, tree.PROVIDERS), spec)

    def _gave_up(self, name: str) -> bool:
        try:
            self._registry().resolve(name)
        except RestartLimitError:
            return True
        except ActorDownError:
            return False
        return False

    def _settle(self, key: str, outcome: Any) -> None:
        Cache(Handle(self._registry(), tree.CACHE)).settle(key, outcome)

    def _registry(self) -> Registry:
        root = self._root
        if root is None:
            msg = "no branch starts before the root"
            raise AssertionError(msg)
        return root.registry

    @staticmethod
    def _add(supervisor: Supervisor, spec: ChildSpec) -> None:
        """Start a branch, in the place of one that gave up before."""
        try:
            supervisor.start_child(spec)
        except ChildStateError as error:
            if error.state == "already_present":
                supervisor.delete_child(spec.id)
                supervisor.start_child(spec)


def _stays_away() -> None:
    """Do nothing for a client that is gone: only its present life is spoken to."""


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


def shutdown() -> None:
    """Stop the default runtime now; the next call starts another."""
    _default.close()
