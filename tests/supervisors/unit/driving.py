"""Runs a machine's steps to their end with prepared answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

from supervisors._decide import (
    Effect,
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
from supervisors.actor import Actor
from supervisors.backoff import Backoff
from supervisors.child_spec import ChildSpec, Restart
from supervisors.exits import SHUTDOWN

T = TypeVar("T")


@dataclass
class Driver:
    """Answers effects: a start works unless `starts` says otherwise."""

    starts: dict[str, StartOutcome] = field(default_factory=dict)
    """How starting a child goes, by its id."""
    seen: list[Effect] = field(default_factory=list)
    """Every effect since the last `did`, in order."""
    alive: dict[int, str] = field(default_factory=dict)
    """The incarnations that run, in the order they were started."""
    keys: dict[int, Hashable] = field(default_factory=dict)
    """What the machine calls the child of each incarnation there was."""
    _refs: Callable[[], int] = field(
        default_factory=lambda: itertools.count(1).__next__
    )

    def run(self, steps: Steps[T]) -> T:
        """Answer every effect of a step and return its result."""
        outcome: Outcome = None
        while True:
            try:
                effect = steps.send(outcome)
            except StopIteration as done:
                result: T = done.value
                return result
            self.seen.append(effect)
            outcome = self._answer(effect)

    def did(self) -> list[str]:
        """The effects since the last call, a word and an id each; no reports."""
        said = [said for effect in self.seen if (said := _say(effect)) is not None]
        self.seen.clear()
        return said

    def told(self) -> list[Report]:
        """The reports since the last `did`."""
        return [effect for effect in self.seen if isinstance(effect, Report)]

    def ref_of(self, child_id: str) -> int:
        """The incarnation of a child that runs."""
        return next(ref for ref, name in self.alive.items() if name == child_id)

    def _answer(self, effect: Effect) -> Outcome:
        match effect:
            case StartChild(spec=spec, key=key):
                return self._start(spec.id, key)
            case StopChild(ref=ref):
                del self.alive[ref]
                return SHUTDOWN
            case StopChildren(children=children):
                for stopped in children:
                    del self.alive[stopped.ref]
                return None
            case _:
                return None

    def _start(self, child_id: str, key: Hashable) -> StartOutcome:
        assert key not in map(self.keys.get, self.alive), f"{child_id} runs already"
        outcome = self.starts.get(child_id)
        if outcome is not None:
            return outcome
        ref = self._refs()
        self.alive[ref] = child_id
        self.keys[ref] = key
        return Started(ref)


def _say(effect: Effect) -> str | None:
    match effect:
        case StartChild(spec=spec):
            return f"start {spec.id}"
        case StopChild(child_id=child_id):
            return f"stop {child_id}"
        case StopChildren(children=children):
            return "stop " + " ".join(stopped.child_id for stopped in children)
        case RetryLater(key=key):
            return f"retry {key}"
        case Report():
            return None


def child(
    child_id: str,
    restart: Restart = Restart.PERMANENT,
    *,
    significant: bool = False,
    backoff: Backoff | None = None,
) -> ChildSpec:
    """A spec of a child that is never started for real."""
    return ChildSpec(
        id=child_id,
        actor=Actor,
        restart=restart,
        significant=significant,
        backoff=backoff,
    )
