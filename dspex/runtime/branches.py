"""The provider branches of a running tree: started when first called, found by name."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from dspex.cache.at_hand import Memory
from dspex.cache.cache import Cache
from dspex.client.call import AttemptRecord, Call
from dspex.client.client import Client
from dspex.client.standing import ClientStanding, Survey
from dspex.client.told import tell_of_attempt
from dspex.runtime import tree
from dspex.runtime.config import Config
from dspex.runtime.tree import Branch
from supervisors import (
    ActorDownError,
    ChildSpec,
    ChildStateError,
    Clock,
    Events,
    Handle,
    Registry,
    ReplyFuture,
    RestartLimitError,
    Supervisor,
)

_REVIVE_AFTER = 1.0
"""Seconds a client may take to be restarted until its branch is looked at."""
_PROVIDERS_WITHIN = 10.0
"""Seconds the supervisor of all providers may take to be restarted."""

MakeBranch = Callable[[], Branch]
"""Makes a branch when it is called for the first time."""


class Branches:
    """The branches of one tree, and their memory, which outlives all their actors.

    Args:
        registry: The tree's names.
        config: What new branches work by.
        events: Where the tree's events go.
        clock: The tree's time.
    """

    def __init__(
        self, registry: Registry, config: Config, *, events: Events, clock: Clock
    ) -> None:
        self._registry = registry
        self._config = config
        self._events = events
        self._clock = clock
        # Protects starting a branch, which two threads may want at once.
        self._starting = threading.Lock()
        self._known: dict[str, Branch] = {}
        self._clients: dict[str, Client] = {}
        self._closed = False

    def __getitem__(self, branch_id: str) -> Branch:
        return self._known[branch_id]

    def __contains__(self, branch_id: str) -> bool:
        return branch_id in self._known

    def client(self, branch_id: str, make_branch: MakeBranch) -> Client:
        """The client of a branch, started if it is not there."""
        client = self.running(branch_id)
        if client is None:
            self._start(branch_id, make_branch)
            handle = Handle(self._registry, tree.client_name(branch_id))
            revive = partial(self._revive, branch_id, make_branch)
            client = self._clients[branch_id] = Client(handle, revive)
        return client

    def running(self, branch_id: str) -> Client | None:
        """The client of a branch, unless something has to be started for it."""
        client = self._clients.get(branch_id)
        return client if client is not None and client.is_running() else None

    def survey(self, timeout: float) -> Survey:
        """Ask each client that is there what holds its calls up, all at once.

        Args:
            timeout: Seconds they may take to answer.
        """
        asked: dict[str, ReplyFuture[ClientStanding]] = {}
        for branch_id in tuple(self._clients):
            client = self.running(branch_id)
            if client is not None:
                # It may end between the two; then nothing is known of it.
                with contextlib.suppress(ActorDownError):
                    asked[branch_id] = client.ask_standing()
        deadline = time.monotonic() + timeout
        standings, silent = [], []
        for branch_id, answer in asked.items():
            if not answer.wait(max(0.0, deadline - time.monotonic())):
                silent.append(tree.client_name(branch_id))
            elif not answer.failed():
                standings.append(answer.get())
        return Survey(standings=tuple(standings), silent=tuple(silent))

    def present(self) -> tuple[tuple[Branch, Client], ...]:
        """Each branch that was called, with its client; nothing is started or asked."""
        clients = tuple(self._clients.items())
        return tuple(
            (self._known[branch_id], client)
            for branch_id, client in clients
            if branch_id in self._known
        )

    def reconfigure(self, config: Config) -> None:
        """Have all branches, and those to come, work by another configuration."""
        self._config = config
        for branch in tuple(self._known.values()):
            options = tree.client_options(config, branch.max_in_flight)
            handle = Handle(self._registry, branch.client_name)
            # One that gave up works by this configuration when it is started again.
            with contextlib.suppress(ActorDownError):
                Client(handle, _stays_away).reconfigure(options)

    def close(self) -> None:
        """Start nothing any more."""
        self._closed = True

    def _revive(self, branch_id: str, make_branch: MakeBranch) -> None:
        """Wait for a client that is being restarted.

        When all providers were restarted, nobody has its branch any more; then it is
        started again.

        Raises:
            ActorDownError: The branch or the tree gave up, or is closed.
        """
        try:
            self._registry.await_name(tree.client_name(branch_id), _REVIVE_AFTER)
        except RestartLimitError:
            self._write_off(branch_id)
            raise
        except ActorDownError:
            if self._registry.closed is not None or self._closed:
                self._write_off(branch_id)
                raise
            self._start(branch_id, make_branch)

    def _write_off(self, branch_id: str) -> None:
        """Book what a branch that is over for good had out, and free its budgets."""
        with self._starting:
            is_over = self._registry.closed is not None
            if is_over or self._gave_up(tree.client_name(branch_id)):
                self._forget(branch_id)

    def _forget(self, branch_id: str) -> None:
        # Everybody who waited was answered: nothing else in its memory is wanted.
        branch = self._known.pop(branch_id, None)
        if branch is not None:
            provider = branch.endpoint.provider

            def note(record: AttemptRecord, sent_at: float, call: Call) -> None:
                lasted = self._clock.monotonic() - sent_at
                tell_of_attempt(self._events, record, lasted, call, provider, None)

            branch.ledger.write_off(note)

    def _start(self, branch_id: str, make_branch: MakeBranch) -> None:
        registry = self._registry
        with self._starting:
            if registry.whereis(branch_id) is not None:
                return
            if self._gave_up(tree.client_name(branch_id)):
                self._forget(branch_id)
            branch = self._known.get(branch_id) or make_branch()
            self._known[branch_id] = branch
            registry.await_name(tree.PROVIDERS, _PROVIDERS_WITHIN)
            spec = tree.provider_branch(branch, self._config, listener=self._settle)
            _add(Supervisor(registry, tree.PROVIDERS), spec)

    def _gave_up(self, name: str) -> bool:
        try:
            self._registry.resolve(name)
        except RestartLimitError:
            return True
        except ActorDownError:
            return False
        return False

    def _settle(self, key: str, outcome: Any) -> None:
        memory = Memory(self._registry, tree.memory_name(tree.CACHE))
        Cache(memory).settle(key, outcome)


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
