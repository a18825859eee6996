"""The golden traces: their file format, and how they translate to our values.

Each file of `golden/` holds cases recorded on Erlang's own `supervisor`: a tree, a list
of actions, and for each action the events, the result and the state that followed. A
replay turns a case into the list of steps it observed itself; this module compares the
two, and is the command line of every replay.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from supervisors._decide import ChildCounts
from supervisors.actor import Actor
from supervisors.child_spec import ChildSpec, Restart, ShutdownPolicy
from supervisors.errors import (
    ChildNotFoundError,
    ChildStateError,
    StartError,
    SupervisorError,
)
from supervisors.exits import (
    KILLED,
    NO_PROCESS,
    NORMAL,
    SHUTDOWN,
    Crashed,
    ExitReason,
    Failed,
    FailedToStartChild,
    Shutdown,
)

Json = Any
"""What `json.loads` returns; its form is the trace format's."""

GOLDEN = Path(__file__).parent / "golden"

Replay = Callable[[Json], list[Json] | None]
"""Replays a case: the steps observed, or `None` for a case it cannot replay."""

_ATOMS: dict[str, ExitReason] = {
    "normal": NORMAL,
    "shutdown": SHUTDOWN,
    "killed": KILLED,
    "noproc": NO_PROCESS,
}
_NAMES = {reason: atom for atom, reason in _ATOMS.items()}


def cases_in(path: Path) -> list[Json]:
    """All cases of one file."""
    return cast("list[Json]", json.loads(path.read_text("utf-8"))["cases"])


def reason_from(value: Json) -> ExitReason:
    """A trace's exit reason as ours."""
    if isinstance(value, str) and value in _ATOMS:
        return _ATOMS[value]
    if isinstance(value, dict) and "shutdown" in value:
        return Shutdown(value["shutdown"])
    return Failed(value)


def reason_to(reason: ExitReason) -> Json:
    """Our exit reason as the trace writes it."""
    match reason:
        case Shutdown(term=FailedToStartChild(child_id=child_id, reason=why)):
            failed = {"id": child_id, "reason": reason_to(why)}
            return {"shutdown": {"failed_to_start_child": failed}}
        case Shutdown(term=term) if term is not None:
            return {"shutdown": term}
        case Failed(term=term):
            return term
        case Crashed(exception=exception):
            return {"raise": str(exception)}
        case _:
            return _NAMES[reason]


def spec_from(node: Json, *, actor: type[Actor] = Actor) -> ChildSpec:
    """A trace's child as ours; the child's own node travels as the argument `node`."""
    worker_or_supervisor: Literal["worker", "supervisor"] = node["type"]
    return ChildSpec(
        id=node["id"],
        actor=actor,
        kwargs={"node": node},
        restart=Restart(node["restart"]),
        shutdown=_policy_from(node["shutdown"]),
        kind=worker_or_supervisor,
        significant=node["significant"],
    )


def spec_to(spec: ChildSpec) -> Json:
    """Our spec as the trace writes the answer of `get_childspec`."""
    policy = spec.shutdown
    return {
        "id": spec.id,
        "restart": spec.restart.value,
        "shutdown": policy if isinstance(policy, str) else round((policy or 0) * 1000),
        "type": spec.kind,
        "significant": "true" if spec.significant else "false",
    }


def _policy_from(value: int | str) -> ShutdownPolicy:
    if isinstance(value, int):
        return value / 1000
    return "brutal_kill" if value == "brutal_kill" else "infinity"


def counts_to(counts: ChildCounts) -> Json:
    """Our counts as the trace writes the answer of `count_children`."""
    return {
        "specs": counts.specs,
        "active": counts.active,
        "supervisors": counts.supervisors,
        "workers": counts.workers,
    }


def error_to(error: SupervisorError, *, action: Json, supervisor: Json) -> Json:
    """The error of a call as the trace writes it.

    Args:
        error: What the call ended with.
        action: The call.
        supervisor: The node of the supervisor that was called.
    """
    is_static = supervisor.get("kind", "supervisor") == "supervisor"
    match error:
        case ChildNotFoundError():
            return "not_found"
        case ChildStateError(state="already_started", child_id=child_id):
            return {"already_started": child_id}
        case ChildStateError(state=state):
            return state
        case StartError(reason=reason) if is_static and action["do"] == "start_child":
            return {"start_failed": reason_to(reason)}
        case StartError(reason=reason):
            return reason_to(reason)
        case _:
            return spec_complaint({**supervisor, "children": [action["child"]]})


def spec_complaint(supervisor: Json) -> Json:
    """What OTP says of specs that we refuse with a `ConfigError`."""
    seen = set()
    for child in supervisor["children"]:
        if child["significant"] and supervisor["auto_shutdown"] == "never":
            bad = {"significant": "true", "auto_shutdown": "never"}
            return {"bad_combination": bad}
        if child["significant"] and child["restart"] == "permanent":
            return {"bad_combination": {"significant": "true", "restart": "permanent"}}
        if child["id"] in seen:
            return {"tuple": ["duplicate_child_name", child["id"]]}
        seen.add(child["id"])
    raise AssertionError(f"nothing is wrong with {supervisor}")


def id_of(event: Json) -> str:
    """Whom an event is about."""
    return str(event["id"])


def in_canonical_order(events: Iterable[tuple[Any, Json]]) -> list[Json]:
    """Sort what ends side by side: a run of ends under one dynamic supervisor.

    Args:
        events: Each with its process, which has a `parent`: `None`, or a supervisor
            with its `kind`.
    """
    ordered: list[Json] = []
    for parent, run in itertools.groupby(events, _ends_beside_others_of):
        noted = [event for _, event in run]
        ordered += noted if parent is None else sorted(noted, key=id_of)
    return ordered


def _ends_beside_others_of(noted: tuple[Any, Json]) -> Any:
    process, event = noted
    parent = process.parent
    if event["ev"] not in ("stop", "terminate") or parent is None:
        return None
    return None if parent.kind == "supervisor" else parent


@dataclass(frozen=True, slots=True)
class Difference:
    """The first step of a case in which a replay and the trace part ways."""

    case: str
    step: int
    key: str
    expected: Json
    observed: Json

    def __str__(self) -> str:
        theirs, ours = json.dumps(self.expected), json.dumps(self.observed)
        return f"{self.case}: step {self.step}, {self.key}: {theirs}, here {ours}"


def compare(case: Json, observed: list[Json]) -> Difference | None:
    """The first difference between a case's trace and a replay's steps, if any."""
    expected = case["trace"]
    if len(expected) != len(observed):
        return Difference(case["name"], -1, "steps", len(expected), len(observed))
    for number, (theirs, ours) in enumerate(zip(expected, observed, strict=True)):
        for key in ("do", "result", "events", "orphans", "state"):
            # An absent result and the result `null` differ.
            if theirs.get(key, "absent") != ours.get(key, "absent"):
                parts = theirs.get(key, "absent"), ours.get(key, "absent")
                return Difference(case["name"], number, key, *parts)
    return None


def main(replay: Replay, arguments: Sequence[str]) -> int:
    """Replay the files named; print what differs and a closing line.

    Returns:
        The exit status: 1 when a case differs, 2 without a file, else 0.
    """
    if not arguments:
        print("name at least one file of golden traces")
        return 2
    passed = failed = skipped = 0
    for case in (case for name in arguments for case in cases_in(Path(name))):
        steps = replay(case)
        difference = None if steps is None else compare(case, steps)
        skipped += steps is None
        failed += difference is not None
        passed += steps is not None and difference is None
        if difference is not None:
            print(difference)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
