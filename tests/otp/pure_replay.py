"""Replays golden traces against the pure decision code, without a thread.

    python -m tests.otp.pure_replay FILE.json ...

Processes are pretended, the clock is moved by the trace, and every mailbox is emptied
before an action counts as done.
"""

from __future__ import annotations

import sys
from collections import Counter

from supervisors._decide import GaveUp, Ignored, Started, StartFailed, StartOutcome
from supervisors.exits import NO_PROCESS, NORMAL, ExitReason, Failed
from tests.otp import trace
from tests.otp.pretended import Call, Process, Supervisor, Worker
from tests.otp.trace import Json

_NO_ANSWER = object()
"""What an action without a result returns."""


def _start_result(outcome: StartOutcome) -> Json:
    match outcome:
        case Started():
            return "ok"
        case Ignored():
            return "ignore"
        case StartFailed(reason=reason):
            return {"error": trace.reason_to(reason)}


class World:
    """All processes of one case, its clock, and what was seen since the last step."""

    def __init__(self, case: Json) -> None:
        self.case = case
        self.now: float = case.get("phase", 0.05)
        self._attempts: Counter[str] = Counter()
        self._latest: dict[str, Process] = {}
        self._events: list[tuple[Process, Json]] = []
        self._orphans: list[Json] = []

    def replay(self) -> list[Json]:
        outcome = self.start({**self.case["tree"], "type": "supervisor"}, None)
        steps = [self._close("start", _start_result(outcome))]
        for action in self.case["actions"]:
            result = self._perform(action)
            steps.append(self._close(action["do"], result))
        return steps

    def saw(self, event: str, process: Process, **facts: Json) -> None:
        ends = event in ("stop", "terminate")
        noted = {"ev": event, "id": process.id, **facts}
        if ends and process.orphaned:
            self._orphans.append(noted)
        else:
            self._events.append((process, noted))

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
        call = Call(action, self._named_by(action))
        target = self._latest.get(action["sup"])
        if isinstance(target, Supervisor):
            target.post(call)
        else:
            call.answer = {"exit": trace.reason_to(NO_PROCESS)}
        return call

    def _named_by(self, action: Json) -> Process:
        process_id = action.get("id", "nobody")
        process = self._latest.get(process_id)
        if process is None:
            # An id that was never seen stands for some dead process.
            process = Process(self, {"id": process_id}, None)
            process.ended = NO_PROCESS
        return process

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
            if isinstance(process, Supervisor) and process.ready:
                return process
        return None

    def _close(self, do: str, result: Json) -> Json:
        events = trace.in_canonical_order(self._events)
        step = {"do": do, "events": events, "state": self._state()}
        if result is not _NO_ANSWER:
            step["result"] = result
        if self._orphans:
            step["orphans"] = sorted(self._orphans, key=trace.id_of)
        self._events, self._orphans = [], []
        return step

    def _state(self) -> Json:
        return {
            process.id: process.shown()
            for process in self._latest.values()
            if isinstance(process, Supervisor) and process.alive
        }


def replay(case: Json) -> list[Json]:
    """Replay a case; every one can be."""
    return World(case).replay()


if __name__ == "__main__":
    sys.exit(trace.main(replay, sys.argv[1:]))
