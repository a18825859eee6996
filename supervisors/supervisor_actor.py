"""The supervisor actor: starts its children in order, restarts them by OTP's rules.

The rules are in `_decide.Machine`; this module carries its effects out on real actors.
A supervisor does one thing at a time: while it starts or stops a child, what else
happens waits in its mailbox, in order.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable
from typing import Any, TypeVar, assert_never, cast

from supervisors import events
from supervisors._decide import (
    AutoShutdown,
    Machine,
)
from supervisors._effects import (
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
)
from supervisors._life import Life
from supervisors._messages import (
    AddChild,
    ChildEnded,
    DeleteChild,
    GetChildren,
    GetCounts,
    RestartChild,
    RetryStart,
    TerminateChild,
)
from supervisors._shown import HISTORY, Children, RestartRecord
from supervisors.actor import Actor, Ignore, Refuse, Stop, launch
from supervisors.child_spec import ChildSpec, Intensity, Restart, Strategy
from supervisors.errors import (
    RestartLimitError,
    StartError,
    SupervisorError,
)
from supervisors.exits import (
    KILLED,
    Crashed,
    ExitReason,
    FailedToStartChild,
    Shutdown,
    cause_of,
)
from supervisors.ref import Ref

T = TypeVar("T")


class SupervisorActor(Actor):
    """Carries out what `Machine` decides."""

    def __init__(
        self,
        children: Iterable[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity | None = None,
        auto_shutdown: AutoShutdown = "never",
        precise: bool = False,
    ) -> None:
        super().__init__()
        self._machine = Machine(
            children, strategy, intensity, auto_shutdown, precise=precise
        )
        self._restarts = 0
        self._history: deque[RestartRecord] = deque(maxlen=HISTORY)
        self.life.children = self._picture
        self.life.before_end(self._leave_no_orphans)

    def on_start(self) -> None:
        """Start the children in order, or fail with the first that fails."""
        gave_up = self._drive(self._machine.start())
        if gave_up is not None:
            raise Stop(gave_up.reason) from root_cause(gave_up.reason)

    def on_end(self, reason: ExitReason) -> None:
        """Stop the children, the youngest first."""
        del reason
        self._drive(self._machine.stop())

    def on_receive(self, message: object) -> Any:
        """Hand each message to the machine; an unknown one is logged, as in OTP."""
        machine = self._machine
        match message:
            case ChildEnded():
                return self._child_ended(message)
            case RetryStart():
                now = self.surroundings.clock.monotonic()
                return self._obey(self._drive(machine.retry(message.child_id, now)))
            case AddChild():
                return self._answer(self._add(message.spec))
            case TerminateChild():
                return self._answer(
                    self._drive(machine.terminate_child(message.child_id))
                )
            case RestartChild():
                return self._answer(
                    self._drive(machine.restart_child(message.child_id))
                )
            case DeleteChild():
                return self._answer(self._drive(machine.delete_child(message.child_id)))
            case GetChildren():
                return machine.which_children()
            case GetCounts():
                return machine.count_children(lambda ref: ref.is_alive())
            case _:
                return super().on_receive(message)

    def _child_ended(self, news: ChildEnded) -> None:
        now = self.surroundings.clock.monotonic()
        steps = self._machine.child_ended(news.child_id, news.ref, news.reason, now)
        self._obey(self._drive(steps), news.ref.life)

    def _add(self, spec: ChildSpec) -> Any:
        return self._drive(self._machine.start_child(spec))

    @staticmethod
    def _answer(result: Any) -> Any:
        if isinstance(result, StartError):
            result.__cause__ = root_cause(result.reason)
        if isinstance(result, SupervisorError):
            return Refuse(result)
        return result.ref if isinstance(result, Started) else None

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
            effect = next(steps)
            while True:
                outcome = self._carry_out(effect)
                effect = steps.send(outcome)
        except StopIteration as done:
            if self.life.over():
                # Killed during these steps: end also what they have started since.
                self._leave_no_orphans(KILLED)
            return cast("T", done.value)

    def _carry_out(self, effect: Effect) -> Outcome:
        match effect:
            case StartChild():
                return self._start(effect.spec)
            case StopChild():
                return self._stop_child(effect)
            case RetryLater():
                self.actor_ref.cast(RetryStart(child_id=effect.child_id))
                return None
            case Report():
                self._report(effect)
                return None
            case _:
                assert_never(effect)

    def _stop_child(self, effect: StopChild) -> ExitReason:
        return stop(effect.ref, effect.shutdown)

    def _start(self, spec: ChildSpec) -> StartOutcome:
        if self.life.over():
            return StartFailed(KILLED)
        try:
            actor = spec.actor(*spec.args, **dict(spec.kwargs))
            ref = self._place(actor, spec)
            launch(actor, spec.start_timeout)
        except Ignore:
            return Ignored()
        except BaseException as error:  # noqa: BLE001 - a child's failure is not ours
            reason = error.reason if isinstance(error, StartError) else Crashed(error)
            self._emit(events.CHILD_START_FAILED, spec.id, reason=reason)
            return StartFailed(reason)
        mailbox = self.actor_ref
        ref.monitor(
            lambda reason: mailbox.cast(
                ChildEnded(child_id=spec.id, ref=ref, reason=reason)
            )
        )
        self._emit(events.CHILD_START, spec.id)
        return Started(ref)

    def _place(self, actor: Actor, spec: ChildSpec) -> Ref[Any]:
        """Give a new child its surroundings and its name."""
        ref = actor.actor_ref
        here = self.surroundings
        actor.life.label = spec.name or spec.id
        actor.life.comes_back = spec.restart is Restart.PERMANENT
        actor.surroundings = dataclasses.replace(
            here, path=(*here.path, spec.id), parent=self.actor_ref
        )
        if spec.name is not None:
            here.registry.register(spec.name, ref)
        return ref

    def _report(self, report: Report) -> None:
        match report.event:
            case "child_exit":
                self._emit(events.CHILD_EXIT, report.child_id, reason=report.reason)
            case "child_restart":
                self._note_restart(report)
            case _:
                return

    def _note_restart(self, report: Report) -> None:
        self._restarts += 1
        self._history.append(
            RestartRecord(
                child_id=report.child_id,
                at=self.surroundings.clock.monotonic(),
                reason=report.reason or KILLED,
            )
        )
        self._emit(events.CHILD_RESTART, report.child_id, reason=report.reason)

    def _emit(self, name: tuple[str, ...], child_id: str, **metadata: Any) -> None:
        path = self.surroundings.path
        self.surroundings.events.emit(name, path=path, child_id=child_id, **metadata)

    def _picture(self) -> Children:
        """What a snapshot shows; called from any thread, without asking this one."""
        while True:
            try:
                statuses = tuple(reversed(self._machine.which_children()))
                history = tuple(self._history)
            except RuntimeError:
                # This actor changed its list at that moment: look again.
                continue
            return Children(statuses, self._restarts, history)

    def _leave_no_orphans(self, reason: ExitReason) -> None:
        """When this supervisor was killed, its children end too, as by OTP's links.

        Here they end at once, so that a new incarnation of this supervisor finds their
        names free. After any other end they have been stopped, and this does nothing.
        """
        del reason
        for status in reversed(self._picture().statuses):
            if status.ref is not None:
                status.ref.kill()


def limit_error(name: str, life: Life) -> RestartLimitError:
    """The error for callers of `name`, whose supervisor lived `life` and gave up."""
    error = RestartLimitError(name, Shutdown(life.gave_up))
    below = life.gave_up_over
    if below is not None and below.gave_up is not None:
        error.__cause__ = limit_error(below.label, below)
    else:
        error.__cause__ = root_cause(life.gave_up.reason)
    return error


def root_cause(reason: ExitReason) -> BaseException | None:
    """The exception at the bottom of a failed start, however deep in the tree."""
    while isinstance(reason, Shutdown) and isinstance(reason.term, FailedToStartChild):
        reason = reason.term.reason
    return cause_of(reason)


def stop(ref: Ref[Any], policy: Any) -> ExitReason:
    """Stop an actor as its shutdown policy says, and return why it ended."""
    if policy == "brutal_kill":
        ref.kill()
    else:
        ref.shutdown()
        if ref.wait(None if policy == "infinity" else policy) is None:
            ref.kill()
    return cast("ExitReason", ref.life.ended.get())
