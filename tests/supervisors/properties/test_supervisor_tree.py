"""Random trees and random deaths against a simple model of what must be up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from supervisors import (
    Actor,
    ChildSpec,
    Intensity,
    Ref,
    Restart,
    Strategy,
    Supervisor,
    SupervisorActor,
)
from supervisors.testing import Probe, assert_no_actor_left
from tests.supervisors.actors.parts import Told, boom, worker

PLENTY = Intensity(max_restarts=1_000, within=60)
BRANCHES = ("left", "right")
ENDS = ("crash", "finish", "kill")

policies = st.sampled_from(Restart)
branches = st.sampled_from(BRANCHES)
numbers = st.integers(min_value=0, max_value=20)


@dataclass(frozen=True)
class Plan:
    """A branch as it is started."""

    strategy: Strategy
    policies: tuple[Restart, ...]


@dataclass
class Branch:
    """What the model knows of a branch: its children in start order, up or not."""

    strategy: Strategy
    children: dict[str, Restart] = field(default_factory=dict)
    up: set[str] = field(default_factory=set)

    def add(self, name: str, policy: Restart) -> None:
        self.children[name] = policy
        self.up.add(name)

    def drop(self, name: str) -> None:
        """A child is stopped for good or for now."""
        self.up.discard(name)
        if self.children[name] is Restart.TEMPORARY:
            del self.children[name]

    def ended(self, name: str, how: str) -> set[str]:
        """Apply OTP's rules; the children that are new incarnations afterwards."""
        policy = self.children[name]
        order = list(self.children)
        self.drop(name)
        if policy is Restart.TEMPORARY:
            return set()
        if policy is Restart.TRANSIENT and how == "finish":
            return set()
        group = {
            Strategy.ONE_FOR_ONE: [name],
            Strategy.ONE_FOR_ALL: order,
            Strategy.REST_FOR_ONE: order[order.index(name) :],
        }[self.strategy]
        for member in group:
            self.drop(member)
        fresh = {member for member in group if member in self.children}
        self.up |= fresh
        return fresh


plans = st.builds(
    Plan,
    strategy=st.sampled_from(Strategy),
    policies=st.lists(policies, max_size=4).map(tuple),
)


class Tree(RuleBasedStateMachine):
    """A real tree and its model, side by side."""

    @initialize(left=plans, right=plans)
    def start(self, left: Plan, right: Plan) -> None:
        self.probe = Probe()
        self.plans = dict(zip(BRANCHES, (left, right), strict=True))
        self.model = {name: self.fresh(name) for name in BRANCHES}
        specs = [self.branch_spec(name) for name in BRANCHES]
        self.top = Supervisor.start(specs, intensity=PLENTY)
        self.known = self.refs()
        self.added = 0

    def fresh(self, name: str) -> Branch:
        branch = Branch(self.plans[name].strategy)
        for number, policy in enumerate(self.plans[name].policies):
            branch.add(f"{name} {number}", policy)
        return branch

    def branch_spec(self, name: str) -> ChildSpec:
        plan = self.plans[name]
        children = [
            self.child(f"{name} {number}", policy)
            for number, policy in enumerate(plan.policies)
        ]
        return worker(
            name,
            SupervisorActor,
            args=(tuple(children),),
            kwargs={"strategy": plan.strategy, "intensity": PLENTY},
            kind="supervisor",
        )

    def child(self, name: str, policy: Restart) -> ChildSpec:
        return worker(name, Told, args=(self.probe,), restart=policy)

    def supervisor(self, name: str) -> Supervisor:
        return Supervisor(self.top.registry, name)

    def refs(self) -> dict[str, Ref[Any]]:
        names = self.top.registry.names()
        return {name: self.top.registry.resolve(name) for name in names}

    def pick(self, branch: str, number: int, *, up: bool) -> str | None:
        children = [
            name
            for name in self.model[branch].children
            if (name in self.model[branch].up) is up
        ]
        return children[number % len(children)] if children else None

    @rule(branch=branches, number=numbers, how=st.sampled_from(ENDS))
    def a_child_ends(self, branch: str, number: int, how: str) -> None:
        name = self.pick(branch, number, up=True)
        if name is None:
            return

        self.end(self.known[name], how)
        self.supervisor(branch).which_children()

        self.renewed(self.model[branch].ended(name, how))

    @rule(branch=branches)
    def a_branch_is_killed(self, branch: str) -> None:
        self.end(self.known[branch], "kill")
        self.top.which_children()

        self.model[branch] = self.fresh(branch)
        self.renewed({branch, *self.model[branch].children})

    @rule(branch=branches, number=numbers)
    def a_child_is_terminated(self, branch: str, number: int) -> None:
        name = self.pick(branch, number, up=True)
        if name is not None:
            self.supervisor(branch).terminate_child(name)
            self.model[branch].drop(name)

    @rule(branch=branches, number=numbers)
    def a_child_is_restarted(self, branch: str, number: int) -> None:
        name = self.pick(branch, number, up=False)
        if name is not None:
            self.supervisor(branch).restart_child(name)
            self.model[branch].up.add(name)
            self.renewed({name})

    @rule(branch=branches, number=numbers)
    def a_child_is_deleted(self, branch: str, number: int) -> None:
        name = self.pick(branch, number, up=False)
        if name is not None:
            self.supervisor(branch).delete_child(name)
            del self.model[branch].children[name]

    @rule(branch=branches, policy=policies)
    def a_child_is_added(self, branch: str, policy: Restart) -> None:
        self.added += 1
        name = f"{branch} added {self.added}"
        self.supervisor(branch).start_child(self.child(name, policy))
        self.model[branch].add(name, policy)
        self.renewed({name})

    def end(self, ref: Ref[Any], how: str) -> None:
        """End an actor, and return when its supervisor has been told."""
        heard = Probe()
        # Behind the supervisor's own monitor.
        ref.monitor(heard)
        match how:
            case "crash":
                ref.cast(boom)
            case "finish":
                ref.cast(finish)
            case _:
                ref.kill()
        heard.expect()

    def renewed(self, names: set[str]) -> None:
        """Exactly these are new incarnations; all others are who they were."""
        now = self.refs()
        for name, ref in now.items():
            if name in names:
                assert ref != self.known.get(name), f"{name} is still the old one"
            else:
                assert ref == self.known[name], f"{name} was restarted"
        self.known = now

    @invariant()
    def the_tree_is_as_the_model_says(self) -> None:
        if not hasattr(self, "top"):
            return
        expected = {"root", *BRANCHES}
        for name, model in self.model.items():
            statuses = self.supervisor(name).which_children()
            listed = [status.spec.id for status in reversed(statuses)]
            assert listed == list(model.children)
            assert {status.spec.id for status in statuses if status.ref} == model.up
            expected |= model.up
        found = self.refs()
        assert set(found) == expected
        assert all(ref.is_alive() for ref in found.values())
        self.known = found

    def teardown(self) -> None:
        if not hasattr(self, "top"):
            return
        while not self.probe._queue.empty():
            self.probe.expect()

        self.top.stop()

        ends = [
            ("end", child)
            for name in reversed(BRANCHES)
            for child in reversed(self.model[name].children)
            if child in self.model[name].up
        ]
        assert [self.probe.expect() for _ in ends] == ends
        self.probe.expect_nothing()
        assert_no_actor_left()


def finish(actor: Actor) -> None:
    """A message that ends its actor in order."""
    actor.exit()


Tree.TestCase.settings = settings(max_examples=40, stateful_step_count=15)
TestTree = Tree.TestCase
