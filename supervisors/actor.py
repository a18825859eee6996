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
from pykka.messages import ProxyCall, ProxyGetAttr, ProxySetAttr

from supervisors import _census
from supervisors._callbacks import NO_REPLY, Refuse, reason_of
from supervisors._current import enter
from supervisors._future import ReplyFuture
from supervisors._launch import launch
from supervisors._life import STOPS, Life, ReplyToken, Stopped, settle
from supervisors._mailbox import BoundedMailbox, Mailbox
from supervisors._threads import THREADS
from supervisors._timers import Timers
from supervisors.clock import SYSTEM_CLOCK
from supervisors.errors import SelfCallError
from supervisors.events import Events
from supervisors.exits import (
    KILLED,
    NO_PROCESS,
    NORMAL,
    Crashed,
    ExitReason,
    cause_of,
)
from supervisors.log import logger
from supervisors.monitor import Down, ExitSignal, Monitor, watch
from supervisors.ref import Ref
from supervisors.registry import Registry
from supervisors.scope import work_only_in
from supervisors.surroundings import Surroundings

_OF_PYKKA = (ProxyCall, ProxyGetAttr, ProxySetAttr)
"""The messages of Pykka's proxies; all others are for `on_receive`."""


_numbers = itertools.count(1)
"""Of all actors of this process, for their URNs."""


class Actor(pykka.ThreadingActor):
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

    use_daemon_thread = True
    actor_inbox: Mailbox  # type: ignore[assignment] # `get` may return None here

    trap_exit: ClassVar[bool] = False
    """Whether exit signals of others become `ExitSignal` messages: OTP's flag.

    `set_trap_exit` changes it for one actor.
    """
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
        life.clock = SYSTEM_CLOCK
        life.on_signal = self._trap
        self.actor_stopped = cast("threading.Event", Stopped(life))
        life.ref = self._actor_ref = Ref(self)
        self._surroundings: Surroundings | None = None
        self._clock = SYSTEM_CLOCK
        self._exit_reason: ExitReason | None = None
        self._timers: Timers | None = None
        self._continuations: list[Any] = []
        self._idle_due: float | None = None

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

    # The loop.

    @classmethod
    def _create_actor_inbox(cls) -> Any:
        limit = cls.mailbox_limit
        return Mailbox() if limit is None else BoundedMailbox().bound(limit)

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return ReplyFuture()

    def _start_actor_loop(self) -> None:
        _census.joined(self.life)
        THREADS.run(self._actor_loop)

    def _actor_loop(self) -> None:
        life = self.life
        life.thread = threading.current_thread()
        life.entered = True
        enter(life)
        # An actor is no part of the work that happened to start it.
        work_only_in(life.scope)
        unsubscribe = self._clock.subscribe(self.actor_inbox.poke)
        reason: ExitReason = KILLED
        try:
            reason = self._live()
            if not life.over():
                reason = self._clean_up(reason)
        finally:
            # Whatever happened above, nobody waits for this actor for ever.
            life.end(reason)
            unsubscribe()
            enter(None)
            life.thread_left.resolve(None)
            _census.ended(life)

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
        self.life.started_at = self._clock.monotonic()
        if not self.life.started.resolve(None):
            return NORMAL
        try:
            return self._receive_until_told()
        except BaseException as error:  # noqa: BLE001 - no end without a reason
            return reason_of(error)

    def _receive_until_told(self) -> ExitReason:
        life = self.life
        inbox = self.actor_inbox
        while True:
            if self._exit_reason is not None:
                return self._exit_reason
            if life.attention:
                told = self._attend()
                if told is not None:
                    return told
            if self._continuations:
                self._continue()
                continue
            if self._timers is not None or self._idle_due is not None:
                envelope = self._timer_or_message()
            else:
                life.next_due = None
                life.at_rest = True
                envelope = inbox.get()
                life.at_rest = False
            if envelope is None:
                continue
            if life.attention:
                # A stop or a suspension came while it was being taken.
                told = self._attend()
                if told is not None:
                    inbox.put_back(envelope)
                    return told
            self._handle(envelope)

    def _attend(self) -> ExitReason | None:
        """Do what somebody outside wants ahead of all messages; a reason to end."""
        life = self.life
        while True:
            told = self._look_outside()
            resumed = life.resumed
            if told is not None or resumed is None:
                return told
            life.park()
            resumed.wait()

    def _look_outside(self) -> ExitReason | None:
        life = self.life
        # Cleared first: whoever wants something later sets it again.
        life.attention = False
        return NORMAL if life.over() else life.stop_wanted()

    def _handle(self, envelope: Envelope[Any]) -> None:
        """Handle one message and answer it. What it raises ends the actor."""
        if not self._take_in_hand(envelope):
            return
        message = envelope.message
        if isinstance(message, STOPS):
            # Whoever stops it waits for its end, which answers this message.
            self._exit_reason = getattr(message, "reason", NORMAL)
            return
        result = self._received(message)
        if envelope.reply_to is not None and result is not NO_REPLY:
            answer(envelope.reply_to, result)
        self._put_down(envelope)

    def _take_in_hand(self, envelope: Envelope[Any]) -> bool:
        life = self.life
        message = envelope.message
        if message.__class__ is Down and message.monitor.called_off:
            # As if it had never come: it does not call an idle timeout off either.
            self.actor_inbox.done()
            return False
        life.in_hand_since = self._clock.monotonic()
        life.in_hand = envelope
        self._idle_due = None
        if not life.over():
            return True
        # Killed between the taking and the noting: whoever killed has not seen this
        # message. The mailbox is closed, or about to be, and answers it.
        self.actor_inbox.put_back(envelope)
        return False

    def _put_down(self, envelope: Envelope[Any]) -> None:
        if self._exit_reason is not None:
            # In hand until the end is told, so that nobody takes it for idle.
            return
        self.life.in_hand = None
        if envelope.__class__ is not Own:
            self.actor_inbox.done()

    def _received(self, message: Any) -> Any:
        if isinstance(message, _OF_PYKKA):
            return self._handle_receive(message)
        return self.on_receive(message)

    def _continue(self) -> None:
        own = Own(self._continuations.pop(0))
        if self._take_in_hand(own):
            self.on_continue(own.message)
            self._put_down(own)

    def _timer_or_message(self) -> Envelope[Any] | None:
        """A timer that is due, or a message, or `None` when one must look again."""
        own = self._due_own()
        if own is not None:
            return own
        life, idle_due = self.life, self._idle_due
        life.next_due = self._nearest_own()
        life.at_rest = True
        envelope = self.actor_inbox.get(self._until(life.next_due))
        life.at_rest = False
        if envelope is None and idle_due is not None and self._is_idle(idle_due):
            own = Own(None)
            if self._take_in_hand(own):
                self.on_idle()
                self._put_down(own)
        return envelope

    def _due_own(self) -> Own | None:
        """The message of a timer that is due."""
        if self._timers is None:
            return None
        due = self._timers.pop_due(self._clock.monotonic())
        return None if due is None else Own(due[0])

    def _nearest_own(self) -> float | None:
        """When this actor has something to do even if no message comes."""
        nearest = None if self._timers is None else self._timers.next_due()
        if nearest is None:
            return self._idle_due
        return nearest if self._idle_due is None else min(nearest, self._idle_due)

    def _until(self, due: float | None) -> float | None:
        return None if due is None else max(0.0, due - self._clock.monotonic())

    def _is_idle(self, idle_due: float) -> bool:
        return self._clock.monotonic() >= idle_due and self.actor_inbox.idle()

    def _trap(self, reason: ExitReason, source: Life | None) -> None:
        ref = None if source is None else source.ref
        self.actor_inbox.put_system(Envelope(ExitSignal(ref, reason)))

    def _clean_up(self, reason: ExitReason) -> ExitReason:
        """Run the hooks of the end, each of which may replace the reason."""
        for step in (self._run_on_end, self._run_pykka_hooks):
            # Set for each: a hook may call `exit` with another reason.
            self._exit_reason = reason
            try:
                step(reason)
            except BaseException as error:  # noqa: BLE001 - becomes the exit reason
                self._exit_reason = reason_of(error)
            reason = self._exit_reason
        self._report_crash(reason)
        return reason

    def _report_crash(self, reason: ExitReason) -> None:
        if not isinstance(reason, Crashed):
            return
        try:
            logger().error(
                "actor crashed",
                path="/".join(self.life.path) or self.life.label,
                exc_info=reason.exception,
            )
        except Exception:  # noqa: BLE001 - a log that breaks keeps nobody waiting
            return

    def _run_on_end(self, reason: ExitReason) -> None:
        if self.life.started_at is not None:
            self.on_end(reason)

    def _run_pykka_hooks(self, reason: ExitReason) -> None:
        if self.life.started_at is None:
            return
        error = cause_of(reason)
        if error is None:
            self.on_stop()
        else:
            self.on_failure(type(error), error, error.__traceback__)


class Own(Envelope[Any]):
    """What an actor has from itself, and not from its mailbox."""

    __slots__: tuple[str, ...] = ()


def answer(reply_to: Any, result: Any) -> None:
    """Give a caller what the handler returned."""
    if isinstance(result, Refuse):
        settle(reply_to, None, result.error)
    elif type(reply_to) is ReplyFuture:
        reply_to.resolve(result)
    else:
        settle(reply_to, result, None)


def _forwarding(future: Any) -> ReplyFuture[Any]:
    """A future of ours that passes its value on to Pykka's, or to nobody."""
    ours: ReplyFuture[Any] = ReplyFuture()
    if future is not None:
        ours.on_done(lambda done: settle(future, done._value, done._error))  # noqa: SLF001 - our own class
    return ours
