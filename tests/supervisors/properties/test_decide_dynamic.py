"""Whatever happens in whatever order, no child of a crowd is lost or kept too long."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from supervisors._decide_dynamic import DynamicMachine
from supervisors._decide_simple import SimpleMachine
from supervisors._effects import (
    ChildState,
    GaveUp,
    Ignored,
    Report,
    RetryLater,
    StartChild,
    Started,
    StartFailed,
    Steps,
    StopChild,
    StopChildren,
)
from supervisors.backoff import Backoff
from supervisors.child_spec import ChildSpec, Intensity, Restart
from supervisors.errors import ChildNotFoundError, ChildStateError
from supervisors.exits import (
    KILLED,
    NORMAL,
    SHUTDOWN,
    ExitReason,
    Failed,
    RestartLimitReached,
    Shutdown,
    is_abnormal,
)
from tests.supervisors.unit.driving import Driver, child

BAD = Failed("bad")
BACKOFF = Backoff(initial=1.0, maximum=4.0, reset_after=6.0)

reasons: st.SearchStrategy[ExitReason] = st.sampled_from(
    [NORMAL, SHUTDOWN, Shutdown("done"), Failed("boom"), KILLED]
)
# How the next start goes.
fates = st.sampled_from([None, None, StartFailed(BAD), Ignored()])


@st.composite
def specs(draw: st.DrawFn, child_id: str = "a") -> ChildSpec:
    backoff = draw(st.sampled_from([None, None, BACKOFF]))
    return child(child_id, draw(st.sampled_from(Restart)), backoff=backoff)


def _half() -> float:
    return 0.5


class Crowd(RuleBasedStateMachine):
    """Drives one machine at random; `here` is a model of the children there must be."""

    machine: DynamicMachine | SimpleMachine

    def __init__(self) -> None:
        super().__init__()
        self.driver = Driver()
        self.now = 0.0
        self.here: dict[int, ChildSpec] = {}
        """The latest incarnation of each child, dead or alive."""
        self.waiting: dict[Hashable, tuple[float, int]] = {}
        """By key: when each planned restart is due, and the incarnation that ended."""
        self.messages: list[Hashable] = []
        self.attempts: list[int] = []
        self.failures = 0
        self.over = False

    def _begin(self, machine: DynamicMachine | SimpleMachine, most: int) -> None:
        self.machine = machine
        self.most = most
        assert self.driver.run(machine.start()) is None

    def _run(self, steps: Steps[Any], fate: Any = None) -> Any:
        self.driver.starts = {} if fate is None else dict.fromkeys("ab", fate)
        result = self.driver.run(steps)
        effects, self.driver.seen = self.driver.seen, []
        assert sum(isinstance(effect, StartChild) for effect in effects) <= 1
        assert sum(isinstance(e, StopChild | StopChildren) for e in effects) <= 1
        self.messages += [e.key for e in effects if isinstance(e, RetryLater)]
        self.failures = sum(
            isinstance(e, Report) and e.event == "child_start_failed" for e in effects
        )
        return result

    def _attempt(self) -> bool:
        second = math.floor(self.now)
        self.attempts.append(second)
        return sum(at >= second - 5 for at in self.attempts) <= self.most

    def _check_restart(
        self, key: Hashable, ended: int, result: Any, *, allowed: bool
    ) -> None:
        """A restart was due: it was made, or waits, or was one too many."""
        spec = self.here[ended]
        if self.failures and spec.backoff is not None:
            allowed = self._attempt() and allowed
        if not allowed:
            assert isinstance(result, GaveUp)
            assert isinstance(result.cause, RestartLimitReached)
            self._check_end()
            return
        assert result is None
        self.waiting.pop(key, None)
        states = {known: (state, ref) for known, state, ref in self._statuses()}
        match states.get(key):
            case ChildState.RESTARTING, _:
                self.waiting[key] = (self._due(key), ended)
            case _, ref:
                del self.here[ended]
                self.here[ref] = spec
            case None:
                del self.here[ended]

    def _due(self, key: Hashable) -> float:
        return self.machine._children[key].due

    def _statuses(self) -> list[tuple[Hashable, ChildState, Any]]:
        return [
            (self.driver.keys[child.ref], child.state, child.ref)
            for child in self.machine._children.values()
            if child.ref is not None
        ]

    def _check_end(self) -> None:
        self.over = True
        assert self.driver.alive == {}, "a child outlives its supervisor"
        states = {status.state for status in self.machine.which_children()}
        assert states <= {ChildState.DOWN}

    @precondition(lambda self: not self.over and self.driver.alive)
    @rule(data=st.data(), reason=reasons, fate=fates)
    def child_ends(self, data: st.DataObject, reason: ExitReason, fate: Any) -> None:
        ref = data.draw(st.sampled_from(list(self.driver.alive)))
        del self.driver.alive[ref]
        key, spec = self.driver.keys[ref], self.here[ref]
        wants_restart = spec.restart is Restart.PERMANENT or (
            spec.restart is Restart.TRANSIENT and is_abnormal(reason)
        )
        allowed = self._attempt() if wants_restart else True

        result = self._run(self.machine.child_ended(key, ref, reason, self.now), fate)

        if wants_restart:
            self._check_restart(key, ref, result, allowed=allowed)
        else:
            assert result is None
            del self.here[ref]

    @precondition(lambda self: not self.over and self.messages)
    @rule(fate=fates)
    def retry(self, fate: Any) -> None:
        key = self.messages.pop(0)
        due, ended = self.waiting.get(key, (math.inf, 0))
        if key not in self.waiting or self.now < due:
            asked_again = [key] if key in self.waiting else []
            before = len(self.messages)
            assert self._run(self.machine.retry(key, self.now)) is None
            assert self.messages[before:] == asked_again
            return
        counted = self.here[ended].backoff is None
        allowed = self._attempt() if counted else True

        result = self._run(self.machine.retry(key, self.now), fate)

        self._check_restart(key, ended, result, allowed=allowed)

    @precondition(lambda self: not self.over and self.here)
    @rule(data=st.data())
    def terminate_child(self, data: st.DataObject) -> None:
        ref = data.draw(st.sampled_from(list(self.here)))

        assert self._run(self.machine.terminate_child(ref)) is None

        assert ref not in self.driver.alive
        del self.here[ref]
        key = self.driver.keys[ref]
        self.waiting.pop(key, None)

    @precondition(lambda self: not self.over)
    @rule(data=st.data(), reason=reasons)
    def a_forgotten_incarnation_ends(
        self, data: st.DataObject, reason: ExitReason
    ) -> None:
        gone = [ref for ref in self.driver.keys if ref not in self.driver.alive]
        if not gone:
            return
        ref = data.draw(st.sampled_from(gone))
        key = self.driver.keys[ref]

        result = self.driver.run(self.machine.child_ended(key, ref, reason, self.now))

        assert (result, self.driver.seen) == (None, [])

    @rule(seconds=st.floats(0.0, 3.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: not self.over)
    @rule()
    def stop(self) -> None:
        self._run(self.machine.stop())
        self._check_end()

    @invariant()
    def what_is_up_is_alive(self) -> None:
        statuses = self.machine.which_children()
        up = {s.ref: s.spec.id for s in statuses if s.state is ChildState.UP}
        assert up == self.driver.alive
        assert all((s.ref is None) is (s.state is not ChildState.UP) for s in statuses)

    @invariant()
    def no_child_is_lost_or_kept_too_long(self) -> None:
        if not self.over:
            known = {ref for _, _, ref in self._statuses()}
            assert known == set(self.here) == set(self.machine._by_ref)

    @invariant()
    def what_restarts_has_a_message_waiting(self) -> None:
        if not self.over:
            assert set(self.waiting) <= set(self.messages)

    def teardown(self) -> None:
        if not self.over:
            self.stop()


class Dynamic(Crowd):
    """Children with specs of their own, and a limit to their number."""

    machine: DynamicMachine

    @initialize(most=st.integers(0, 4), limit=st.sampled_from([None, 0, 1, 3]))
    def begin(self, most: int, limit: int | None) -> None:
        self.limit = limit
        intensity = Intensity(max_restarts=most)
        self._begin(DynamicMachine(intensity, limit, jitter=_half), most)

    @precondition(lambda self: not self.over)
    @rule(spec=st.sampled_from("ab").flatmap(specs), fate=fates)
    def start_child(self, spec: ChildSpec, fate: Any) -> None:
        full = self.limit is not None and len(self.here) >= self.limit

        result = self._run(self.machine.start_child(spec), fate)

        if full:
            assert isinstance(result, ChildStateError)
        elif fate is None:
            assert isinstance(result, Started)
            self.here[result.ref] = spec

    @precondition(lambda self: not self.over)
    @rule(ref=st.integers(-3, 0))
    def terminate_stranger(self, ref: int) -> None:
        result = self._run(self.machine.terminate_child(ref))

        assert isinstance(result, ChildNotFoundError)

    @invariant()
    def all_children_are_counted(self) -> None:
        assert self.over or len(self.machine) == len(self.here)


class Simple(Crowd):
    """Children from one template."""

    machine: SimpleMachine

    @initialize(most=st.integers(0, 4), template=specs())
    def begin(self, most: int, template: ChildSpec) -> None:
        self.template = template
        intensity = Intensity(max_restarts=most)
        self._begin(SimpleMachine(template, intensity, jitter=_half), most)

    @precondition(lambda self: not self.over)
    @rule(fate=fates)
    def start_child(self, fate: Any) -> None:
        result = self._run(self.machine.start_child(), fate)

        if fate is None:
            assert isinstance(result, Started)
            self.here[result.ref] = self.template

    @invariant()
    def there_is_at_most_one_entry_without_a_child(self) -> None:
        if not self.over:
            assert len(self.machine.which_children()) - len(self.here) in (0, 1)


TestDynamic = Dynamic.TestCase
TestSimple = Simple.TestCase
# A busy machine is no failure: nothing here is about speed.
TestDynamic.settings = TestSimple.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
