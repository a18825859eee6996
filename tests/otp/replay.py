"""Replays golden traces on the real actors and threads of `supervisors`.

    python -m tests.otp.replay FILE.json ...

The clock is wound by the trace; everything else happens for real. An action counts as
done when every actor of the case has come to rest.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from supervisors import (
    Actor,
    ActorDownError,
    ChildSpec,
    ConfigError,
    Ignore,
    Ref,
    Registry,
    ReplyFuture,
    StartError,
    SupervisorError,
)
from supervisors._life import Life
from supervisors._messages import (
    AddChild,
    AddInstance,
    DeleteChild,
    GetChildren,
    GetChildSpec,
    GetCounts,
    RestartChild,
    TerminateChild,
)
from supervisors._root import start_root
from supervisors.exits import NO_PROCESS
from supervisors.testing import ManualClock
from tests.otp import trace
from tests.otp.actors import Exit, Lab, Process, spec, supervisor_class
from tests.otp.trace import Json

PATIENCE = 30.0
"""Seconds after which a case counts as hanging."""

_NO_ANSWER = object()
"""What an action without a result returns."""


class HangingError(Exception):
    """A case did not come to rest."""


class World:
    """The real actors of one case."""

    def __init__(self, case: Json) -> None:
        self.case = case
        self.clock = ManualClock(case.get("phase", 0.05))
        self.lab = Lab()
        self._nodes: dict[str, Json] = {}
        self._dead: Ref[Any] | None = None

    def replay(self) -> list[Json]:
        try:
            steps = [self._close("start", self._start())]
            for action in self.case["actions"]:
                steps.append(self._close(action["do"], self._perform(action)))
            return steps
        finally:
            self._clear_away()

    def _start(self) -> Json:
        tree = self.case["tree"]
        self._learn(tree)
        actor = supervisor_class(tree)(node=tree, lab=self.lab)
        try:
            start_root(actor, registry=Registry(), clock=self.clock)
        except Ignore:
            return "ignore"
        except StartError as error:
            return {"error": trace.reason_to(error.reason)}
        return "ok"

    def _learn(self, node: Json) -> None:
        """Know the nodes of all supervisors by their ids."""
        self._nodes[node["id"]] = node
        for child in node.get("children", ()):
            if child["type"] == "supervisor":
                self._learn(child["sup"])

    def _perform(self, action: Json) -> Json:
        result = self._do(action)
        self._settle()
        return result

    def _do(self, action: Json) -> Json:
        match action["do"]:
            case "advance":
                self.clock.advance(action["s"])
                return _NO_ANSWER
            case "batch":
                return self._batch(action)
            case "exit" | "kill" | "signal" | "parent_exit":
                return self._strike(action)
            case _:
                return self._answer(action, self._ask(action))

    def _living(self, process_id: str) -> Ref[Any] | None:
        process = self.lab.latest.get(process_id)
        if process is None or process.life.over():
            return None
        return process.life.ref

    def _strike(self, action: Json) -> Json:
        ref = self._living(action["id"])
        if ref is None:
            return "no_process"
        match action["do"], action.get("reason"):
            case ("kill", _) | (_, "kill"):
                ref.kill()
            case "exit", reason:
                ref.cast(Exit(reason))
                ref.wait(PATIENCE)
            case "parent_exit", reason:
                ref.shutdown(trace.reason_from(reason))
            case _, reason:
                ref.signal(trace.reason_from(reason))
        return _NO_ANSWER

    # Calls.

    def _ask(self, action: Json) -> ReplyFuture[Any] | None:
        """Send a call; `None` when there is nobody to send it to."""
        ref = self._living(action["sup"])
        if ref is None:
            return None
        node = self._nodes[action["sup"]]
        if action["do"] == "stop":
            future: ReplyFuture[Any] = ReplyFuture()
            stopped = ref.stop(block=False, reason=trace.reason_from(action["reason"]))
            threading.Thread(
                target=lambda: future.resolve(stopped.get() and "ok"), daemon=True
            ).start()
            return future
        try:
            return ref.submit(self._message(action, node))
        except ConfigError as error:
            future = ReplyFuture()
            future.reject(error)
            return future

    def _message(self, action: Json, node: Json) -> object:
        kind = node.get("kind", "supervisor")
        match action["do"]:
            case "start_child" if kind == "simple":
                return AddInstance(args=(action["child"],), kwargs={})
            case "start_child":
                return self._add_child(action["child"])
            case "terminate_child":
                by_id = kind == "supervisor" or action.get("by") == "id"
                child_id = action["id"]
                return TerminateChild(
                    child=child_id if by_id else self._ref_of(child_id)
                )
            case "restart_child":
                return RestartChild(child_id=action["id"])
            case "delete_child":
                return DeleteChild(child_id=action["id"])
            case "get_childspec":
                return GetChildSpec(child_id=action["id"])
            case "which_children":
                return GetChildren()
            case "count_children":
                return GetCounts()
            case other:
                raise AssertionError(f"unknown action {other!r}")

    def _add_child(self, child: Json) -> AddChild:
        if child["type"] == "supervisor":
            self._learn(child["sup"])
        return AddChild(spec=spec(child, self.lab))

    def _ref_of(self, process_id: str) -> Ref[Any]:
        process = self.lab.latest.get(process_id)
        if process is not None:
            return process.life.ref
        if self._dead is None:
            self._dead = Actor.start()
            self._dead.kill()
        return self._dead

    def _answer(self, action: Json, future: ReplyFuture[Any] | None) -> Json:
        """Wait for the reply of a call, and write it as the trace does."""
        if future is None:
            return {"exit": trace.reason_to(NO_PROCESS)}
        node = self._nodes[action["sup"]]
        try:
            result = future.get(timeout=PATIENCE)
        except ActorDownError as error:
            return {"exit": trace.reason_to(error.reason)}
        except SupervisorError as error:
            return {"error": trace.error_to(error, action=action, supervisor=node)}
        return self._result(action["do"], result, node)

    def _result(self, call: str, result: Any, node: Json) -> Json:
        kind = node.get("kind", "supervisor")
        match call, result:
            case "which_children", statuses:
                shown = [self._shown(status, kind) for status in statuses]
                return shown if kind == "supervisor" else sorted(shown)
            case "count_children", counts:
                return trace.counts_to(counts)
            case (("start_child" | "restart_child"), None):
                return "ignore" if kind == "dynamic" else {"ok": None}
            case (("start_child" | "restart_child"), Ref()):
                return {"ok": self.lab.by_life[result.life].id}
            case _, ChildSpec():
                return {"ok": trace.spec_to(result)}
            case _:
                return "ok"

    def _shown(self, status: Any, kind: str) -> list[str]:
        if kind == "supervisor":
            return [status.spec.id, status.state.value]
        if status.ref is None:
            return ["?", status.state.value]
        return [self.lab.by_life[status.ref.life].id, status.state.value]

    def _batch(self, action: Json) -> Json:
        ref = self._living(action["sup"])
        if ref is None:
            return {"exit": trace.reason_to(NO_PROCESS)}
        ref.suspend(PATIENCE)
        asked = [self._in_batch(part, ref.life) for part in action["actions"]]
        ref.resume()
        return [
            None if future is _NO_ANSWER else self._answer(part, future)
            for part, future in zip(action["actions"], asked, strict=True)
        ]

    def _in_batch(self, action: Json, life: Life) -> Any:
        """Do a part of a batch; its message is in the mailbox before the next part."""
        waiting = len(life.inbox)
        if action["do"] not in ("exit", "kill"):
            return self._ask(action)
        if self._strike(action) is _NO_ANSWER:
            _eventually(lambda: len(life.inbox) > waiting, self.case["name"])
        return _NO_ANSWER

    # Coming to rest, and what is to be seen then.

    def _settle(self) -> None:
        seen = None

        def at_rest() -> bool:
            nonlocal seen
            before, seen = seen, self._handled()
            return seen is not None and seen == before

        _eventually(at_rest, self.case["name"])

    def _handled(self) -> int | None:
        """How many messages were handled in all; `None` while somebody is busy."""
        lives = [process.life for process in tuple(self.lab.all)]
        if not all(life.quiet() for life in lives):
            return None
        return sum(life.inbox.handled + life.over() for life in lives) + len(lives)

    def _close(self, do: str, result: Json) -> Json:
        self._settle()
        noted = list(self.lab.log)
        self.lab.log.clear()
        events, orphans = _without_orphans(noted)
        ordered = trace.in_canonical_order(events)
        step = {"do": do, "events": ordered, "state": self._state()}
        if result is not _NO_ANSWER:
            step["result"] = result
        if orphans:
            step["orphans"] = sorted(orphans, key=trace.id_of)
        return step

    def _state(self) -> Json:
        return {
            process_id: self._children_of(process.life)
            for process_id, process in self.lab.latest.items()
            if process.kind != "worker" and not process.life.over()
        }

    def _children_of(self, life: Life) -> Json:
        kind = self.lab.by_life[life].kind
        statuses = life.ref.call(GetChildren(), PATIENCE)
        shown = [self._shown(status, kind) for status in statuses]
        return shown[::-1] if kind == "supervisor" else sorted(shown)

    def _clear_away(self) -> None:
        self.lab.over.set()
        for process in reversed(tuple(self.lab.all)):
            process.life.ref.kill()
        for process in tuple(self.lab.all):
            process.life.thread_left.wait(PATIENCE)


def _eventually(condition: Any, name: str) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.0005)):
        if condition():
            return
        pause.wait(0.0005)
    raise HangingError(name)


def _without_orphans(
    noted: list[tuple[Process, Json]],
) -> tuple[list[tuple[Process, Json]], list[Json]]:
    """Set apart the ends of those whose supervisor had ended before."""
    events, orphans = [], []
    for process, event in noted:
        ends = event["ev"] in ("stop", "terminate")
        if ends and _orphaned(process):
            orphans.append(event)
        else:
            events.append((process, event))
        process.ended |= event["ev"] == "stop"
    return events, orphans


def _orphaned(process: Process) -> bool:
    above = process.parent
    while above is not None and not above.ended:
        above = above.parent
    return above is not None


def replay(case: Json) -> list[Json]:
    """Replay a case; every one can be."""
    return World(case).replay()


if __name__ == "__main__":
    sys.exit(trace.main(replay, sys.argv[1:]))
