"""What all supervisor actors do: carry out what a pure machine decides.

The rules are in `_decide` and its neighbours. A supervisor does one thing at a time:
while it starts or stops a child, what else happens waits in its mailbox, in order.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Hashable
from typing import Any, ClassVar, TypeVar, assert_never, cast

from supervisors import events
from supervisors._callbacks import Ignore, Refuse, Stop
from supervisors._decide_common import RestartingMachine
from supervisors._effects import (
    ChildCounts,
    ChildStatus,
    Effect,
    GaveUp,
    Ignored,
    Outcome,
    Report,
    RetryLater,
    StartChild,
    Started,
    StartFailed,
    StartOutcome,
    Steps,
    StopChild,
    StopChildren,
)
from supervisors._giving_up import limit_error, root_cause
from supervisors._hang_watch import HangWatch
from supervisors._launch import launch
from supervisors._life import Life
from supervisors._messages import (
    ChildEnded,
    GetChildren,
    GetCounts,
    LookForHangs,
    RetryStart,
)
from supervisors._shown import HISTORY, Children, RestartRecord
from supervisors._stopping import stop, stop_side_by_side
from supervisors._zombies import Zombies
from supervisors.actor import Actor
from supervisors.child_spec import ChildSpec, Restart
from supervisors.errors import StartError, SupervisorError
from supervisors.event_loop import LoopActor
from supervisors.exits import (
    KILLED,
    Crashed,
    ExitReason,
    Failed,
    Hung,
    is_abnormal,
)
from supervisors.monitor import ExitSignal
from supervisors.ref import Ref
from supervisors.stock import supervised

T = TypeVar("T")

MAX_ZOMBIES = 16
"""Dead children of one supervisor whose threads may still run, by default."""


class SupervisingActor(Actor):
    """Starts, stops and restarts children; which and when, its machine says."""

    # A stranger's exit signal does not end a supervisor, as in OTP.
    trap_exit: ClassVar[bool] = True

    _machine: Any
    """Decides; set by the subclass before it starts."""

    def __init__(self, *, max_zombies: int = MAX_ZOMBIES) -> None:
        super().__init__()
        self._restarts = 0
        self._history: deque[RestartRecord] = deque(maxlen=HISTORY)
        self._zombies = Zombies(max_zombies)
        self._hangs = HangWatch()
        # When the next look for hangs is due; infinite when none is.
        self._next_look = math.inf
        # The children of a killed child supervisor, until they have ended: the next
        # incarnation must find their names free.
        self._orphans: dict[Hashable, tuple[Ref[Any], ...]] = {}
        # Id, seconds and ref of a child the machine has not heard of yet.
        self._just_started: tuple[str, float, Ref[Any]] | None = None
        self.life.children = self._picture
        self.life.ended.on_done(lambda ended: self._leave_no_orphans(ended.get()))
        self.life.before_end(self._tell_stop)

    def on_start(self) -> None:
        """Start the children, or fail with the first that fails."""
        began = self._clock.monotonic()
        gave_up = self._drive(self._machine.start())
        if gave_up is not None:
            raise Stop(gave_up.reason) from root_cause(gave_up.reason)
        took = self._clock.monotonic() - began
        children = len(self._machine.which_children())
        self.surroundings.events.emit(
            events.SUPERVISOR_START,
            {"children": children, "seconds": took},
            path=self.surroundings.path,
            ref=self.actor_ref,
        )

    def on_end(self, reason: ExitReason) -> None:
        """Stop the children."""
        del reason
        self._drive(self._machine.stop())

    def on_receive(self, message: object) -> Any:
        """Hand each message to the machine; an unknown one is logged, as in OTP."""
        match message:
            case ChildEnded():
                return self._child_ended(message)
            case RetryStart():
                now = self._clock.monotonic()
                return self._obey(self._drive(self._machine.retry(message.key, now)))
            case LookForHangs():
                return self._look_for_hangs()
            case GetChildren():
                return self._machine.which_children()
            case GetCounts():
                return self._counts()
            case ExitSignal():
                return None
            case _:
                return super().on_receive(message)

    def _child_ended(self, news: ChildEnded) -> None:
        life = news.ref.life
        self._hangs.forget(news.key, news.ref)
        self._note_zombie(life)
        if life.children is not None and is_abnormal(news.reason):
            self._orphans[news.key] = _refs_of(life.children().statuses)
        machine: RestartingMachine = self._machine
        now = self._clock.monotonic()
        steps = machine.child_ended(news.key, news.ref, news.reason, now)
        self._obey(self._drive(steps), life)
        self._orphans.pop(news.key, None)

    def _counts(self) -> ChildCounts:
        # As in OTP, a dead child counts as active until the news of it was handled.
        counts: ChildCounts = self._machine.count_children()
        return counts

    @staticmethod
    def _answer(result: Any) -> Any:
        if isinstance(result, StartError):
            result.__cause__ = root_cause(result.reason)
        if isinstance(result, SupervisorError):
            return Refuse(result)
        return result.ref if isinstance(result, Started) else None

    @staticmethod
    def _spec_or_refusal(found: ChildSpec | SupervisorError) -> ChildSpec | Refuse:
        return Refuse(found) if isinstance(found, SupervisorError) else found

    def _obey(self, gave_up: GaveUp | None, ended: Life | None = None) -> None:
        if gave_up is None:
            return
        self.surroundings.events.emit(
            events.SUPERVISOR_GAVE_UP, path=self.surroundings.path, cause=gave_up.cause
        )
        self.life.gave_up = gave_up.cause
        self.life.gave_up_over = ended
        self._bury()
        self.exit(gave_up.reason)

    def _bury(self) -> None:
        """Leave the reason where callers of the children will look."""
        if self.life.comes_back:
            # The supervisor above starts this one anew, and the children with it;
            # or it gives up as well, and leaves its own reason.
            return
        for status in self._machine.which_children():
            name = status.spec.name
            if name is not None:
                error = limit_error(name, self.life)
                self.surroundings.registry.bury(name, error)

    # Carrying out effects.

    def _drive(self, steps: Steps[T]) -> T:
        outcome: Outcome = None
        try:
            while True:
                outcome = self._carry_out(self._next_effect(steps, outcome))
        except StopIteration as done:
            if self.life.over():
                # Killed during these steps: end also what they have started since.
                self._leave_no_orphans(KILLED)
            return cast("T", done.value)

    def _next_effect(self, steps: Steps[Any], outcome: Outcome) -> Effect:
        """Tell the machine what came of the last effect; it says the next."""
        try:
            return steps.send(outcome)
        finally:
            # Not before: whoever hears of a child finds it in a picture of the tree.
            started, self._just_started = self._just_started, None
            if started is not None:
                child_id, took, ref = started
                measured = {"seconds": took}
                self._emit(events.CHILD_START, child_id, measured, ref=ref)

    def _carry_out(self, effect: Effect) -> Outcome:
        match effect:
            case StartChild():
                return self._start(effect)
            case StopChild():
                return self._stop_child(effect)
            case StopChildren():
                self._stop_children(effect)
            case RetryLater():
                self._retry_later(effect)
            case Report():
                self._report(effect)
            case _:
                assert_never(effect)
        return None

    def _start(self, effect: StartChild) -> StartOutcome:
        if self.life.over():
            return StartFailed(KILLED)
        spec, began = effect.spec, self._clock.monotonic()
        self._await_orphans(effect.key)
        try:
            self._check_zombies(spec)
            actor = self._make(spec)
            launch(actor, spec.start_timeout)
        except Ignore:
            return Ignored()
        except BaseException as error:  # noqa: BLE001 - a child's failure is not ours
            reason = error.reason if isinstance(error, StartError) else Crashed(error)
            self._emit(events.CHILD_START_FAILED, spec.id, reason=reason)
            return StartFailed(reason)
        ref = actor.actor_ref
        self._watch(effect.key, spec, ref)
        self._just_started = spec.id, self._clock.monotonic() - began, ref
        return Started(ref)

    def _make(self, spec: ChildSpec) -> Actor:
        """A new child with its surroundings, its name and its loop."""
        actor: Actor = supervised(spec.actor)(*spec.args, **dict(spec.kwargs))
        life, here = actor.life, self.surroundings
        life.label = spec.name or spec.id
        life.comes_back = spec.restart is Restart.PERMANENT
        actor.surroundings = dataclasses.replace(
            here, path=(*here.path, spec.id), parent=self.actor_ref
        )
        if isinstance(actor, LoopActor):
            actor.owner = self._loop_for(spec)
        if spec.name is not None:
            here.registry.register(spec.name, actor.actor_ref)
        return actor

    def _loop_for(self, spec: ChildSpec) -> Any:
        if isinstance(spec.loop, str):
            return self.surroundings.registry.whereis(spec.loop)
        return spec.loop

    def _watch(self, key: Hashable, spec: ChildSpec, ref: Ref[Any]) -> None:
        mailbox = self.actor_ref
        ref.monitor(
            lambda reason: mailbox.hear(ChildEnded(key=key, ref=ref, reason=reason))
        )
        if spec.hang_after is None:
            return
        self._hangs.watch(key, ref, spec.hang_after, self._clock.monotonic())
        self._look_again(spec.hang_after)

    def _stop_child(self, effect: StopChild) -> ExitReason:
        reason = stop(effect.ref, effect.shutdown)
        self._note_zombie(effect.ref.life)
        return reason

    def _stop_children(self, effect: StopChildren) -> None:
        children = effect.children
        stop_side_by_side((child.ref, child.shutdown) for child in children)
        for child in children:
            self._note_zombie(child.ref.life)

    def _retry_later(self, effect: RetryLater) -> None:
        self._await_orphans(effect.key)
        message = RetryStart(key=effect.key)
        if effect.after > 0:
            self.send_after(effect.after, message)
        else:
            self.actor_ref.hear(message)

    def _report(self, report: Report) -> None:
        match report.event:
            case "child_exit":
                self._emit(events.CHILD_EXIT, report.child_id, reason=report.reason)
            case "child_restart":
                self._note_restart(report)
            case _:
                return

    def _tell_stop(self, reason: ExitReason) -> None:
        started_at = self.life.started_at
        if started_at is not None:
            self.surroundings.events.emit(
                events.SUPERVISOR_STOP,
                {"seconds": self._clock.monotonic() - started_at},
                path=self.surroundings.path,
                ref=self.actor_ref,
                reason=reason,
            )

    def _note_restart(self, report: Report) -> None:
        self._restarts += 1
        self._history.append(
            RestartRecord(
                child_id=report.child_id,
                at=self._clock.monotonic(),
                reason=report.reason or KILLED,
            )
        )
        self._emit(events.CHILD_RESTART, report.child_id, reason=report.reason)

    def _emit(
        self,
        name: tuple[str, ...],
        child_id: str,
        measurements: dict[str, float] | None = None,
        **metadata: Any,
    ) -> None:
        self.surroundings.events.emit(
            name,
            measurements or {},
            path=self.surroundings.path,
            child_id=child_id,
            **metadata,
        )

    # What threads make necessary, and OTP does not know.

    def _look_again(self, seconds: float) -> None:
        """Look for hangs in so many seconds, unless a look is due before."""
        due = self._clock.monotonic() + seconds
        if due < self._next_look:
            self._next_look = due
            self.send_after(seconds, LookForHangs())

    def _look_for_hangs(self) -> None:
        now = self._clock.monotonic()
        if now < self._next_look:
            # This look was planned before a nearer one was, which has been.
            return
        self._next_look = math.inf
        stuck, again = self._hangs.look(now)
        for child in stuck:
            label = child.ref.life.path[-1]
            self._emit(events.CHILD_HUNG, label, {"seconds": child.seconds})
            child.ref.kill(Hung(child.seconds))
        if not math.isinf(again):
            self._look_again(again)

    def _check_zombies(self, spec: ChildSpec) -> None:
        trouble = self._zombies.too_many()
        if trouble is not None:
            msg = f"{spec.id!r} was not started: {trouble}"
            raise StartError(msg, reason=Failed(trouble))

    def _note_zombie(self, life: Life) -> None:
        if not self._zombies.note(life):
            return
        count = len(self._zombies.present())
        thread = None if life.thread is None else life.thread.name
        label = life.path[-1] if life.path else life.label
        self._emit(events.CHILD_ABANDONED, label, {"zombies": count}, thread=thread)

    def _picture(self) -> Children:
        """What a snapshot shows; called from any thread, without asking this one."""
        while True:
            try:
                statuses = self._in_start_order()
                history = tuple(self._history)
            except RuntimeError:
                # This actor changed its list at that moment: look again.
                continue
            return Children(statuses, self._restarts, history, self._zombies.present())

    def _in_start_order(self) -> tuple[ChildStatus, ...]:
        statuses: tuple[ChildStatus, ...] = self._machine.which_children()
        return statuses

    def _leave_no_orphans(self, reason: ExitReason) -> None:
        """When this supervisor was killed, its children end too, as by OTP's links.

        Those that trap exits clean up first, in their own threads. After any other end
        the children have been stopped, and this does nothing.
        """
        for ref in reversed(_refs_of(self._picture().statuses)):
            ref.life.parent_ended(reason)

    def _await_orphans(self, key: Hashable) -> None:
        """Let what the last incarnation left behind end before the next one starts.

        In OTP both may be there at once; here they would quarrel over names.
        """
        stop_side_by_side((ref, ORPHAN_PATIENCE) for ref in self._orphans.pop(key, ()))


ORPHAN_PATIENCE = 5.0
"""Seconds that the children of a killed supervisor may take to end."""


def _refs_of(statuses: tuple[ChildStatus, ...]) -> tuple[Ref[Any], ...]:
    return tuple(status.ref for status in statuses if status.ref is not None)
