"""A look at a runtime as it is now: nothing is started, and nobody is waited for long.

The tree is drawn without asking any actor. The cache and the clients are asked all at
once, with one deadline; whoever does not answer by then is named.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dspex.cache.statistics import CacheStatistics
from dspex.client.options import ClientView
from dspex.core.errors import RuntimeClosedError
from dspex.runtime import tree
from dspex.runtime.runtime import Runtime, State
from supervisors import ReplyFuture, SupervisorError, TreeNode


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLook:
    """A provider branch at one moment."""

    id: str
    """Its id in the tree."""
    label: str
    """The provider as errors name it."""
    view: ClientView | None
    """What its client says; `None` when it is gone or did not answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeLook:
    """A runtime at one moment."""

    state: State
    """Where it is in its life."""
    tree: TreeNode | None = None
    """Its tree; `None` unless it runs."""
    providers: tuple[ProviderLook, ...] = ()
    """The providers that were called."""
    cache: CacheStatistics | None = None
    """What the memory of the cache counts; `None` when it did not answer."""
    silent: tuple[str, ...] = ()
    """The names of the actors that did not answer in time."""


def look_at(runtime: Runtime, timeout: float) -> RuntimeLook:
    """Look at a runtime.

    Args:
        runtime: Which one.
        timeout: Seconds all its actors together may take to answer.
    """
    if runtime.state != "running":
        return RuntimeLook(state=runtime.state)
    try:
        picture, cache = runtime.tree(), runtime.cache
    except (RuntimeClosedError, SupervisorError):
        # It ended meanwhile.
        return RuntimeLook(state=runtime.state)
    clients = runtime.clients()
    memory = tree.memory_name(tree.CACHE)
    asked = {memory: _asked(cache.asked_counts)} | {
        branch.client_name: _asked(client.asked_view) for branch, client in clients
    }
    silent = _wait(asked, timeout)
    answers = {name: _answer(future) for name, future in asked.items()}
    return RuntimeLook(
        state="running",
        tree=picture,
        providers=tuple(
            ProviderLook(
                id=branch.id, label=branch.label, view=answers[branch.client_name]
            )
            for branch, _ in clients
        ),
        cache=answers[memory],
        silent=silent,
    )


def _asked(ask: Callable[[], ReplyFuture[Any]]) -> ReplyFuture[Any] | None:
    try:
        return ask()
    except SupervisorError:
        # It is being restarted, which the tree shows, or takes no more messages.
        return None


def _wait(asked: dict[str, ReplyFuture[Any] | None], timeout: float) -> tuple[str, ...]:
    """Wait for all until one deadline; return who is late."""
    deadline = time.monotonic() + timeout
    waiting: Iterable[tuple[str, ReplyFuture[Any]]] = (
        (name, future) for name, future in asked.items() if future is not None
    )
    return tuple(
        name
        for name, future in waiting
        if not future.wait(max(0.0, deadline - time.monotonic()))
    )


def _answer(future: ReplyFuture[Any] | None) -> Any:
    if future is None or not future.done():
        return None
    try:
        return future.get()
    except SupervisorError:
        # It ended meanwhile.
        return None
