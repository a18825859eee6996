"""The supervisor: starts its children in order, restarts them by OTP's rules.

The rules are in `_decide.Machine`; this module carries its effects out on real actors.
A supervisor does one thing at a time: while it starts or stops a child, what else
happens waits in its mailbox, in order.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar, assert_never, cast

from supervisors import events
from supervisors._decide import (
    AutoShutdown,
    Machine,
)
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
)
from supervisors.actor import Actor, Ignore, Refuse, Stop, Surroundings, launch
from supervisors.child_spec import ChildSpec, Intensity, Restart, Strategy
from supervisors.clock import SYSTEM_CLOCK, Clock
from supervisors.errors import (
    ActorDownError,
    ConfigError,
    RestartLimitError,
    StartError,
    SupervisorError,
)
from supervisors.events import Events
from supervisors.exits import (
    KILLED,
    Crashed,
    ExitReason,
    Failed,
    FailedToStartChild,
    Shutdown,
    cause_of,
)
from supervisors.handle import Handle
from supervisors.ref import Life, Ref
from supervisors.registry import Registry

T = TypeVar("T")

HISTORY = 100
"""How many past restarts a supervisor remembers for its picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddChild:
    """Start a child under this supervisor. Asked; the reply is its `Ref` or `None`."""

    spec: ChildSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateChild:
    """Stop a child and keep its spec. Asked; the reply is `None`."""

    child_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartChild:
    """Start a child that is down. Asked; the reply is its `Ref` or `None`."""

    child_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteChild:
    """Forget the spec of a child that is down. Asked; the reply is `None`."""

    child_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetChildren:
    """Asked; the reply is a tuple of `ChildStatus`, the youngest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCounts:
    """Asked; the reply is a `ChildCounts`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnded:
    """A child has ended. Cast by the monitor on it."""

    child_id: str
    ref: Ref[Any]
    reason: ExitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryStart:
    """Try a failed start again. Cast to oneself, behind what waits."""

    child_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRecord:
    """One restart, for the picture of the tree."""

    child_id: str
    """The child."""
    at: float
    """Seconds on the tree's clock."""
    reason: ExitReason
    """Why the child had ended."""


@dataclass(frozen=True, slots=True)
class Children:
    """What a supervisor shows of its children."""

    statuses: tuple[ChildStatus, ...] = ()
    """In start order."""
    restarts: int = 0
    """Restarts made since the supervisor started."""
    history: tuple[RestartRecord, ...] = ()
    """The latest restarts, oldest first."""


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
            raise Stop(gave_up.reason) from _root_cause(gave_up.reason)

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
            result.__cause__ = _root_cause(result.reason)
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
        name = spec.name
        if name is None:
            return ref
        if not here.registry.register(name, ref):
            msg = f"the name {name!r} is taken by another living actor of this tree"
            raise StartError(msg, reason=Failed("name taken"))
        actor.life.before_end(lambda _reason: here.registry.unregister(name, ref))
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
        error.__cause__ = _root_cause(life.gave_up.reason)
    return error


def _root_cause(reason: ExitReason) -> BaseException | None:
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


class Supervisor(Handle):
    """A supervisor, as the rest of a program holds it.

    Example:
        >>> from supervisors import Actor, ChildSpec, Supervisor
        >>> class Echo(Actor):
        ...     def on_receive(self, message):
        ...         return message
        >>> echo = ChildSpec(id="echo", actor=Echo, name="echo")
        >>> with Supervisor.start([echo]) as top:
        ...     top.handle("echo").call("hello")
        'hello'
    """

    ROOT = "root"
    """The name of a tree's topmost supervisor in its own registry."""

    @classmethod
    def start(
        cls,
        children: Sequence[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity | None = None,
        auto_shutdown: AutoShutdown = "never",
        registry: Registry | None = None,
        events: Events | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Supervisor:
        """Start a tree of its own and wait until all children have started.

        When it gives up, every waiting and later call to a name in it raises
        `RestartLimitError` with the chain of causes; nothing starts anew in silence.

        Raises:
            ConfigError: The specs make no sense, or the registry has a tree already;
                nothing was started.
            StartError: A child did not start; those before it were stopped again.
        """
        actor = SupervisorActor(
            children,
            strategy=strategy,
            intensity=intensity,
            auto_shutdown=auto_shutdown,
        )
        names = registry or Registry()
        actor.life.label = cls.ROOT
        actor.surroundings = Surroundings(
            registry=names, events=events or Events(), clock=clock
        )
        root = actor.actor_ref
        if not names.register(cls.ROOT, root):
            msg = (
                "the registry belongs to another tree, which runs or is over; a tree "
                "has one of its own. Pass a new Registry, or leave it out."
            )
            raise ConfigError(msg)
        root.life.before_end(lambda reason: names.close(_over(root.life, reason)))
        launch(actor, timeout=None)
        return cls(names, cls.ROOT, root)

    def __init__(
        self, registry: Registry, name: str, root: Ref[Any] | None = None
    ) -> None:
        super().__init__(registry, name)
        self._root = root

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def registry(self) -> Registry:
        """The names of the tree."""
        return self._registry

    def ref(self) -> Ref[Any]:
        """The supervisor's present incarnation."""
        return self._root or self._registry.lookup(self.name)

    def handle(self, name: str) -> Handle:
        """A handle on the actor of that name in this tree."""
        return Handle(self._registry, name)

    def start_child(self, spec: ChildSpec, timeout: float | None = None) -> Any:
        """Add a child and start it; its `Ref`, or `None` when it ignored the start.

        Raises:
            ChildStateError: The id is taken (`.state` says how).
            StartError: It did not start; the spec is not kept.
        """
        return self.call(AddChild(spec=spec), timeout)

    def terminate_child(self, child_id: str, timeout: float | None = None) -> None:
        """Stop a child and keep its spec.

        Raises:
            ChildNotFoundError: There is none with that id.
        """
        self.call(TerminateChild(child_id=child_id), timeout)

    def restart_child(self, child_id: str, timeout: float | None = None) -> Any:
        """Start a child that is down; its `Ref`.

        Raises:
            ChildNotFoundError: There is none with that id.
            ChildStateError: It is running or being restarted.
            StartError: It did not start; the spec is kept.
        """
        return self.call(RestartChild(child_id=child_id), timeout)

    def delete_child(self, child_id: str, timeout: float | None = None) -> None:
        """Forget a child that is down.

        Raises:
            ChildNotFoundError: There is none with that id.
            ChildStateError: It is running or being restarted.
        """
        self.call(DeleteChild(child_id=child_id), timeout)

    def which_children(self) -> tuple[ChildStatus, ...]:
        """The children, the youngest first, as OTP lists them."""
        return cast("tuple[ChildStatus, ...]", self.call(GetChildren()))

    def count_children(self) -> ChildCounts:
        """How many children there are, by kind and state."""
        return cast("ChildCounts", self.call(GetCounts()))

    def stop(self, timeout: float | None = None) -> ExitReason | None:
        """Stop what is below and itself; the reason, or `None` after `timeout`."""
        ref = self.ref()
        ref.shutdown()
        return ref.wait(timeout)


def _over(root: Life, reason: ExitReason) -> ActorDownError:
    """What callers in a tree get when it is over."""
    if root.gave_up is not None:
        return limit_error(Supervisor.ROOT, root)
    error = ActorDownError(Supervisor.ROOT, reason)
    error.__cause__ = _root_cause(reason)
    return error
