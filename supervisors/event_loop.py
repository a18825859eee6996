"""An actor that owns an asyncio loop, and the actors that live on it.

`EventLoopActor` is a thread with a loop under supervision: for work that is many open
sockets and little thinking. `LoopActor`s live on such a loop (or on one of yours) as
tasks: thousands of them in one thread, each with a mailbox, an exit reason, monitors
and links, and each cancelled for real when it is ended from outside.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any, Self

import pykka

from supervisors import _census
from supervisors._acall import settled
from supervisors._current import leave_loop, own_loop_here
from supervisors._future import ReplyFuture
from supervisors._launch import begin, conclude, launch
from supervisors._life import Life
from supervisors._on_loop import OnLoop, call_soon
from supervisors.errors import ConfigError, StartError
from supervisors.exits import KILLED, ExitReason, Failed
from supervisors.ref import Ref

LoopOwner = Ref[Any] | asyncio.AbstractEventLoop
"""Where a `LoopActor` can live: an `EventLoopActor`, or a running loop of yours."""


class EventLoopActor(OnLoop):
    """An actor on an asyncio loop of its own, in a thread of its own.

    Override `on_receive` (a plain method that does not block, or a coroutine function)
    and, for what must be closed with `await`, `on_close`. Long work is started with
    `spawn`. When it ends, the `LoopActor`s that live on its loop end with it.
    """

    def _actor_loop(self) -> None:
        self.life.thread = threading.current_thread()
        own_loop_here()
        try:
            asyncio.run(self._live_on_loop())
        finally:
            leave_loop()
            # Nothing below raises; should the loop itself break, nobody waits for ever.
            self.life.end(KILLED)
            self.life.thread_left.resolve(None)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop, while it runs."""
        return self.life.loop


class LoopActor(OnLoop):
    """An actor that lives on an event loop as a task; see the module's docstring.

    Its callbacks may be coroutine functions. In a tree, `ChildSpec.loop` says where it
    lives; elsewhere, `start_on` or `astart` does.

    When to use it: many actors that mostly wait. When not: code that computes or
    blocks, which would hold up all others on the loop.
    """

    owner: LoopOwner | None = None
    """Where it lives; set before it starts."""

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> Ref[Self]:
        """Refuse: an actor on a loop needs to be told on which.

        Raises:
            ConfigError: Always.
        """
        del args, kwargs
        msg = (
            f"{cls.__name__} lives on an event loop, and start() names none. Use "
            "start_on(loop, ...), `await astart(...)`, or ChildSpec(loop=...)."
        )
        raise ConfigError(msg)

    @classmethod
    def start_on(cls, owner: LoopOwner, *args: Any, **kwargs: Any) -> Ref[Self]:
        """Start on the loop of `owner`, and wait until `on_start` has succeeded.

        Not for the thread of that loop itself, which would wait for ever: there, use
        `astart`.

        Raises:
            StartError: `on_start` raised; the cause is chained.
        """
        actor = cls._made_outside_a_tree(owner, *args, **kwargs)
        launch(actor, timeout=None)
        return actor.actor_ref

    @classmethod
    async def astart(cls, *args: Any, **kwargs: Any) -> Ref[Self]:
        """Start on the running loop, and return when `on_start` has succeeded.

        Raises:
            StartError: `on_start` raised; the cause is chained.
        """
        owner = asyncio.get_running_loop()
        actor = cls._made_outside_a_tree(owner, *args, **kwargs)
        await alaunch(actor)
        return actor.actor_ref

    @classmethod
    def _made_outside_a_tree(cls, owner: LoopOwner, *args: Any, **kwargs: Any) -> Self:
        actor = cls(*args, **kwargs)
        actor.owner = owner
        ref = actor.actor_ref
        pykka.ActorRegistry.register(ref)
        actor.life.before_end(lambda _reason: pykka.ActorRegistry.unregister(ref))
        return actor

    def _start_actor_loop(self) -> None:
        life, loop = self.life, self._find_loop()
        _census.joined(life)
        context = contextvars.copy_context()
        if not call_soon(loop, lambda: self._begin_task(loop, context)):
            life.end(Failed("its event loop is closed"))
            _census.ended(life)

    def _find_loop(self) -> asyncio.AbstractEventLoop:
        owner = self.owner
        if isinstance(owner, asyncio.AbstractEventLoop):
            return owner
        loop = None if owner is None else owner.life.loop
        if owner is None or loop is None:
            why = (
                "it lives on an event loop, and the one it was given does not run. "
                "Start an EventLoopActor before it"
            )
            msg = f"{self.life.label!r} did not start: {why}"
            raise StartError(msg, reason=Failed(why))
        self._end_with(owner.life)
        return loop

    def _end_with(self, owner: Life) -> None:
        life = self.life

        def end(ended: ReplyFuture[ExitReason]) -> None:
            life.end_from_outside(ended.get())

        owner.ended.on_done(end)
        life.before_end(lambda _reason: owner.ended.forget(end))

    def _begin_task(
        self, loop: asyncio.AbstractEventLoop, context: contextvars.Context
    ) -> None:
        life = self.life
        life.thread = threading.current_thread()
        task = loop.create_task(self._live_on_loop(), context=context)
        life.on_abandon = lambda: call_soon(loop, task.cancel)
        if life.over():
            # Ended from outside before it began, when there was no task to cancel.
            task.cancel()


async def alaunch(actor: LoopActor) -> None:
    """Start the actor's life on its loop and await `on_start`.

    Raises:
        Ignore: `on_start` raised it.
        StartError: `on_start` raised.
    """
    life = actor.life
    begin(actor)
    await settled(life.started)
    if life.started.failed():
        # Its end comes from this same loop, which must not be blocked meanwhile.
        await settled(life.ended)
    conclude(life, timeout=None)
