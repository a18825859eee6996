"""The loop of an actor: from its start to its exit reason, one message at a time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pykka
from pykka._envelope import Envelope
from pykka.messages import ProxyCall, ProxyGetAttr, ProxySetAttr

from supervisors import _census
from supervisors._answers import STOPS, settle
from supervisors._callbacks import NO_REPLY, Refuse, reason_of
from supervisors._current import enter
from supervisors._future import ReplyFuture
from supervisors._life import Life
from supervisors._mailbox import Mailbox
from supervisors._threads import THREADS
from supervisors._timers import Timers
from supervisors.clock import Clock
from supervisors.exits import KILLED, NORMAL, Crashed, ExitReason, cause_of
from supervisors.log import logger
from supervisors.monitor import Down
from supervisors.scope import work_only_in

_OF_PYKKA = frozenset((ProxyCall, ProxyGetAttr, ProxySetAttr))
"""The messages of Pykka's proxies; all others are for `on_receive`."""


class ActorLoop(pykka.ThreadingActor):
    """What runs an `Actor`, apart from what people call and override in one."""

    use_daemon_thread = True
    actor_inbox: Mailbox  # type: ignore[assignment] # `get` may return None here
    life: Life
    _clock: Clock
    # Only the actor's own thread touches these.
    _exit_reason: ExitReason | None
    _timers: Timers | None
    _continuations: list[Any]
    _idle_due: float | None

    if TYPE_CHECKING:

        def on_continue(self, term: Any) -> None: ...

        def on_idle(self) -> None: ...

        def on_end(self, reason: ExitReason) -> None: ...

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
            life.leave_thread()
            _census.ended(life)
            # Nothing of the actor is kept by who keeps its life.
            life.on_signal = None

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
            # While it waits for the next one, an actor holds nothing of the last.
            del envelope

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
        if message.__class__ in _OF_PYKKA:
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
