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
from collections.abc import Callable
from typing import Any, Self

import pykka

from supervisors import _census
from supervisors._acall import call_soon, settled
from supervisors._callbacks import reason_of
from supervisors._current import (
    leave_loop,
    leave_task,
    on_event_loop,
    own_loop_here,
    tasks_of_actors,
)
from supervisors._homes import HOMES, Home, Lodging, LoopOwner, running_loop, soon_on
from supervisors._launch import begin, conclude, launch
from supervisors._on_loop import LOOP_CLOSED, OnLoop
from supervisors.errors import BlockingCallError, ConfigError, StartError
from supervisors.exits import KILLED, Failed
from supervisors.log import logger
from supervisors.ref import Ref

CLOSING_SECONDS = 5.0
"""How long a loop that ends waits for the `on_close` of those who live on it."""


class EventLoopActor(OnLoop):
    """An actor on an asyncio loop of its own, in a thread of its own.

    Override `on_receive` (a plain method that does not block, or a coroutine function)
    and, for what must be closed with `await`, `on_close`. Long work is started with
    `spawn`. When it ends, the `LoopActor`s that live on its loop end with it, for the
    same reason.
    """

    def _begin_life(self) -> None:
        super()._begin_life()
        self.life.ping = self._ping

    def _actor_loop(self) -> None:
        self.life.thread = threading.current_thread()
        own_loop_here()
        try:
            asyncio.run(self._own_a_loop())
        except BaseException as error:  # noqa: BLE001 - this thread is used again
            # A task that is nobody's on it raised `SystemExit` or its like.
            self.life.end(reason_of(error))
            logger().exception("an event loop broke", actor=self.life.label)
        finally:
            leave_loop()
            self._leave()

    async def _own_a_loop(self) -> None:
        loop = asyncio.get_running_loop()
        HOMES[loop] = Home(self.life)
        try:
            await self._live_on_loop()
        finally:
            del HOMES[loop]
        # Those who lived here have been ended; what they close with `await` gets its
        # time before the loop cancels whatever is left.
        others = tasks_of_actors(loop)
        if others:
            await asyncio.wait(others, timeout=CLOSING_SECONDS)

    def _ping(self, pong: Callable[[], object]) -> None:
        """Have the loop call `pong`, or call it here when no loop runs."""
        loop = self.life.loop
        if loop is None or not call_soon(loop, pong):
            pong()

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

    Ended from outside, it is cancelled: what it awaits raises `CancelledError`. A
    callback that swallows that goes on until it returns, like one in a thread.
    """

    owner: LoopOwner | None = None
    """Where it lives; set before it starts."""
    _lodging: Lodging | None = None

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

        For threads without a loop; on the loop itself, use `astart`.

        Raises:
            BlockingCallError: The calling thread runs that loop, or is in an actor on
                one; it would have waited for itself.
            StartError: `on_start` raised; the cause is chained.
        """
        here = running_loop()
        if on_event_loop() or (here is not None and here is owner):
            msg = (
                f"start_on() of {cls.__name__} would block the event loop it was "
                "called on. Write `await astart(...)` there."
            )
            raise BlockingCallError(msg)
        actor = cls._made_outside_a_tree(owner, *args, **kwargs)
        launch(actor, timeout=None)
        return actor.actor_ref

    @classmethod
    async def astart(cls, *args: Any, **kwargs: Any) -> Ref[Self]:
        """Start on the running loop, and return when `on_start` has succeeded.

        Cancelling the awaiting task gives the start up.

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
        _census.joined(self.life)
        self._lodging = Lodging(self.owner, self.life)
        loop = self._lodging.find()
        if loop is None:
            why = (
                "it lives on an event loop, and the one it was given does not run. "
                "Start an EventLoopActor before it"
            )
            msg = f"{self.life.label!r} did not start: {why}"
            self._fail_to_start(StartError(msg, reason=Failed(why)))
            return
        self.actor_inbox.on_loop_closed = self._lose_loop
        context = contextvars.copy_context()
        if not soon_on(loop, self._begin_task, loop, context, context=context):
            msg = f"{self.life.label!r} was to live on an event loop that is closed."
            self._fail_to_start(StartError(msg, reason=LOOP_CLOSED))

    def _fail_to_start(self, error: StartError) -> None:
        self.life.started.reject(error)
        self.life.end(error.reason)
        self._leave()

    def _begin_task(
        self, loop: asyncio.AbstractEventLoop, context: contextvars.Context
    ) -> None:
        life = self.life
        life.thread = threading.current_thread()
        task = loop.create_task(self._live_on_loop(), name=life.label, context=context)
        # Cancelled before its first step, it would not even leave.
        task.add_done_callback(self._leave_if_never_begun)

    def _after_life(self) -> None:
        self._leave()

    def _leave_if_never_begun(self, _task: asyncio.Task[None]) -> None:
        if not self.life.entered:
            self._leave()

    def _leave(self) -> None:
        super()._leave()
        if self._lodging is not None:
            self._lodging.leave()

    def _lose_loop(self) -> None:
        """The loop was closed and will never run this actor again: it ends here."""
        task = self._task
        if task is not None:
            leave_task(task)
        self.life.end(LOOP_CLOSED)
        self._leave()


async def alaunch(actor: LoopActor) -> None:
    """Start the actor's life on its loop and await `on_start`.

    Raises:
        Ignore: `on_start` raised it.
        StartError: `on_start` raised.
    """
    life = actor.life
    begin(actor)
    try:
        await settled(life.started)
        if life.started.failed():
            # Its end comes from this same loop, which must not be blocked meanwhile.
            await settled(life.ended)
    except asyncio.CancelledError:
        # Nobody will ever know this actor.
        life.end_from_outside(KILLED)
        raise
    conclude(life, timeout=None)
