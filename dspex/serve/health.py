"""What is asked of a running tree to say whether it lives and can answer requests.

Every question has a deadline, so that a part that is stuck is told and not waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Generic, TypeVar

from dspex.cache.trouble import Trouble
from dspex.client.standing import ClientStanding
from dspex.core import defaults
from dspex.core.errors import DspexError
from dspex.core.events import CACHE_TROUBLE
from dspex.runtime.runtime import Runtime
from dspex.serve.readiness import Found, Readiness, readiness
from supervisors import ActorDownError, CallTimeoutError, Event, TreeNode
from supervisors.events import CHILD_RESTART

T = TypeVar("T")

_LASTING = frozenset(Trouble) - {Trouble.LOCKED, Trouble.DAMAGED, Trouble.ROW}
"""What does not mend itself: a file that is damaged is begun anew."""


class Health:
    """Asks a runtime how it is. Use it on one event loop, and close it.

    Args:
        runtime: Whose tree. Make this before it starts, so that nothing is missed.
        within: Seconds that each part has to answer.
    """

    def __init__(
        self, runtime: Runtime, *, within: float = defaults.HEALTH_WITHIN
    ) -> None:
        self.draining = False
        """Whether no more requests are taken; set by whoever ends the daemon."""
        self._runtime = runtime
        self._within = within
        # Of its own: the loop's threads may all be busy with requests when it matters.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="asks for health")
        self._cache_trouble: str | None = None
        self._root = _Once(self._ask_root)
        self._parts = _Once(self._ask_parts)
        self._listener = runtime.events.attach_many(
            self._on_event, (CACHE_TROUBLE, CHILD_RESTART)
        )

    def close(self) -> None:
        """Ask nothing any more."""
        self._runtime.events.detach(self._listener)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def root_trouble(self) -> str | None:
        """Send a question through the root's mailbox and await the answer.

        Whoever asks while it is out gets the same answer: however many look, there is
        one question in the mailbox.

        Returns:
            Why there was none; `None` when it came.
        """
        return await self._root()

    async def readiness(self) -> Readiness:
        """Ask all parts, once for all who want to know meanwhile, and decide."""
        found = await self._parts()
        return readiness(replace(found, draining=self.draining))

    async def _ask_root(self) -> str | None:
        try:
            root = self._runtime.start()
            await root.acount_children(self._within)
        except CallTimeoutError:
            return f"it did not answer within {self._within:g} s"
        except (ActorDownError, DspexError) as error:
            return str(error)
        return None

    async def _ask_parts(self) -> Found:
        root_trouble = await self.root_trouble()
        return Found(
            root_trouble=root_trouble,
            providers=() if root_trouble else await self._providers(),
            cache_trouble=self._cache_trouble,
            parts_down=() if root_trouble else parts_down(self._runtime.tree()),
        )

    async def _providers(self) -> tuple[ClientStanding, ...]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._thread, self._runtime.standings, self._within
        )

    def _on_event(self, event: Event) -> None:
        if event.name == CHILD_RESTART:
            if event.metadata["child_id"] == "store":
                # It opens the file anew, and tells again what is wrong with it.
                self._cache_trouble = None
        elif event.metadata["trouble"] in _LASTING:
            self._cache_trouble = event.metadata["trouble"].value


class _Once(Generic[T]):
    """A question that is out once, however many want its answer. On one loop."""

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        # Who does not wait for it any more leaves it to the others.
        return await asyncio.shield(self._asking)


def parts_down(tree: TreeNode) -> tuple[tuple[str, str], ...]:
    """The parts of a tree that do not run, each as its way there and its state."""
    return tuple(_down(tree, ()))


def _down(node: TreeNode, path: tuple[str, ...]) -> list[tuple[str, str]]:
    found = []
    for child in node.children:
        way = (*path, child.id)
        if child.state != "up":
            found.append(("/".join(way), child.state))
        found += _down(child, way)
    return found
