"""Random trees, deaths, calls and clock steps on real threads, against a pure model.

A failure prints the steps and the blob that repeats them. To try more:
`SUPERVISORS_PROPERTIES=20 python -m pytest tests/supervisors/properties`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from supervisors import (
    NO_REPLY,
    Actor,
    ActorDownError,
    Backoff,
    ChildSpec,
    ChildState,
    Down,
    DynamicSupervisor,
    DynamicSupervisorActor,
    Intensity,
    Ref,
    ReplyFuture,
    Restart,
    RestartLimitError,
    SimpleSupervisor,
    SimpleSupervisorActor,
    Strategy,
    Supervisor,
    SupervisorActor,
)
from supervisors._decide_dynamic import DynamicMachine
from supervisors._decide_simple import SimpleMachine
from supervisors.exits import KILLED, NORMAL, ExitReason, Failed
from supervisors.testing import ManualClock, Probe, assert_no_actor_left, settled
from tests.supervisors.actors.parts import WAIT, Told, boom, nothing, until
from tests.supervisors.properties.size import times
from tests.supervisors.properties.tree_model import Node, TreeModel

NUMBERS = st.integers(min_value=0, max_value=30)
RESTARTS = st.sampled_from(Restart)
INTENSITIES = st.builds(
    Intensity, max_restarts=st.sampled_from((1, 1, 2, 0)), within=st.just(5.0)
)
BACKOFFS = st.sampled_from((None, None, Backoff(initial=2.0, maximum=4.0, jitter=0.0)))
MANY = Intensity(max_restarts=1_000, within=60.0)


class Shape:
    """Makes the specs of one tree, each with an id of its own."""

    def __init__(self, draw: st.DrawFn, probe: Probe) -> None:
        self.draw = draw
        self.probe = probe
        self.count = 0

    def named(self, kind: str) -> str:
        self.count += 1
        return f"{kind} {self.count}"

    def worker(self, name: str | None = None) -> ChildSpec:
        child_id = name or self.named("worker")
        return ChildSpec(
            id=child_id,
            actor=Told,
            args=(self.probe,),
            name=child_id,
            restart=self.draw(RESTARTS),
            backoff=self.draw(BACKOFFS),
        )

    def job(self, restart: Restart) -> ChildSpec:
        return ChildSpec(id="job", actor=Told, args=(self.probe,), restart=restart)

    def static(self, depth: int, intensity: Intensity | None = None) -> ChildSpec:
        count = self.draw(st.integers(min_value=0, max_value=3))
        children = tuple(self.any(depth - 1) for _ in range(count))
        return self.supervisor(
            "static",
            SupervisorActor,
            (children,),
            strategy=self.draw(st.sampled_from(Strategy)),
            intensity=intensity or self.draw(INTENSITIES),
        )

    def any(self, depth: int) -> ChildSpec:
        kinds = ("worker", "static", "dynamic", "simple") if depth > 0 else ("worker",)
        match self.draw(st.sampled_from(kinds)):
            case "static":
                return self.static(depth)
            case "dynamic":
                return self.supervisor(
                    "dynamic",
                    DynamicSupervisorActor,
                    (),
                    intensity=self.draw(INTENSITIES),
                    max_children=3,
                )
            case "simple":
                template = self.job(self.draw(RESTARTS))
                intensity = self.draw(INTENSITIES)
                return self.supervisor(
                    "simple", SimpleSupervisorActor, (template,), intensity=intensity
                )
            case _:
                return self.worker()

    def supervisor(
        self, kind: str, actor: type[Actor], args: tuple[Any, ...], **kwargs: Any
    ) -> ChildSpec:
        child_id = self.named(kind)
        return ChildSpec(
            id=child_id,
            actor=actor,
            args=args,
            kwargs=kwargs,
            name=child_id,
            kind="supervisor",
            restart=self.draw(st.sampled_from((Restart.PERMANENT, Restart.TRANSIENT))),
        )


class Watcher(Actor):
    """Monitors whom it is told to, and counts the `Down`s of each."""

    def __init__(self) -> None:
        super().__init__()
        self.downs: Counter[Ref[Any]] = Counter()

    def on_receive(self, message: object) -> Any:
        if isinstance(message, Down):
            self.downs[message.ref] += 1
        elif isinstance(message, Ref):
            self.monitor(message)
        else:
            return Counter(self.downs)
        return None


def held(actor: Actor) -> Any:
    """A message whose caller gets no answer as long as the actor lives."""
    actor.reply_token()
    return NO_REPLY


def finish(actor: Actor) -> None:
    """A message that ends its actor in order."""
    actor.exit()


class Tree(RuleBasedStateMachine):
    """A real tree and its model, side by side."""

    started = False

    @initialize(data=st.data())
    def start(self, data: st.DataObject) -> None:
        self.probe = Probe()
        self.clock = ManualClock()
        spec = data.draw(st.composite(self._root)(), label="tree")
        self.model = TreeModel(spec)
        self.has_crowds = any(
            isinstance(node.machine, DynamicMachine | SimpleMachine)
            for node in self.model.root.walk()
        )
        self.top = Supervisor.start(*spec.args, clock=self.clock, **spec.kwargs)
        self.root = self.top.ref()
        self.watcher = Watcher.start()
        self.refs: dict[Node, Ref[Any]] = {}
        self.held: dict[Ref[Any], ReplyFuture[Any]] = {}
        self.asked: list[ReplyFuture[Any]] = []
        self.added = 0
        self.started = True
        self.settle(in_order=True)

    def _root(self, draw: st.DrawFn) -> ChildSpec:
        self.shape = Shape(draw, self.probe)
        # The root's own intensity is sometimes small, so that trees do end.
        return self.shape.static(3, draw(st.sampled_from((MANY, MANY, None))))

    # Finding actors.

    def nodes(self, *, workers: bool) -> list[Node]:
        """Those up below the root."""
        return [
            node
            for node in self.model.root.walk()
            if node is not self.model.root and (node.machine is None) == workers
        ]

    def pick(self, number: int, nodes: list[Node]) -> Node | None:
        return nodes[number % len(nodes)] if nodes else None

    def statics(self) -> list[Node]:
        return [
            node
            for node in self.model.root.walk()
            if node.machine is not None and node.spec.actor is SupervisorActor
        ]

    def handle(self, node: Node) -> Supervisor:
        name = Supervisor.ROOT if node is self.model.root else node.spec.id
        return Supervisor(self.top.registry, name)

    def real_nodes(self, ref: Ref[Any]) -> Iterator[tuple[str, str, Ref[Any] | None]]:
        """What the real tree shows, in the order of `model_nodes`."""
        for status in ref.life.children().statuses if ref.life.children else ():
            yield status.spec.id, status.state.value, status.ref
            if status.ref is not None:
                yield from self.real_nodes(status.ref)

    def model_nodes(self, node: Node) -> Iterator[tuple[str, str, Node | None]]:
        for spec, state, child in node.children():
            yield spec.id, state.value, child
            if child is not None:
                yield from self.model_nodes(child)

    # Doing something to both.

    def calls_in_flight(self) -> None:
        """Ask every worker, once for an answer and once to be kept waiting."""
        for node in self.nodes(workers=True):
            ref = self.refs[node]
            self.asked.append(ref.submit(nothing))
            if ref not in self.held:
                self.held[ref] = ref.submit(held)

    def settle(self, *, in_order: bool) -> None:
        """Wait for the end of all that follows, and compare."""
        settled(self.root, self.watcher, timeout=WAIT)
        told = []
        while not self.probe._queue.empty():
            told.append(self.probe.expect())
        expected, self.model.told = self.model.told, []
        if in_order:
            assert told == expected
        else:
            assert Counter(told) == Counter(expected)

    @precondition(lambda self: self.model.over is None)
    @rule(number=NUMBERS, how=st.sampled_from(("crash", "finish", "kill")))
    def a_worker_ends(self, number: int, how: str) -> None:
        node = self.pick(number, self.nodes(workers=True))
        if node is None:
            return
        self.calls_in_flight()
        ref = self.refs[node]

        reasons: dict[str, ExitReason] = {"finish": NORMAL, "kill": KILLED}
        if how == "kill":
            ref.kill()
        else:
            ref.cast(boom if how == "crash" else finish)
        self.model.leaf_ends(node, reasons.get(how, Failed("boom")))

        self.settle(in_order=not self.has_crowds)

    @precondition(lambda self: self.model.over is None)
    @rule(number=NUMBERS)
    def a_supervisor_is_killed(self, number: int) -> None:
        node = self.pick(number, self.nodes(workers=False))
        if node is None:
            return
        self.calls_in_flight()

        self.refs[node].kill()
        self.model.supervisor_killed(node)

        # What is below it ends side by side.
        self.settle(in_order=False)

    @precondition(lambda self: self.model.over is None)
    @rule(seconds=st.sampled_from((6.0, 2.0, 0.5)))
    def time_passes(self, seconds: float) -> None:
        self.model.advance(seconds)
        self.clock.advance(seconds)

        # Supervisors wake side by side.
        self.settle(in_order=False)

    @precondition(lambda self: self.model.over is None)
    @rule(
        number=NUMBERS,
        child=NUMBERS,
        call=st.sampled_from(("terminate_child", "restart_child", "delete_child")),
    )
    def a_call_about_a_static_child(self, number: int, child: int, call: str) -> None:
        node = self.pick(number, self.statics())
        children = [] if node is None else node.children()
        if node is None or not children:
            return
        spec, state, _ = children[child % len(children)]
        self.calls_in_flight()

        expected = self.model.ask(node, getattr(node.machine, call)(spec.id))
        self.compare(lambda: getattr(self.handle(node), call)(spec.id), expected)

        assert state in ChildState
        self.settle(in_order=not self.has_crowds)

    @precondition(lambda self: self.model.over is None)
    @rule(number=NUMBERS, restart=RESTARTS)
    def a_static_child_is_added(self, number: int, restart: Restart) -> None:
        node = self.pick(number, self.statics())
        assert node is not None
        self.added += 1
        name = f"added {self.added}"
        spec = ChildSpec(
            id=name, actor=Told, args=(self.probe,), name=name, restart=restart
        )

        expected = self.model.ask(node, node.machine.start_child(spec))  # type: ignore[union-attr, arg-type] # a static one
        self.compare(lambda: self.handle(node).start_child(spec), expected)

        self.settle(in_order=True)

    @precondition(lambda self: self.model.over is None and self.has_crowds)
    @rule(number=NUMBERS, restart=RESTARTS, job=NUMBERS, adds=st.booleans())
    def a_job_comes_or_goes(
        self, number: int, restart: Restart, job: int, adds: bool
    ) -> None:
        crowds = [
            node
            for node in self.model.root.walk()
            if isinstance(node.machine, DynamicMachine | SimpleMachine)
        ]
        node = self.pick(number, crowds)
        if node is None:
            return
        jobs = [child for _, _, child in node.children() if child is not None]
        if adds or not jobs:
            self.add_job(node, restart)
        else:
            self.terminate_job(node, jobs[job % len(jobs)])
        self.settle(in_order=True)

    def add_job(self, node: Node, restart: Restart) -> None:
        name, registry = node.spec.id, self.top.registry
        if isinstance(node.machine, SimpleMachine):
            expected: Any = self.model.ask(node, node.machine.start_child((), {}))
            self.compare(
                lambda: SimpleSupervisor(registry, name).start_child(), expected
            )
            return
        spec = self.shape.job(restart)
        assert isinstance(node.machine, DynamicMachine)
        expected = self.model.ask(node, node.machine.start_child(spec))
        self.compare(
            lambda: DynamicSupervisor(registry, name).start_child(spec), expected
        )

    def terminate_job(self, node: Node, job: Node) -> None:
        name, registry = node.spec.id, self.top.registry
        machine: Any = node.machine
        is_simple = isinstance(machine, SimpleMachine)
        alive = (lambda _: True,) if is_simple else ()
        expected = self.model.ask(node, machine.terminate_child(job, *alive))
        ref = self.refs[job]
        self.compare(
            lambda: DynamicSupervisor(registry, name).terminate_child(ref), expected
        )

    def compare(self, call: Any, expected: Any) -> None:
        """The real call raises what the model answers, or works as it does."""
        if isinstance(expected, Exception):
            with pytest.raises(type(expected)):
                call()
        else:
            call()

    # What always holds.

    @invariant()
    def the_tree_is_as_the_model_says(self) -> None:
        if not self.started or self.model.over is not None:
            return
        shown = list(self.real_nodes(self.root))
        expected = list(self.model_nodes(self.model.root))
        assert [each[:2] for each in shown] == [each[:2] for each in expected]
        known = {self.refs[node] for node in self.refs}
        for (_, _, ref), (_, _, node) in zip(shown, expected, strict=True):
            if node is None:
                assert ref is None
            elif node in self.refs:
                assert self.refs[node] is ref, "it was started again"
            else:
                assert ref is not None
                assert ref not in known, "it was not started again"
                self.refs[node] = ref
                self.watcher.call(ref, WAIT)

    @invariant()
    def each_end_is_told_once_and_no_caller_is_forgotten(self) -> None:
        if not self.started:
            return
        expected: Counter[Ref[Any]] = Counter()
        for node, ref in self.refs.items():
            assert ref.is_alive() == (node.alive and self.model.over is None)
            expected[ref] = 0 if ref.is_alive() else 1
        # A dying thread tells its supervisor first, and the watcher after that.
        until(lambda: self.watcher.call("counts", WAIT) >= expected)
        assert self.watcher.call("counts", WAIT) == expected
        for future in self.asked:
            assert future.done()
        self.asked.clear()
        for ref, future in self.held.items():
            assert future.done() != ref.is_alive()
            if future.done():
                with pytest.raises(ActorDownError):
                    future.get()

    @precondition(lambda self: self.model.over is not None)
    @rule()
    def a_tree_that_gave_up_says_so_to_every_caller(self) -> None:
        assert not self.root.is_alive()
        for node in self.refs:
            if node.spec.name is not None:
                with pytest.raises((RestartLimitError, ActorDownError)):
                    self.top.handle(node.spec.name).call(nothing, WAIT)

    def teardown(self) -> None:
        if not self.started:
            return
        if self.model.over is None:
            self.top.stop(WAIT)
            self.model.stop()
            self.settle(in_order=not self.has_crowds)
        self.watcher.shutdown()
        assert_no_actor_left()


Tree.TestCase.settings = settings(
    max_examples=times(50), stateful_step_count=20, deadline=None
)
TestTree = Tree.TestCase
