"""The life of one incarnation of an actor, and the right to answer its callers."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from supervisors import _census
from supervisors._future import ReplyFuture
from supervisors._mailbox import Mailbox
from supervisors.errors import ActorDownError, ScopeCancelledError
from supervisors.exits import ExitReason, cause_of
from supervisors.log import logger


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
    once; whoever claims it (the actor itself, or a killer) also closes the mailbox and
    answers every caller.
    """

    def __init__(self, label: str, inbox: Mailbox) -> None:
        self.label = label
        self.inbox = inbox
        self.started: ReplyFuture[None] = ReplyFuture()
        self.ended: ReplyFuture[ExitReason] = ReplyFuture()
        self._stop_wanted: ExitReason | None = None
        self.in_hand: Envelope[Any] | None = None
        self.in_hand_since = 0.0
        self.started_at = 0.0
        self.open_tokens: set[ReplyToken] = set()
        self.entered = False
        self.thread_left: ReplyFuture[None] = ReplyFuture()
        self.children: Any = None
        self.output: Any = None
        self.gave_up: Any = None
        self.gave_up_over: Life | None = None
        self.comes_back = False
        self._claim: deque[None] = deque((None,))
        self._before_end: list[Callable[[ExitReason], object]] = []
        self._wakers: dict[object, Callable[[], object]] = {}

    def before_end(self, step: Callable[[ExitReason], object]) -> None:
        """Call `step` with the reason when the actor ends, before anybody is told."""
        self._before_end.append(step)

    def over(self) -> bool:
        """Whether the exit reason is claimed: from then on this life is void.

        A moment later `ended` has the reason. Whoever was answered because this actor
        died finds it over, never alive.
        """
        return not self._claim

    @contextlib.contextmanager
    def waiting(self, wake: Callable[[], object]) -> Iterator[None]:
        """While this actor waits in the block, `wake` is called at its end.

        Without it an actor killed inside a call would keep waiting, perhaps for an
        actor that cannot come back before its own successor has started.
        """
        key = object()
        self._wakers[key] = wake
        if self.over():
            wake()
        try:
            yield
        finally:
            del self._wakers[key]

    def ask_to_stop(self, reason: ExitReason) -> None:
        """Ask the actor to end, ahead of the messages that wait."""
        self._stop_wanted = reason
        self.inbox.poke()

    def stop_wanted(self) -> ExitReason | None:
        """The reason it was asked to end with, if it was."""
        return self._stop_wanted

    def in_thread(self) -> bool:
        """Whether a thread is in the actor's code."""
        return self.entered and not self.thread_left.done()

    def end(self, reason: ExitReason) -> bool:
        """End this life for everybody; `False` when it had ended before."""
        try:
            self._claim.pop()
        except IndexError:
            return False
        for step in self._before_end:
            self._take(step, reason)
        self.inbox.close(lambda envelope: _answer_dead(envelope, self.error(reason)))
        # First what is in hand, then the tokens: a handler that is done at this moment
        # has made its token before it put the message down.
        in_hand = self.in_hand
        if in_hand is not None:
            _answer_dead(in_hand, self.error(reason))
        for token in tuple(self.open_tokens):
            token.fail(self.error(reason))
        _census.left(self)
        self.started.reject(self.error(reason))
        self.ended.resolve(reason)
        for wake in tuple(self._wakers.values()):
            wake()
        return True

    def _take(self, step: Callable[[ExitReason], object], reason: ExitReason) -> None:
        try:
            step(reason)
        except Exception:  # noqa: BLE001 - a step never keeps callers from their answer
            logger().exception("a step at an actor's end raised", actor=self.label)

    def error(self, reason: ExitReason) -> ActorDownError:
        """What a caller gets when the actor ended for `reason`; one for each caller.

        A raised error collects the traceback of its raiser, so it is not shared.
        """
        error = ActorDownError(self.label, reason)
        error.__cause__ = cause_of(reason)
        return error


def _answer_dead(envelope: Envelope[Any], error: ActorDownError) -> None:
    future = envelope.reply_to
    if future is None:
        return
    if isinstance(envelope.message, _ActorStop):
        settle(future, None, None)
    else:
        settle(future, None, error)


def settle(future: Any, value: Any, error: BaseException | None) -> None:
    """Settle our future or one of Pykka's; a second answer is dropped."""
    if isinstance(future, ReplyFuture):
        if error is None:
            future.resolve(value)
        else:
            future.reject(error)
        return
    try:
        if error is None:
            future.set(value)
        else:
            future.set_exception((type(error), error, None))
    except Exception:  # noqa: BLE001 - queue.Full: it was answered; first wins
        return


def given_up(life: Life) -> ScopeCancelledError:
    """What ends a call that a killed actor was making."""
    return ScopeCancelledError(f"{life.label!r} was given up while it made a call")


def now() -> float:
    """Real monotonic seconds, for uptimes."""
    return time.monotonic()
