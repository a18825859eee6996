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

import heapq
import itertools
from dataclasses import dataclass
from typing import Any, Self, cast

import pykka
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from supervisors import _census
from supervisors._current import enter
from supervisors._future import ReplyFuture
from supervisors._life import Life, ReplyToken, now, settle
from supervisors._mailbox import Mailbox
from supervisors._threads import THREADS
from supervisors.clock import SYSTEM_CLOCK, Clock
from supervisors.errors import StartError
from supervisors.events import Events
from supervisors.exits import NORMAL, Crashed, ExitReason, Failed, cause_of
from supervisors.log import logger
from supervisors.ref import Ref
from supervisors.registry import Registry
from supervisors.scope import leave_scope


class Ignore(Exception):  # noqa: N818 - not an error: OTP's `ignore`
    """Raise in `on_start` to say: do not start me, and that is no failure."""


class Stop(Exception):  # noqa: N818 - not an error: OTP's `{stop, Reason}`
    """Raise in a callback to end the actor with a reason of your choice."""

    def __init__(self, reason: ExitReason) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _NoReply:
    """The type of `NO_REPLY`."""

    def __repr__(self) -> str:
        return "NO_REPLY"


NO_REPLY = _NoReply()
"""Return it from a handler that answers later, through `Actor.reply_token()`."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Return it from a handler to give the caller an error and live on."""

    error: BaseException
    """What the caller's `call` raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an actor gets from the tree it is started in."""

    registry: Registry
    """The tree's names."""
    events: Events
    """Where the tree's events go."""
    clock: Clock
    """The tree's time."""
    path: tuple[str, ...] = ()
    """Ids from the root down to this actor."""
    parent: Ref[Any] | None = None
    """The supervisor, or `None` for a root."""


class Actor(pykka.ThreadingActor):
    """An actor with exit reasons, monitors, timers, late replies and a name.

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

    use_daemon_thread = True
    actor_inbox: Mailbox  # type: ignore[assignment] # `get` may return None here

    def __init__(self) -> None:
        super().__init__()
        self.life = Life(type(self).__name__, self.actor_inbox)
        self._actor_ref = Ref(self)
        self._surroundings: Surroundings | None = None
        self._exit_reason: ExitReason | None = None
        self._timers: list[tuple[float, int, Any]] = []
        self._timer_numbers = itertools.count()

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
        due = self.surroundings.clock.monotonic() + seconds
        heapq.heappush(self._timers, (due, next(self._timer_numbers), message))

    def on_end(self, reason: ExitReason) -> None:
        """Clean up. Runs in the actor's thread at every end but a kill.

        Pykka's `on_stop` (orderly) or `on_failure` (crash) run after it.
        """

    # The loop.

    @staticmethod
    def _create_actor_inbox() -> Any:
        return Mailbox()

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return ReplyFuture()

    def _start_actor_loop(self) -> None:
        _census.joined(self.life)
        THREADS.run(self._actor_loop)

    def _actor_loop(self) -> None:
        self.life.entered = True
        enter(self.life)
        # An actor is no part of the work that happened to start it.
        leave_scope()
        unsubscribe = self.surroundings.clock.subscribe(self.actor_inbox.poke)
        try:
            reason = self._live()
            if not self.life.over():
                self._clean_up(reason)
                self.life.end(self._exit_reason or reason)
        finally:
            unsubscribe()
            enter(None)
            self.life.thread_left.resolve(None)
            self.actor_stopped.set()
            _census.ended(self.life)

    def _live(self) -> ExitReason:
        """Run from start to end and say why it ended."""
        if self.life.over():
            return NORMAL
        try:
            self.on_start()
        except BaseException as error:  # noqa: BLE001 - the starter gets it, whatever it is
            self._exit_reason = reason_of(error)
            self.life.started.reject(error)
            return self._exit_reason
        self.life.started_at = now()
        if not self.life.started.resolve(None):
            return NORMAL
        try:
            return self._receive_until_told()
        except BaseException as error:  # noqa: BLE001 - no end without a reason
            return reason_of(error)

    def _receive_until_told(self) -> ExitReason:
        life = self.life
        while True:
            if life.over():
                return NORMAL
            told = life.stop_wanted()
            if told is not None:
                return told
            envelope = self._due_timer() or self.actor_inbox.get(
                self._until_next_timer()
            )
            if envelope is None:
                continue
            if life.stop_wanted() is not None:
                # It will not be handled any more; the end of this life answers it.
                self.actor_inbox.put(envelope)
                continue
            reason = self._handle(envelope)
            if reason is not None:
                return reason

    def _handle(self, envelope: Envelope[Any]) -> ExitReason | None:
        """Handle one message; the exit reason when it was the last one."""
        life = self.life
        life.in_hand_since = now()
        life.in_hand = envelope
        if life.over():
            # Killed between the taking and the noting: whoever killed has not seen
            # this message. The mailbox is closed, or about to be, and answers it.
            self.actor_inbox.put(envelope)
            return NORMAL
        try:
            if isinstance(envelope.message, _ActorStop):
                # Pykka's stop() returns when the actor has ended, so it is answered
                # by the end of this life.
                return NORMAL
            result = self._handle_receive(envelope.message)
        except BaseException as error:  # noqa: BLE001 - it ends this actor only, with this as reason
            self._exit_reason = reason_of(error)
            return self._exit_reason
        if envelope.reply_to is not None and result is not NO_REPLY:
            if isinstance(result, Refuse):
                settle(envelope.reply_to, None, result.error)
            else:
                settle(envelope.reply_to, result, None)
        life.in_hand = None
        return self._exit_reason

    def _until_next_timer(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - self.surroundings.clock.monotonic())

    def _due_timer(self) -> Envelope[Any] | None:
        if not self._timers:
            return None
        if self._timers[0][0] > self.surroundings.clock.monotonic():
            return None
        return Envelope(heapq.heappop(self._timers)[2])

    def _clean_up(self, reason: ExitReason) -> None:
        self._exit_reason = reason
        for step in (self._run_on_end, self._run_pykka_hooks):
            try:
                step(reason)
            except BaseException as error:  # noqa: BLE001 - becomes the exit reason
                self._exit_reason = reason = reason_of(error)
        if not isinstance(reason, Crashed):
            return
        logger().error(
            "actor crashed",
            path="/".join(self.surroundings.path) or self.life.label,
            exc_info=reason.exception,
        )

    def _run_on_end(self, reason: ExitReason) -> None:
        if self.life.started_at:
            self.on_end(reason)

    def _run_pykka_hooks(self, reason: ExitReason) -> None:
        if not self.life.started_at:
            return
        error = cause_of(reason)
        if error is None:
            self.on_stop()
        else:
            self.on_failure(type(error), error, error.__traceback__)


def reason_of(error: BaseException) -> ExitReason:
    """The exit reason of an actor one of whose callbacks raised `error`."""
    if isinstance(error, Ignore):
        return NORMAL
    return error.reason if isinstance(error, Stop) else Crashed(error)


def _forwarding(future: Any) -> ReplyFuture[Any]:
    """A future of ours that passes its value on to Pykka's, or to nobody."""
    ours: ReplyFuture[Any] = ReplyFuture()
    if future is not None:
        ours.on_done(lambda done: settle(future, done._value, done._error))  # noqa: SLF001 - our own class
    return ours


def launch(actor: Actor, timeout: float | None) -> None:
    """Start the actor's loop and wait for `on_start`.

    Raises:
        Ignore: `on_start` raised it.
        StartError: `on_start` raised, or took longer than `timeout` seconds.
    """
    life = actor.life
    actor._start_actor_loop()  # noqa: SLF001 - Pykka's name for it
    if not life.started.wait(timeout):
        actor.actor_ref.kill()
        msg = f"{life.label!r} did not start within {timeout:g} s, and was given up"
        raise StartError(msg, reason=Failed("start timeout"))
    try:
        life.started.get()
    except Ignore:
        life.ended.wait()
        raise
    except BaseException as error:
        reason = life.ended.get() if life.ended.wait(timeout) else reason_of(error)
        msg = f"{life.label!r} did not start: {error}"
        raise StartError(msg, reason=reason) from error
