"""Real actors that behave as the nodes of a trace say, and tell what happens to them.

What is under test is all of `supervisors`: these classes only override its callbacks.
The one option that is not the package's default is `ends_at_once`: OTP ends a process
that does not trap exits without a word, and here that has to be asked for.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, ClassVar

from supervisors import (
    Actor,
    ChildSpec,
    ConfigError,
    DynamicSupervisorActor,
    ExitReason,
    ExitSignal,
    Failed,
    Ignore,
    Intensity,
    SimpleSupervisorActor,
    Stop,
    Strategy,
    SupervisorActor,
    SupervisorOptions,
)
from supervisors._life import Life
from supervisors.exits import SHUTDOWN
from tests.otp import trace
from tests.otp.trace import Json


class RaisedError(Exception):
    """What a worker raises when the trace says so."""


@dataclass(frozen=True, slots=True)
class Exit:
    """End for a reason of your own. Cast."""

    reason: Json


@dataclass(slots=True, eq=False)
class Process:
    """One incarnation, as the trace speaks of it."""

    id: str
    life: Life
    parent: Process | None
    kind: str
    ended: bool = False


@dataclass(slots=True)
class Lab:
    """What all actors of one case share."""

    log: deque[tuple[Process, Json]] = field(default_factory=deque)
    """Events in the order they happened; appending is a single step."""
    latest: dict[str, Process] = field(default_factory=dict)
    """The incarnation that started last, by id."""
    all: list[Process] = field(default_factory=list)
    """Every incarnation."""
    by_life: dict[Life, Process] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)
    """Set at the end of the case: nobody hangs or dawdles any more."""

    def attempt(self, process_id: str) -> int:
        """Count a start; only one start of an id is under way at a time."""
        self.attempts[process_id] += 1
        return self.attempts[process_id]

    def outcome(self, node: Json, attempt: int) -> Json:
        """What the trace says of this start."""
        plan = node.get("init", ["ok"])
        return plan[min(attempt, len(plan)) - 1]

    def process(self, actor: Actor, node: Json, kind: str) -> Process:
        """The process that an actor is."""
        parent = actor.surroundings.parent
        above = None if parent is None else self.by_life[parent.life]
        return Process(node["id"], actor.life, above, kind)

    def began(self, event: str, process: Process, n: int, **facts: Json) -> None:
        """Note how a start went."""
        above = None if process.parent is None else process.parent.id
        self.saw(process, event, sup=above, n=n, **facts)

    def up(self, process: Process) -> None:
        """Know a process by its id from now on, and hear of its end first."""
        self.latest[process.id] = self.by_life[process.life] = process
        self.all.append(process)
        process.life.before_end(lambda reason: self._down(process, reason))

    def saw(self, process: Process, event: str, **facts: Json) -> None:
        """Note an event."""
        self.log.append((process, {"ev": event, "id": process.id, **facts}))

    def _down(self, process: Process, reason: ExitReason) -> None:
        self.saw(process, "stop", reason=trace.reason_to(reason))


class Worker(Actor):
    """A leaf."""

    ends_at_once: ClassVar[bool] = True

    def __init__(self, *overrides: Json, node: Json, lab: Lab) -> None:
        super().__init__()
        self._node = {**node, **(overrides[0] if overrides else {})}
        self._lab = lab
        self._ends_itself = False

    def on_start(self) -> None:
        node, lab = self._node, self._lab
        n = lab.attempt(node["id"])
        self._process = process = lab.process(self, node, "worker")
        match lab.outcome(node, n):
            case "ok":
                self.set_trap_exit(traps=node.get("on_shutdown", "exit") != "exit")
                lab.began("start", process, n)
                lab.up(process)
            case "ignore":
                lab.began("ignore", process, n)
                raise Ignore
            case {"error": reason} | {"exit": reason}:
                lab.began("start_fail", process, n, reason=reason)
                raise Stop(trace.reason_from(reason))

    def on_receive(self, message: Any) -> None:
        match message:
            case Exit(reason={"raise": text}):
                self._ends_itself = True
                raise RaisedError(text)
            case Exit(reason=reason):
                self._ends_itself = True
                raise Stop(trace.reason_from(reason))
            case ExitSignal(reason=reason):
                told = trace.reason_to(reason)
                self._lab.saw(self._process, "exit_msg", reason=told)

    def on_end(self, reason: ExitReason) -> None:
        self._lab.saw(self._process, "terminate", reason=trace.reason_to(reason))
        if reason != SHUTDOWN or self._ends_itself:
            return
        match self._node.get("on_shutdown"):
            case {"delay": milliseconds}:
                self._lab.over.wait(milliseconds / 1000)
            case {"reason": own}:
                raise Stop(trace.reason_from(own))
            case "hang":
                self._lab.over.wait()


class StaticSupervisor(SupervisorActor):
    """A supervisor of a list."""

    def __init__(self, *, node: Json, lab: Lab) -> None:
        super().__init__()
        self._node, self._lab = node, lab

    def init(self) -> SupervisorOptions:
        node = self._node
        _enter(self, node, self._lab)
        return SupervisorOptions(
            children=tuple(spec(child, self._lab) for child in node["children"]),
            strategy=Strategy(node["strategy"]),
            intensity=_intensity(node),
            auto_shutdown=node["auto_shutdown"],
        )

    def on_start(self) -> None:
        try:
            super().on_start()
        except ConfigError:
            # Our error says more; the trace has OTP's word for it.
            complaint = trace.spec_complaint(self._node)
            raise Stop(Failed({"start_spec": complaint})) from None


class DynamicSupervisor(DynamicSupervisorActor):
    """Elixir's."""

    def __init__(self, *, node: Json, lab: Lab) -> None:
        super().__init__(intensity=_intensity(node), max_children=node["max_children"])
        self._node, self._lab = node, lab

    def on_start(self) -> None:
        _enter(self, self._node, self._lab)
        super().on_start()


class SimpleSupervisor(SimpleSupervisorActor):
    """A `simple_one_for_one`."""

    def __init__(self, *, node: Json, lab: Lab) -> None:
        super().__init__(
            spec(node["template"], lab),
            intensity=_intensity(node),
            auto_shutdown=node["auto_shutdown"],
        )
        self._node, self._lab = node, lab

    def on_start(self) -> None:
        _enter(self, self._node, self._lab)
        super().on_start()


def _enter(actor: Actor, node: Json, lab: Lab) -> None:
    """A supervisor's init: noted before its children start."""
    n = lab.attempt(node["id"])
    process = lab.process(actor, node, node.get("kind", "supervisor"))
    lab.began("start", process, n)
    lab.up(process)
    if lab.outcome(node, n) == "ignore":
        raise Ignore


def _intensity(node: Json) -> Intensity:
    return Intensity(max_restarts=node["max_restarts"], within=node["max_seconds"])


def spec(child: Json, lab: Lab) -> ChildSpec:
    """The spec of a child, worker or supervisor."""
    if child["type"] == "worker":
        actor, node = Worker, child
    else:
        actor, node = supervisor_class(child["sup"]), child["sup"]
    plain = trace.spec_from(child, actor=actor)
    return dataclasses.replace(plain, kwargs={"node": node, "lab": lab})


def supervisor_class(node: Json) -> type[Any]:
    """The class that runs a supervisor's own node."""
    kinds = {"dynamic": DynamicSupervisor, "simple": SimpleSupervisor}
    return kinds.get(node.get("kind", "supervisor"), StaticSupervisor)
