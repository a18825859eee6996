"""A pretended world for machines: a process is an object, a mailbox a deque.

What is real here is the decision code of `supervisors`: each `Supervisor` is a machine
of it, and this module only carries its effects out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, assert_never

from supervisors._decide import (
    ChildCounts,
    Effect,
    GaveUp,
    Ignored,
    Machine,
    Outcome,
    Report,
    RetryLater,
    StartChild,
    Started,
    StartOutcome,
    Steps,
    StopChild,
    StopChildren,
)
from supervisors._decide_dynamic import DynamicMachine
from supervisors._decide_simple import SimpleMachine
from supervisors.child_spec import ChildSpec, Intensity, ShutdownPolicy, Strategy
from supervisors.errors import ConfigError, SupervisorError
from supervisors.exits import KILLED, NO_PROCESS, SHUTDOWN, ExitReason
from tests.otp import trace
from tests.otp.trace import Json

T = TypeVar("T")

AnyMachine = Machine | DynamicMachine | SimpleMachine


class World(Protocol):
    """What processes need of the world they live in."""

    now: float

    def saw(self, event: str, process: Process, **facts: Json) -> None:
        """Note an event."""

    def start(self, node: Json, parent: Supervisor | None) -> StartOutcome:
        """Start a process below `parent`."""


class Process:
    """Something that lives under a supervisor, or is the root."""

    def __init__(self, world: World, node: Json, parent: Supervisor | None) -> None:
        self.world = world
        self.node = node
        self.id: str = node["id"]
        self.parent = parent
        self.key: Hashable = None
        """What the parent's machine calls it."""
        self.ended: ExitReason | None = None

    @property
    def alive(self) -> bool:
        return self.ended is None

    @property
    def orphaned(self) -> bool:
        """Whether a supervisor above is dead, so that nobody orders this end."""
        above = self.parent
        while above is not None and above.alive:
            above = above.parent
        return above is not None

    def die(self, reason: ExitReason) -> None:
        self.ended = reason
        self.world.saw("stop", self, reason=trace.reason_to(reason))
        if self.parent is not None:
            self.parent.post(Ended(self, reason))

    def kill(self) -> None:
        self.die(KILLED)

    def stop(self, policy: ShutdownPolicy) -> None:
        """End as a supervisor's child that is asked to."""
        raise NotImplementedError

    def parent_died(self) -> None:
        """End because the supervisor above was killed."""
        raise NotImplementedError

    def signal(self, reason: Json) -> None:
        """Take a stranger's exit signal."""
        raise NotImplementedError


class Worker(Process):
    """A leaf, which behaves as its node says."""

    @property
    def traps(self) -> bool:
        return bool(self.node["on_shutdown"] != "exit")

    def exit(self, reason: ExitReason) -> None:
        """Stop for a reason of its own."""
        self._terminate(reason)
        self.die(reason)

    def stop(self, policy: ShutdownPolicy) -> None:
        if policy == "brutal_kill":
            self.kill()
            return
        if self.traps:
            self._terminate(SHUTDOWN)
        self.die(self._answer_to_shutdown(policy))

    def parent_died(self) -> None:
        if self.traps:
            self._terminate(KILLED)
        self.die(KILLED)

    def signal(self, reason: Json) -> None:
        if reason == "kill":
            self.kill()
        elif self.traps:
            self.world.saw("exit_msg", self, reason=reason)
        elif reason != "normal":
            self.die(trace.reason_from(reason))

    def _terminate(self, reason: ExitReason) -> None:
        self.world.saw("terminate", self, reason=trace.reason_to(reason))

    def _answer_to_shutdown(self, policy: ShutdownPolicy) -> ExitReason:
        patience = float("inf") if isinstance(policy, str) else policy
        match self.node["on_shutdown"]:
            case "hang":
                return KILLED
            case {"delay": milliseconds} if milliseconds / 1000 > patience:
                return KILLED
            case {"reason": reason}:
                return trace.reason_from(reason)
            case _:
                return SHUTDOWN


@dataclass(frozen=True, slots=True)
class Ended:
    """News of a child's end, in its supervisor's mailbox."""

    child: Process
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class Retry:
    """A start to be tried again."""

    key: Hashable


@dataclass(slots=True)
class Call:
    """A question to a supervisor, and in the end its answer."""

    action: Json
    named: Process
    """The process of the action's id when the call was made."""
    answer: Json = None


Message = Ended | Retry | Call


class Supervisor(Process):
    """A machine with a mailbox, and the hands that carry its effects out."""

    def __init__(self, world: World, node: Json, parent: Supervisor | None) -> None:
        super().__init__(world, node, parent)
        self.mailbox: deque[Message] = deque()
        self.suspended = False
        self.kind: str = node.get("kind", "supervisor")
        self.machine: AnyMachine = Machine()

    @property
    def ready(self) -> bool:
        """Whether there is a message to handle now."""
        return bool(self.mailbox) and not self.suspended

    def post(self, message: Message) -> None:
        if self.alive:
            self.mailbox.append(message)
        elif isinstance(message, Call):
            message.answer = {"exit": trace.reason_to(NO_PROCESS)}

    def run(self) -> GaveUp | ConfigError | None:
        """Start the children; anything but `None` is why it could not."""
        try:
            self.machine = _machine_of(self.node)
        except ConfigError as error:
            return error
        return self.drive(self.machine.start())

    def drive(self, steps: Steps[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                effect = steps.send(outcome)
            except StopIteration as done:
                result: T = done.value
                return result
            outcome = self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> Outcome:
        match effect:
            case StartChild(spec=spec, key=key):
                return self._start(spec, key)
            case StopChild(ref=child, shutdown=policy):
                return _stopped(child, policy)
            case StopChildren(children=children):
                for child in children:
                    _stopped(child.ref, child.shutdown)
                return None
            case RetryLater(key=key):
                self.post(Retry(key))
                return None
            case Report():
                return None
            case _:
                assert_never(effect)

    def _start(self, spec: ChildSpec, key: Hashable) -> StartOutcome:
        node = spec.kwargs["node"]
        # What start_child() was given of a template's child.
        for changes in spec.args:
            node = {**node, **changes}
        outcome = self.world.start(node, self)
        if isinstance(outcome, Started):
            outcome.ref.key = key
        return outcome

    def die(self, reason: ExitReason) -> None:
        super().die(reason)
        for message in self.mailbox:
            if isinstance(message, Call):
                message.answer = {"exit": trace.reason_to(reason)}
        self.mailbox.clear()

    def end(self, reason: ExitReason) -> None:
        """Stop the children in order, then end."""
        self.drive(self.machine.stop())
        self.die(reason)

    def stop(self, policy: ShutdownPolicy) -> None:
        if policy == "brutal_kill":
            self.kill()
        else:
            self.end(SHUTDOWN)

    def parent_died(self) -> None:
        self.end(KILLED)

    def kill(self) -> None:
        self.die(KILLED)
        for status in reversed(self.machine.which_children()):
            if status.ref is not None and status.ref.alive:
                status.ref.parent_died()

    def signal(self, reason: Json) -> None:
        if reason == "kill":
            self.kill()

    def handle_one(self) -> None:
        message = self.mailbox.popleft()
        match message:
            case Ended(child=child, reason=reason):
                now = self.world.now
                self._go_on(self.machine.child_ended(child.key, child, reason, now))
            case Retry(key=key):
                self._go_on(self.machine.retry(key, self.world.now))
            case Call():
                message.answer = self._answer(message)
            case _:
                assert_never(message)

    def _go_on(self, steps: Steps[GaveUp | None]) -> None:
        gave_up = self.drive(steps)
        if gave_up is not None:
            self.die(gave_up.reason)

    def _answer(self, call: Call) -> Json:
        action = call.action
        match action["do"]:
            case "stop":
                self.end(trace.reason_from(action["reason"]))
                return "ok"
            case "which_children":
                shown = self.shown()
                return shown[::-1] if self.kind == "supervisor" else shown
            case "count_children":
                return trace.counts_to(self._counts())
            case "start_child":
                return self._start_child(action)
            case "terminate_child":
                return self._result(self._terminate(call), action)
            case "get_childspec":
                assert not isinstance(self.machine, DynamicMachine)
                return self._result(self.machine.spec_of(action["id"]), action)
            case by_id:
                steps = getattr(self.machine, by_id)(action["id"])
                return self._result(self.drive(steps), action)

    def shown(self) -> Json:
        """The children and their states: in start order, or sorted if there is none."""
        statuses = self.machine.which_children()
        if self.kind == "supervisor":
            return [[each.spec.id, each.state.value] for each in reversed(statuses)]
        return sorted(
            ["?" if each.ref is None else each.ref.id, each.state.value]
            for each in statuses
        )

    def _counts(self) -> ChildCounts:
        # Only static supervisors look whether their children are alive.
        if isinstance(self.machine, Machine):
            return self.machine.count_children(_is_alive)
        return self.machine.count_children()

    def _terminate(self, call: Call) -> Any:
        machine, child_id = self.machine, call.action["id"]
        if isinstance(machine, Machine):
            return self.drive(machine.terminate_child(child_id))
        if isinstance(machine, DynamicMachine):
            return self.drive(machine.terminate_child(call.named))
        named = child_id if call.action.get("by") == "id" else call.named
        return self.drive(machine.terminate_child(named, _is_alive))

    def _start_child(self, action: Json) -> Json:
        child = action["child"]
        if isinstance(self.machine, SimpleMachine):
            return self._result(self.drive(self.machine.start_child([child])), action)
        try:
            spec = trace.spec_from(child)
        except ConfigError as error:
            return self._result(error, action)
        return self._result(self.drive(self.machine.start_child(spec)), action)

    def _result(self, outcome: Any, action: Json) -> Json:
        match outcome:
            case Started(ref=child):
                return {"ok": child.id}
            case Ignored():
                return "ignore" if self.kind == "dynamic" else {"ok": None}
            case ChildSpec():
                return {"ok": trace.spec_to(outcome)}
            case SupervisorError():
                error = trace.error_to(outcome, action=action, supervisor=self.node)
                return {"error": error}
            case _:
                return "ok"


def _machine_of(node: Json) -> AnyMachine:
    """The machine of a supervisor's node.

    Raises:
        ConfigError: The node makes no sense.
    """
    intensity = Intensity(max_restarts=node["max_restarts"], within=node["max_seconds"])
    match node.get("kind", "supervisor"):
        case "dynamic":
            return DynamicMachine(intensity, node["max_children"])
        case "simple":
            template = trace.spec_from(node["template"])
            return SimpleMachine(template, intensity, node["auto_shutdown"])
        case _:
            specs = [trace.spec_from(child) for child in node["children"]]
            strategy = Strategy(node["strategy"])
            return Machine(specs, strategy, intensity, node["auto_shutdown"])


def _stopped(child: Process, policy: ShutdownPolicy) -> ExitReason:
    if child.ended is None:
        child.stop(policy)
    assert child.ended is not None, f"{child.id} lives on"
    return child.ended


def _is_alive(child: Process) -> bool:
    return child.alive
