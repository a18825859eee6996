"""Replays golden traces against the pure decision code, without a thread.

    python -m tests.otp.pure_replay FILE.json ...

The world is pretended: a process is an object, a mailbox is a deque, the clock is moved
by the trace. What is real is `supervisors._decide`: each supervisor in the tree is a
`Machine`, and this module only carries its effects out.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any, TypeVar, assert_never

from supervisors._decide import Machine
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
from supervisors.child_spec import ChildSpec, Intensity, ShutdownPolicy, Strategy
from supervisors.errors import ConfigError, SupervisorError
from supervisors.exits import (
    KILLED,
    NO_PROCESS,
    NORMAL,
    SHUTDOWN,
    ExitReason,
    Failed,
)
from tests.otp import trace
from tests.otp.trace import Json

T = TypeVar("T")

_NO_ANSWER = object()
"""What an action without a result returns."""


class Process:
    """Something that lives under a supervisor, or is the root."""

    def __init__(self, world: World, node: Json, parent: Supervisor | None) -> None:
        self.world = world
        self.node = node
        self.id: str = node["id"]
        self.parent = parent
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

    child_id: str


@dataclass(slots=True)
class Call:
    """A question to a supervisor, and in the end its answer."""

    action: Json
    answer: Json = None


Message = Ended | Retry | Call


class Supervisor(Process):
    """A `Machine` with a mailbox, and the hands that carry its effects out."""

    def __init__(self, world: World, node: Json, parent: Supervisor | None) -> None:
        super().__init__(world, node, parent)
        self.mailbox: deque[Message] = deque()
        self.suspended = False
        self.machine = Machine()

    def post(self, message: Message) -> None:
        if self.alive:
            self.mailbox.append(message)
        elif isinstance(message, Call):
            message.answer = {"exit": trace.reason_to(NO_PROCESS)}

    def run(self) -> GaveUp | ConfigError | None:
        """Start the children; anything but `None` is why it could not."""
        try:
            self.machine = Machine(
                [trace.spec_from(child) for child in self.node["children"]],
                Strategy(self.node["strategy"]),
                Intensity(
                    max_restarts=self.node["max_restarts"],
                    within=self.node["max_seconds"],
                ),
                self.node["auto_shutdown"],
            )
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
            case StartChild(spec=spec):
                return self.world.start(spec.kwargs["node"], self)
            case StopChild(ref=child, shutdown=policy):
                return _stopped(child, policy)
            case RetryLater(child_id=child_id):
                return self.post(Retry(child_id))
            case Report():
                return None
            case _:
                assert_never(effect)

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
                self._go_on(self.machine.child_ended(child.id, child, reason, now))
            case Retry(child_id=child_id):
                self._go_on(self.machine.retry(child_id, self.world.now))
            case Call(action=action):
                message.answer = self._answer(action)
            case _:
                assert_never(message)

    def _go_on(self, steps: Steps[GaveUp | None]) -> None:
        gave_up = self.drive(steps)
        if gave_up is not None:
            self.die(gave_up.reason)

    def _answer(self, action: Json) -> Json:
        machine = self.machine
        match action["do"]:
            case "stop":
                self.end(trace.reason_from(action["reason"]))
                return "ok"
            case "which_children":
                return [[s.spec.id, s.state.value] for s in machine.which_children()]
            case "count_children":
                return trace.counts_to(machine.count_children(_is_alive))
            case "start_child":
                return self._start_child(action)
            case "get_childspec":
                found = machine.spec_of(action["id"])
                return self._result(found, action)
            case call:
                return self._result(
                    self.drive(getattr(machine, call)(action["id"])), action
                )

    def _start_child(self, action: Json) -> Json:
        try:
            spec = trace.spec_from(action["child"])
        except ConfigError as error:
            return self._result(error, action)
        return self._result(self.drive(self.machine.start_child(spec)), action)

    def _result(self, outcome: Any, action: Json) -> Json:
        match outcome:
            case Started(ref=child):
                return {"ok": child.id}
            case Ignored():
                return {"ok": None}
            case ChildSpec():
                return {"ok": trace.spec_to(outcome)}
            case SupervisorError():
                node, auto = action.get("child"), self.node["auto_shutdown"]
                call = action["do"]
                error = trace.error_to(outcome, call=call, node=node, auto=auto)
                return {"error": error}
            case _:
                return "ok"


def _stopped(child: Process, policy: ShutdownPolicy) -> ExitReason:
    if child.ended is None:
        child.stop(policy)
    assert child.ended is not None, f"{child.id} lives on"
    return child.ended


def _is_alive(child: Process) -> bool:
    return child.alive


class World:
    """All processes of one case, its clock, and what was seen since the last step."""

    def __init__(self, case: Json) -> None:
        self.case = case
        self.now: float = case.get("phase", 0.05)
        self._attempts: Counter[str] = Counter()
        self._latest: dict[str, Process] = {}
        self._events: list[Json] = []
        self._orphans: list[Json] = []

    def replay(self) -> list[Json]:
        outcome = self.start({**self.case["tree"], "type": "supervisor"}, None)
        match outcome:
            case Started():
                result: Json = "ok"
            case Ignored():
                result = "ignore"
            case StartFailed(reason=reason):
                result = {"error": trace.reason_to(reason)}
        steps = [self._close("start", result)]
        for action in self.case["actions"]:
            result = self._perform(action)
            steps.append(self._close(action["do"], result))
        return steps

    def saw(self, event: str, process: Process, **facts: Json) -> None:
        ends = event in ("stop", "terminate")
        kept = self._orphans if ends and process.orphaned else self._events
        kept.append({"ev": event, "id": process.id, **facts})

    def start(self, node: Json, parent: Supervisor | None) -> StartOutcome:
        """Start a process; the node is a child's, or the root's own."""
        self._attempts[node["id"]] += 1
        if node["type"] == "worker":
            return self._start_worker(Worker(self, node, parent))
        return self._start_supervisor(Supervisor(self, node.get("sup", node), parent))

    def _start_worker(self, worker: Worker) -> StartOutcome:
        match self._init_of(worker):
            case "ok":
                self._began("start", worker)
                self._latest[worker.id] = worker
                return Started(worker)
            case "ignore":
                self._began("ignore", worker)
                return Ignored()
            case {"error": reason} | {"exit": reason}:
                self._began("start_fail", worker, reason=reason)
                return StartFailed(trace.reason_from(reason))
            case other:
                raise AssertionError(f"unknown init {other!r}")

    def _start_supervisor(self, supervisor: Supervisor) -> StartOutcome:
        self._began("start", supervisor)
        self._latest[supervisor.id] = supervisor
        if self._init_of(supervisor) == "ignore":
            supervisor.die(NORMAL)
            return Ignored()
        trouble = supervisor.run()
        if trouble is None:
            return Started(supervisor)
        reason: ExitReason
        if isinstance(trouble, GaveUp):
            reason = trouble.reason
        else:
            complaint = trace.spec_complaint(supervisor.node)
            reason = Failed({"start_spec": complaint})
        supervisor.die(reason)
        return StartFailed(reason)

    def _init_of(self, process: Process) -> Json:
        plan = process.node.get("init", ["ok"])
        return plan[min(self._attempts[process.id], len(plan)) - 1]

    def _began(self, event: str, process: Process, **facts: Json) -> None:
        above = None if process.parent is None else process.parent.id
        self.saw(event, process, sup=above, n=self._attempts[process.id], **facts)

    def _perform(self, action: Json) -> Json:
        match action["do"]:
            case "advance":
                self.now += action["s"]
                return _NO_ANSWER
            case "batch":
                return self._batch(action)
            case "exit" | "kill" | "signal" | "parent_exit":
                result = self._strike(action)
                self._settle()
                return result
            case _:
                call = self._call(action)
                self._settle()
                return call.answer

    def _strike(self, action: Json) -> Json:
        target = self._latest.get(action["id"])
        if target is None or not target.alive:
            return "no_process"
        match action["do"], action.get("reason"), target:
            case ("kill", _, _) | ("parent_exit", "kill", _):
                target.kill()
            case "parent_exit", reason, Supervisor():
                target.end(trace.reason_from(reason))
            case "exit", reason, Worker():
                target.exit(trace.reason_from(reason))
            case _, reason, _:
                target.signal(reason)
        return _NO_ANSWER

    def _call(self, action: Json) -> Call:
        call = Call(action)
        target = self._latest.get(action["sup"])
        if isinstance(target, Supervisor):
            target.post(call)
        else:
            call.answer = {"exit": trace.reason_to(NO_PROCESS)}
        return call

    def _batch(self, action: Json) -> Json:
        target = self._latest.get(action["sup"])
        if not isinstance(target, Supervisor) or not target.alive:
            return {"exit": trace.reason_to(NO_PROCESS)}
        target.suspended = True
        calls = [self._in_batch(part) for part in action["actions"]]
        target.suspended = False
        self._settle()
        return [None if call is None else call.answer for call in calls]

    def _in_batch(self, action: Json) -> Call | None:
        if action["do"] in ("exit", "kill"):
            self._strike(action)
            self._settle()
            return None
        return self._call(action)

    def _settle(self) -> None:
        """Let every supervisor that is not suspended empty its mailbox."""
        while (supervisor := self._next_with_mail()) is not None:
            supervisor.handle_one()

    def _next_with_mail(self) -> Supervisor | None:
        for process in self._latest.values():
            ready = isinstance(process, Supervisor) and not process.suspended
            if ready and process.mailbox:
                return process
        return None

    def _close(self, do: str, result: Json) -> Json:
        step = {"do": do, "events": self._events, "state": self._state()}
        if result is not _NO_ANSWER:
            step["result"] = result
        if self._orphans:
            step["orphans"] = sorted(self._orphans, key=lambda event: event["id"])
        self._events, self._orphans = [], []
        return step

    def _state(self) -> Json:
        return {
            process.id: [
                [status.spec.id, status.state.value]
                for status in reversed(process.machine.which_children())
            ]
            for process in self._latest.values()
            if isinstance(process, Supervisor) and process.alive
        }


def replay(case: Json) -> list[Json] | None:
    """Replay a case; `None` for one with a supervisor that is not static."""
    if trace.kinds_in(case) != {"supervisor"}:
        return None
    return World(case).replay()


if __name__ == "__main__":
    sys.exit(trace.main(replay, sys.argv[1:]))
