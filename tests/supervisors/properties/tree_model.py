"""A pure model of a supervision tree: the machines, over children that are objects.

It is given the same specs as the real tree and says what that must look like, whose
incarnations are new, and what every worker has told, in order.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TypeVar, assert_never

from supervisors import (
    ChildSpec,
    ChildState,
    DynamicSupervisorActor,
    SimpleSupervisorActor,
    SupervisorActor,
)
from supervisors._decide import (
    Effect,
    GaveUp,
    Machine,
    Outcome,
    Report,
    RetryLater,
    StartChild,
    Started,
    Steps,
    StopChild,
    StopChildren,
)
from supervisors._decide_dynamic import DynamicMachine
from supervisors._decide_simple import SimpleMachine
from supervisors.exits import KILLED, SHUTDOWN, ExitReason

T = TypeVar("T")
AnyMachine = Machine | DynamicMachine | SimpleMachine


class Node:
    """One incarnation of an actor."""

    def __init__(self, spec: ChildSpec, parent: Node | None, key: Hashable) -> None:
        self.spec = spec
        self.parent = parent
        self.key = key
        self.alive = True
        self.machine = machine_of(spec)

    def __repr__(self) -> str:
        return f"<{self.spec.id}>"

    def children(self) -> list[tuple[ChildSpec, ChildState, Node | None]]:
        """In start order, as a picture of the real tree shows them."""
        if self.machine is None or not self.alive:
            return []
        statuses = self.machine.which_children()
        in_order = statuses[::-1] if isinstance(self.machine, Machine) else statuses
        return [(each.spec, each.state, each.ref) for each in in_order]

    def walk(self) -> Iterator[Node]:
        """This node and all below it that are up."""
        yield self
        for _, _, child in self.children():
            if child is not None:
                yield from child.walk()


def machine_of(spec: ChildSpec) -> AnyMachine | None:
    """The machine that the actor of a spec has; `None` for a worker."""
    intensity = spec.kwargs.get("intensity")
    if spec.actor is SupervisorActor:
        (children,) = spec.args
        return Machine(children, spec.kwargs["strategy"], intensity)
    if spec.actor is DynamicSupervisorActor:
        return DynamicMachine(intensity, spec.kwargs["max_children"])
    if spec.actor is SimpleSupervisorActor:
        return SimpleMachine(spec.args[0], intensity)
    return None


class TreeModel:
    """The whole tree. Each of its methods does all that follows, to the end."""

    def __init__(self, root: ChildSpec) -> None:
        self.now = 0.0
        self.told: list[tuple[str, str]] = []
        """What the workers have told since it was last cleared."""
        self.over: ExitReason | None = None
        """Why the root has ended."""
        self._timers: list[tuple[float, Node, Hashable]] = []
        self.root = self._start(root, None, None)

    def leaf_ends(self, node: Node, reason: ExitReason) -> None:
        """A worker ends: `KILLED` from outside, or by itself and with last words."""
        self._leaf_over(node, quietly=reason is KILLED)
        self._news(node, reason)

    def supervisor_killed(self, node: Node) -> None:
        """A supervisor is killed, and all below it ends."""
        node.alive = False
        assert node.machine is not None
        for status in reversed(node.machine.which_children()):
            if status.ref is not None:
                self._orphaned(status.ref)
        self._news(node, KILLED)

    def ask(self, node: Node, steps: Steps[T]) -> T:
        """A call about children."""
        return self._drive(node, steps)

    def advance(self, seconds: float) -> None:
        """Time passes; restarts that are due by then are made."""
        self.now += seconds
        while due := [timer for timer in self._timers if timer[0] <= self.now]:
            first = min(due, key=lambda timer: timer[0])
            self._timers.remove(first)
            _, node, key = first
            if node.alive and node.machine is not None:
                self._obey(node, self._drive(node, node.machine.retry(key, self.now)))

    def stop(self) -> None:
        """The root is told to stop."""
        self._stop(self.root)
        self.over = SHUTDOWN

    def _news(self, node: Node, reason: ExitReason) -> None:
        parent = node.parent
        if parent is None:
            self.over = reason
            return
        assert parent.machine is not None
        steps = parent.machine.child_ended(node.key, node, reason, self.now)
        self._obey(parent, self._drive(parent, steps))

    def _obey(self, node: Node, gave_up: GaveUp | None) -> None:
        if gave_up is not None:
            node.alive = False
            self._news(node, gave_up.reason)

    def _drive(self, node: Node, steps: Steps[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                effect = steps.send(outcome)
            except StopIteration as done:
                result: T = done.value
                return result
            outcome = self._carry_out(node, effect)

    def _carry_out(self, node: Node, effect: Effect) -> Outcome:
        match effect:
            case StartChild(spec, key):
                return Started(self._start(spec, node, key))
            case StopChild(_, child, _):
                self._stop(child)
                return SHUTDOWN
            case StopChildren(children):
                for each in children:
                    self._stop(each.ref)
            case RetryLater(key, after):
                self._timers.append((self.now + after, node, key))
            case Report():
                pass
            case _:
                assert_never(effect)
        return None

    def _start(self, spec: ChildSpec, parent: Node | None, key: Hashable) -> Node:
        node = Node(spec, parent, key)
        if node.machine is None:
            self.told.append(("start", spec.id))
        else:
            gave_up = self._drive(node, node.machine.start())
            assert gave_up is None
        return node

    def _stop(self, node: Node) -> None:
        if not node.alive:
            return
        if node.machine is None:
            self._leaf_over(node, quietly=False)
        else:
            self._drive(node, node.machine.stop())
            node.alive = False

    def _orphaned(self, node: Node) -> None:
        """The supervisor above was killed: one that traps exits cleans up first."""
        if node.machine is None:
            self._leaf_over(node, quietly=True)
        else:
            self._stop(node)

    def _leaf_over(self, node: Node, *, quietly: bool) -> None:
        node.alive = False
        if not quietly:
            self.told.append(("end", node.spec.id))
