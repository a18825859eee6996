"""The life of one incarnation of an actor, and the right to answer its callers."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pykka._envelope import Envelope

from supervisors import _census, _links
from supervisors._answers import answer_dead, answer_of_the_dead, down_error
from supervisors._future import ReplyFuture
from supervisors._mailbox import Mailbox
from supervisors._suspension import Pause, Suspension
from supervisors.clock import SYSTEM_CLOCK, Clock
from supervisors.errors import ActorDownError
from supervisors.exits import NO_PROCESS, ExitReason, Normal
from supervisors.log import logger
from supervisors.scope import Scope, last_words

if TYPE_CHECKING:
    import asyncio

    from supervisors.ref import Ref


class ReplyToken:
    """The right to answer one call, later and from any thread, exactly once."""

    __slots__ = ("_future", "_life")

    def __init__(self, future: ReplyFuture[Any], life: Life) -> None:
        self._future = future
        self._life = life

    def reply(self, value: Any) -> bool:
        """Answer; `False` when the caller was answered before or has gone."""
        self._life.open_tokens.discard(self)
        return self._future.resolve(value)

    def fail(self, error: BaseException) -> bool:
        """Answer with an error; `False` when the caller was answered before."""
        self._life.open_tokens.discard(self)
        return self._future.reject(error)


class Life:
    """The life of one incarnation, from start to exit reason.

    Shared by the actor, its refs and its supervisor. The exit reason is claimed exactly
    once; whoever claims it (the actor itself, or somebody outside) also closes the
    mailbox and answers every caller.
    """

    __slots__ = (
        "__weakref__",
        "_before_end",
        "_claim",
        "_label",
        "_leaving",
        "_pauses",
        "_stop_wanted",
        "abandoned_at",
        "at_rest",
        "attention",
        "children",
        "clock",
        "comes_back",
        "ended",
        "ends_at_once",
        "entered",
        "gave_up",
        "gave_up_over",
        "has_left",
        "in_hand",
        "in_hand_since",
        "inbox",
        "links",
        "loop",
        "next_due",
        "on_abandon",
        "on_signal",
        "open_tokens",
        "output",
        "path",
        "ping",
        "process_id",
        "ref",
        "roll",
        "scope",
        "started",
        "started_at",
        "thread",
        "traps",
        "watches",
    )

    ref: Ref[Any]
    """The incarnation as others see it; set by the actor."""

    def __init__(
        self, label: str, inbox: Mailbox, started: ReplyFuture[None] | None = None
    ) -> None:
        self._label = label
        self.inbox = inbox
        self.path: tuple[str, ...] = ()
        self.scope = Scope(label, voids=True)
        self.started = ReplyFuture() if started is None else started
        self.ended: ReplyFuture[ExitReason] = ReplyFuture()
        # Whether its thread has left its code, and the promise of that once somebody
        # waits for it.
        self.has_left = False
        self._leaving: dict[str, ReplyFuture[None]] = {}
        self.thread: threading.Thread | None = None
        # Real seconds: when it was ended from outside, if it was.
        self.abandoned_at: float | None = None
        self.entered = False
        self.started_at: float | None = None
        self.clock: Clock = SYSTEM_CLOCK
        self.next_due: float | None = None
        self.in_hand: Envelope[Any] | None = None
        self.in_hand_since = 0.0
        self.open_tokens: set[ReplyToken] = set()
        # What the loop must look at before its next message: a stop, a suspension, the
        # end. One flag, so that a message costs one look.
        self.attention = False
        self.at_rest = False
        self.ends_at_once = False
        self._stop_wanted: ExitReason | None = None
        # Alone, and not in the `Suspension` that hardly any life ever has.
        self._pauses: dict[str, Pause] = {}
        self.traps = False
        self.links: dict[Life, None] = {}
        # What this one watches, and how to call it off: it ends with the watcher.
        self.watches: dict[object, Callable[[], object]] = {}
        self.on_signal: Callable[[ExitReason, Life | None], object] | None = None
        # For actors on an event loop: the loop, how to cancel the task that is this
        # life, and how to hear whether the loop still turns.
        self.loop: asyncio.AbstractEventLoop | None = None
        self.on_abandon: Callable[[], object] | None = None
        self.ping: Callable[[Callable[[], object]], object] | None = None
        self.children: Any = None
        # For actors that run an operating-system process: its last lines, its number.
        self.output: Callable[[], tuple[str, ...]] | None = None
        self.process_id: Callable[[], int | None] | None = None
        # The tasks of a task supervisor, which are started without asking it.
        self.roll: Any = None
        self.gave_up: Any = None
        self.gave_up_over: Life | None = None
        self.comes_back = False
        self._claim = [True]
        self._before_end: list[Callable[[ExitReason], object]] = []

    @property
    def label(self) -> str:
        """What errors and pictures call it."""
        return self._label

    @label.setter
    def label(self, label: str) -> None:
        self._label = self.scope.label = label

    def before_end(self, step: Callable[[ExitReason], object]) -> None:
        """Call `step` with the reason when the actor ends, before anybody is told."""
        self._before_end.append(step)

    def over(self) -> bool:
        """Whether the exit reason is claimed: from then on this life is void.

        A moment later `ended` has the reason. Whoever was answered because this actor
        died finds it over, never alive.
        """
        return not self._claim

    def ask_to_stop(self, reason: ExitReason) -> None:
        """Ask the actor to end, ahead of the messages that wait; the first is heard."""
        if self._stop_wanted is None:
            self._stop_wanted = reason
        self._call_attention()

    def stop_wanted(self) -> ExitReason | None:
        """The reason it was asked to end with, if it was."""
        return self._stop_wanted

    @property
    def _suspension(self) -> Suspension:
        return Suspension(self._pauses)

    def suspend(self) -> ReplyFuture[None]:
        """Let the actor handle nothing until `resume`; kept once it stands still."""
        reached = self._suspension.begin()
        self._call_attention()
        return reached

    def resume(self) -> None:
        """Let the actor handle messages again."""
        self._suspension.end()

    @property
    def resumed(self) -> ReplyFuture[None] | None:
        """What a suspended actor waits for; `None` for any other."""
        return self._suspension.over() if self._pauses else None

    def park(self) -> None:
        """The actor stands still now, if it is suspended."""
        self._suspension.reached()

    def shut_down(self, reason: ExitReason) -> None:
        """Take the request of whoever this life belongs to: end, with `reason`."""
        if self.ends_at_once and not self.traps:
            if not isinstance(reason, Normal):
                self.end_from_outside(reason)
        else:
            self.ask_to_stop(reason)

    def quiet(self) -> bool:
        """Whether there is nothing to do until a message or a later timer comes."""
        if self.over():
            return self.ended.done()
        due = self.next_due
        return (
            self.at_rest
            and not self.attention
            and self.inbox.idle()
            and (due is None or due > self.clock.monotonic())
        )

    def _call_attention(self) -> None:
        self.attention = True
        resumed = self.resumed
        if resumed is not None and (self._stop_wanted is not None or self.over()):
            # A suspended actor sees that it is to end. The dead stand still.
            resumed.resolve(None)
            if self.ended.done():
                self.park()
        self.inbox.poke()

    def in_thread(self) -> bool:
        """Whether a thread is in the actor's code."""
        return self.entered and not self.has_left

    @property
    def thread_left(self) -> ReplyFuture[None]:
        """Kept when no thread is in the actor's code any more."""
        left = self._leaving.setdefault("thread", ReplyFuture())
        # Noted first by whoever leaves, and looked for afterwards.
        if self.has_left:
            left.resolve(None)
        return left

    def leave_thread(self) -> None:
        """Say that its thread is in its code no more."""
        self.has_left = True
        left = self._leaving.get("thread")
        if left is not None:
            left.resolve(None)

    def link(self, other: Life) -> bool:
        """Tie two lives; `False` when the other is over already."""
        return _links.tie(self, other)

    def unlink(self, other: Life) -> None:
        """Untie two lives."""
        _links.untie(self, other)

    def signal(self, reason: ExitReason, source: Life | None) -> None:
        """Take an exit signal, as a linked or a strange process sends it in OTP."""
        if self.struck_by(reason, source):
            self.void(reason)

    def struck_by(self, reason: ExitReason, source: Life | None) -> bool:
        """Take an exit signal in one step; `True` when it ends this life.

        Then nobody else can end it, and the caller must do so with `void`.
        """
        if self.over():
            return False
        if self.traps:
            if self.on_signal is not None:
                self.on_signal(reason, source)
            return False
        return not isinstance(reason, Normal) and self._claimed()

    def parent_ended(self, reason: ExitReason) -> None:
        """The supervisor above was killed: end as its exit signal makes one end."""
        if self.traps:
            self.ask_to_stop(reason)
        else:
            self.end_from_outside(reason)

    def end_from_outside(self, reason: ExitReason) -> bool:
        """End this life although its thread may be in a callback.

        That thread cannot be ended. Its calls are refused from now on, and until it
        leaves it counts as a zombie.
        """
        if not self._claimed():
            return False
        self.void(reason)
        return True

    def void(self, reason: ExitReason) -> None:
        """Carry out an end from outside that was claimed."""
        self.abandoned_at = now()
        # Before anybody hears of the end, so that a dead actor sends nothing.
        self.scope.cancel(f"its actor was ended from outside ({reason})")
        # Whoever ends it may be dead as well; the news must go out all the same.
        with last_words():
            self._finish(reason)
        if self.on_abandon is not None:
            self.on_abandon()
        if self.in_thread():
            _census.zombie(self)
            if not self.in_thread():
                _census.ended(self)

    def end(self, reason: ExitReason) -> bool:
        """End this life for everybody; `False` when it had ended before."""
        if not self._claimed():
            return False
        self._finish(reason)
        return True

    def _claimed(self) -> bool:
        """Claim the exit reason; `True` for exactly one caller, who must finish."""
        try:
            return self._claim.pop()
        except IndexError:
            return False

    def _finish(self, reason: ExitReason) -> None:
        for step in self._before_end:
            self._take(step, reason)
        # The mailbox keeps this, so it must not keep the life: tasks come and go by the
        # thousand, and none is to wait for the garbage collector.
        self.inbox.close(functools.partial(answer_of_the_dead, self.label, reason))
        # First what is in hand, then the tokens: a handler that is done at this moment
        # has made its token before it put the message down.
        in_hand = self.in_hand
        if in_hand is not None:
            answer_dead(in_hand, self.error(reason))
        # `copy` is one step; the actor's thread may be adding.
        for token in self.open_tokens.copy():
            token.fail(self.error(reason))
        _census.left(self)
        if not self.started.done():
            self.started.reject(self.error(reason))
        self.ended.resolve(reason)
        self._call_attention()
        if self.links:
            _links.tell_tied(self, reason)
        while self.watches:
            try:
                _, call_off = self.watches.popitem()
            except KeyError:
                break
            call_off()

    def lose_in_fork(self) -> None:
        """End this life in a forked child, where its thread never was.

        Touches nothing that another thread of the parent may have held.
        """
        self._claim = []
        self.inbox.lose(functools.partial(answer_of_the_dead, self.label, NO_PROCESS))
        self.has_left = True
        for future in (self.started, *self._leaving.values()):
            future.settle_without_callbacks(None)
        self.ended.settle_without_callbacks(NO_PROCESS)

    def _take(self, step: Callable[[ExitReason], object], reason: ExitReason) -> None:
        try:
            step(reason)
        except Exception:  # noqa: BLE001 - a step never keeps callers from their answer
            logger().exception("a step at an actor's end raised", actor=self.label)

    def error(self, reason: ExitReason) -> ActorDownError:
        """What a caller gets when the actor ended for `reason`; one for each caller.

        A raised error collects the traceback of its raiser, so it is not shared.
        """
        return down_error(self.label, reason)


def now() -> float:
    """Real monotonic seconds, for uptimes."""
    return time.monotonic()
