"""Where an actor lives, a thread or a loop: one contract holds in both."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Any, cast

from supervisors import EventLoopActor, LoopActor, Ref, ReplyFuture, _census
from supervisors._launch import launch
from supervisors._life import Life
from tests.supervisors.actors.parts import WAIT, Block


class Threads:
    """Each actor has a thread."""

    name = "thread"

    def make(self, actor_class: type[Any], *args: Any) -> Any:
        """An actor that has not started."""
        return actor_class(*args)

    def launch(self, actor: Any, timeout: float | None = WAIT) -> Ref[Any]:
        """Start it."""
        launch(actor, timeout=timeout)
        ref: Ref[Any] = actor.actor_ref
        return ref

    def start(self, actor_class: type[Any], *args: Any) -> Ref[Any]:
        """Make and start an actor."""
        return self.launch(self.make(actor_class, *args))

    @contextlib.contextmanager
    def running(self, actor_class: type[Any], *args: Any) -> Iterator[Ref[Any]]:
        """An actor that is stopped at the end."""
        ref = self.start(actor_class, *args)
        try:
            yield ref
        finally:
            ref.shutdown()
            assert ref.wait(WAIT) is not None

    def block(self, value: Any = "late") -> Block:
        """A message that keeps its actor busy until it is let go."""
        return Block(value)

    def call(self, ref: Ref[Any], message: Any, timeout: float | None = WAIT) -> Any:
        """What a handler returns to call somebody."""
        return ref.call(message, timeout)

    def expect_abandoned(self, life: Life) -> None:
        """A thread cannot be ended: the actor is a zombie."""
        assert life in _census.zombies()

    def close(self) -> None:
        """Nothing is left of it."""


class Loops(Threads):
    """All actors are tasks on one loop."""

    name = "loop"

    def __init__(self) -> None:
        self.owner = EventLoopActor.start()

    def make(self, actor_class: type[Any], *args: Any) -> Any:
        actor = on_a_loop(cast("Any", actor_class))(*args)
        actor.owner = self.owner
        return actor

    def block(self, value: Any = "late") -> Block:
        return LoopBlock(value)

    def call(self, ref: Ref[Any], message: Any, timeout: float | None = WAIT) -> Any:
        return ref.acall(message, timeout)

    def expect_abandoned(self, life: Life) -> None:
        """A task is cancelled for real, so there is no zombie."""
        assert life.thread_left.wait(WAIT)
        assert life not in _census.zombies()

    def close(self) -> None:
        self.owner.shutdown()
        assert self.owner.life.thread_left.wait(WAIT)


@functools.cache
def on_a_loop(actor_class: Any) -> type[Any]:
    """The same actor as a task."""
    return type(actor_class.__name__, (actor_class, LoopActor), {})


class LoopBlock(Block):
    """A `Block` that awaits."""

    def __init__(self, value: Any = "late") -> None:
        super().__init__(value)
        self.release = self._release = _Release()

    async def __call__(self, actor: Any) -> Any:
        self.entered.set()
        await self._release.came
        return self.value


class _Release(threading.Event):
    def __init__(self) -> None:
        super().__init__()
        self.came = ReplyFuture[None]()

    def set(self) -> None:
        super().set()
        self.came.resolve(None)
