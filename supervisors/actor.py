"""The actor that can be supervised: Pykka's, with a life of its own.

What differs from `pykka.ThreadingActor`, and why, in one place:

- `start` returns when `on_start` has succeeded, and raises `StartError` otherwise.
- Any exception in a handler ends the actor, asked or told, as in OTP; the caller gets
  `ActorDownError` with the exception as its cause. To give a caller an error and live
  on, return `Refuse(error)`.
- Whatever a callback raises, `SystemExit` included, ends this actor and no other.
- It ends with an exit reason, seen exactly once by each monitor, and no caller is left
  without an answer.
- It runs on a daemon thread that is used again, in a copy of its starter's context.
"""

from __future__ import annotations

import itertools
import threading
from typing import Any, ClassVar, Self, cast

import pykka
from pykka._envelope import Envelope

from supervisors._actor_loop import ActorLoop
from supervisors._answers import settle
from supervisors._future import ReplyFuture
from supervisors._launch import launch
from supervisors._life import Life, ReplyToken
from supervisors._mailbox import BoundedMailbox, Mailbox
from supervisors._stopped import Stopped
from supervisors._timers import Timers
from supervisors.clock import SYSTEM_CLOCK, Clock
from supervisors.errors import SelfCallError
from supervisors.events import MAILBOX_FULL, Events
from supervisors.exits import (
    NO_PROCESS,
    NORMAL,
    ExitReason,
)
from supervisors.monitor import ExitSignal, Monitor, watch
from supervisors.ref import Ref
from supervisors.registry import Registry
from supervisors.surroundings import Surroundings

_numbers = itertools.count(1)
"""Of all actors of this process, for their URNs."""


class Actor(ActorLoop):
    """An actor with exit reasons, links, monitors, timers, late replies and a name.

    Override `on_receive`, and `on_start`, `on_end` where needed. `__init__` runs in the
    starter's thread and only stores what it was given; `on_start` runs in the actor's.

    Example:
        >>> class Adder(Actor):
        ...     total = 0
        ...
        ...     def on_receive(self, message):
        ...         self.total += message
        ...         return self.total
        >>> adder = Adder.start()
        >>> adder.call(2), adder.call(3)
        (2, 5)
        >>> adder.shutdown()
        >>> print(adder.wait(5))
        shutdown
    """

    trap_exit: ClassVar[bool] = False
    """Whether exit signals of others become `ExitSignal` messages: OTP's flag.

    `set_trap_exit` changes it for one actor.
    """
    # On the class, so that what many short-lived actors never have costs them nothing.
    _surroundings: Surroundings | None = None
    _clock: Clock = SYSTEM_CLOCK
    _exit_reason: ExitReason | None = None
    _timers: Timers | None = None
    _idle_due: float | None = None

    mailbox_limit: ClassVar[int | None] = None
    """How many messages may wait; one more is refused with `MailboxFullError`.

    `None` is no bound. News of ends, timers, stops and exit signals are never refused.
    """
    ends_at_once: ClassVar[bool] = False
    """Whether a shutdown ends an actor that does not trap exits without `on_end`.

    That is OTP's rule. Here the default is to let the message in hand finish and to run
    `on_end` whenever the actor is asked to stop, because Python's clean-up lives there.
    """

    def __init__(self) -> None:
        # Pykka's constructor is not called: most of its time goes into a random number
        # and a lock that nothing here needs. These are the fields it would set.
        self.actor_urn = f"urn:supervisors:{next(_numbers)}"
        self.actor_inbox = self._create_actor_inbox()
        self._begin_life()

    def _begin_life(self) -> None:
        self.life = life = self._make_life()
        life.traps = self.trap_exit
        life.ends_at_once = self.ends_at_once
        life.on_signal = self._trap
        self.actor_stopped = cast("threading.Event", Stopped(life))
        life.ref = self._actor_ref = Ref(self)
        self._continuations: list[Any] = []

    def _make_life(self) -> Life:
        return Life(type(self).__name__, self.actor_inbox)

    @property
    def actor_ref(self) -> Ref[Self]:
        """This incarnation, as others see it."""
        return cast("Ref[Self]", self._actor_ref)

    @property
    def surroundings(self) -> Surroundings:
        """What the tree gave it; outside any tree, names and events of its own."""
        # Made when needed: nearly every actor is given the tree's.
        if self._surroundings is None:
            self._surroundings = Surroundings(
                registry=Registry(), events=Events(), clock=SYSTEM_CLOCK
            )
        return self._surroundings

    @surroundings.setter
    def surroundings(self, given: Surroundings) -> None:
        self._surroundings = given
        self._clock = self.life.clock = given.clock
        self.life.path = given.path
        if isinstance(self.actor_inbox, BoundedMailbox):
            self.actor_inbox.on_refused = self._tell_refused

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> Ref[Self]:
        """Start an actor outside any tree and wait until `on_start` has succeeded.

        Raises:
            StartError: `on_start` raised; the cause is chained.
        """
        actor = cls(*args, **kwargs)
        ref = actor.actor_ref
        pykka.ActorRegistry.register(ref)
        actor.life.before_end(lambda _reason: pykka.ActorRegistry.unregister(ref))
        launch(actor, timeout=None)
        return ref

    # What handlers use.

    def reply_token(self) -> ReplyToken:
        """The right to answer the message in hand later. Return `NO_REPLY` with it.

        A message that was cast has nobody to answer; its token's replies go nowhere.
        """
        envelope = self.life.in_hand
        future = envelope.reply_to if envelope is not None else None
        if not isinstance(future, ReplyFuture):
            future = _forwarding(future)
        token = ReplyToken(future, self.life)
        self.life.open_tokens.add(token)
        return token

    def exit(self, reason: ExitReason = NORMAL) -> None:
        """End after the message in hand, with `reason`."""
        self._exit_reason = reason

    def send_after(self, seconds: float, message: Any) -> None:
        """Send `message` to this actor once `seconds` have passed on its clock."""
        if self._timers is None:
            self._timers = Timers()
        self._timers.add(self._clock.monotonic() + seconds, message)

    def continue_with(self, term: Any = None) -> None:
        """Call `on_continue(term)` next, ahead of every message: OTP's `continue`.

        In `on_start` it is for work that the starter need not wait for; after a message
        for work its caller need not wait for.
        """
        self._continuations.append(term)

    def idle_after(self, seconds: float) -> None:
        """Call `on_idle` when no message comes for `seconds`: OTP's timeout.

        It holds once, and the next message, whichever, calls it off.
        """
        self._idle_due = self._clock.monotonic() + seconds

    def monitor(self, ref: Ref[Any]) -> Monitor:
        """Watch an actor: its end brings this one exactly one `Down`.

        When it is dead already the `Down` comes at once, with `NoProcess`. Watching
        twice brings two.
        """
        return watch(ref, self.life)

    def demonitor(self, monitor: Monitor) -> bool:
        """Call a watch off; no `Down` of it is handled from now on (OTP's `flush`).

        Returns:
            `False` when the watched actor had ended before.
        """
        return monitor.call_off()

    def link(self, ref: Ref[Any]) -> None:
        """Tie this actor's life to another's, both ways.

        Raises:
            SelfCallError: To itself.
            ActorDownError: The other is dead. An actor that traps exits gets an
                `ExitSignal` with `NoProcess` instead.
        """
        if ref.life is self.life:
            msg = (
                f"{self.life.label!r} linked itself, which means nothing. "
                "Link another actor."
            )
            raise SelfCallError(msg)
        if self.life.link(ref.life):
            return
        if not self.life.traps:
            raise ref.life.error(NO_PROCESS)
        self._trap(NO_PROCESS, ref.life)

    def unlink(self, ref: Ref[Any]) -> None:
        """Untie the two lives; nothing when they were not tied."""
        self.life.unlink(ref.life)

    def set_trap_exit(self, *, traps: bool) -> None:
        """Say whether exit signals become messages from now on."""
        self.life.traps = traps

    # What to override, besides Pykka's `on_start` and `on_receive`.

    def on_continue(self, term: Any) -> None:
        """Do the work that `continue_with` announced."""

    def on_idle(self) -> None:
        """No message came for as long as `idle_after` said."""

    def on_end(self, reason: ExitReason) -> None:
        """Clean up: OTP's `terminate`. Runs in the actor's thread when it ends itself.

        That is at every end but one from outside: a kill, or an exit signal that is not
        trapped. Pykka's `on_stop` (orderly) or `on_failure` (crash) run after it.
        """

    @classmethod
    def _create_actor_inbox(cls) -> Any:
        limit = cls.mailbox_limit
        return Mailbox() if limit is None else BoundedMailbox().bound(limit)

    def _tell_refused(self, message: Any) -> None:
        """A message was refused; called in its sender's thread."""
        here, limit = self.surroundings, self.mailbox_limit or 0
        word = type(message).__name__
        here.events.emit(MAILBOX_FULL, {"limit": limit}, path=here.path, message=word)

    def _trap(self, reason: ExitReason, source: Life | None) -> None:
        ref = None if source is None else source.ref
        self.actor_inbox.put_system(Envelope(ExitSignal(ref, reason)))


def _forwarding(future: Any) -> ReplyFuture[Any]:
    """A future of ours that passes its value on to Pykka's, or to nobody."""
    ours: ReplyFuture[Any] = ReplyFuture()
    if future is not None:
        ours.on_done(lambda done: settle(future, done._value, done._error))  # noqa: SLF001 - our own class
    return ours
