"""Whatever happens in whatever order, a machine keeps its children in hand."""

from __future__ import annotations

import itertools
import math
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from supervisors._decide import (
    AutoShutdown,
    ChildState,
    Effect,
    GaveUp,
    Ignored,
    Machine,
    Report,
    RetryLater,
    StartChild,
    StartFailed,
    Steps,
    StopChild,
)
from supervisors.backoff import Backoff
from supervisors.child_spec import ChildSpec, Intensity, Restart, Strategy
from supervisors.errors import SupervisorError
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

IDS = "abcdef"
BAD = Failed("bad")

ids = st.sampled_from(IDS)
reasons: st.SearchStrategy[ExitReason] = st.sampled_from(
    [NORMAL, SHUTDOWN, Shutdown("done"), Failed("boom"), KILLED]
)
# How the next starts go; children without an entry simply start.
fates = st.dictionaries(ids, st.sampled_from([StartFailed(BAD), Ignored()]), max_size=2)


BACKOFF = Backoff(initial=1.0, maximum=4.0, reset_after=6.0)


@st.composite
def specs(draw: st.DrawFn) -> ChildSpec:
    restart = draw(st.sampled_from(Restart))
    significant = restart is not Restart.PERMANENT and draw(st.booleans())
    backoff = draw(st.sampled_from([None, None, BACKOFF]))
    return child(draw(ids), restart, significant=significant, backoff=backoff)


class Supervision(RuleBasedStateMachine):
    """Drives one machine at random; a small model beside it says what must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.driver = Driver()
        self.machine = Machine()
        self.now = 0.0
        self.attempts: list[int] = []
        self.retries: list[str] = []
        self.due: dict[str, float] = {}
        self.failed: list[ChildSpec] = []
        self.dead_refs: list[tuple[str, int]] = []
        self.over = False

    @initialize(
        children=st.lists(specs(), max_size=5, unique_by=lambda spec: spec.id),
        strategy=st.sampled_from(Strategy),
        most=st.integers(0, 4),
        within=st.integers(1, 5),
        auto=st.sampled_from(["any_significant", "all_significant"]),
        starts=fates,
    )
    def begin(
        self,
        children: list[ChildSpec],
        strategy: Strategy,
        most: int,
        within: int,
        auto: str,
        starts: dict[str, Any],
    ) -> None:
        self.intensity = Intensity(max_restarts=most, within=within)
        self.auto = cast("AutoShutdown", auto)
        self.machine = Machine(
            children, strategy, self.intensity, self.auto, jitter=lambda: 0.5
        )
        self.driver.starts = starts
        failing = [c.id for c in children if isinstance(starts.get(c.id), StartFailed)]

        gave_up = self._run(self.machine.start())

        assert (gave_up is not None) == bool(failing)

    def _run(self, steps: Steps[Any]) -> Any:
        before = self._order()
        result = self.driver.run(steps)
        effects, self.driver.seen = self.driver.seen, []
        self._note(effects)
        self._check_order(before, effects)
        if isinstance(result, GaveUp):
            self._end()
        return result

    def _note(self, effects: list[Effect]) -> None:
        self.failed = []
        for effect in effects:
            if isinstance(effect, RetryLater):
                child_id = str(effect.key)
                self.retries.append(child_id)
                self.due[child_id] = self.now + effect.after
                spec = self._spec(child_id)
                assert (effect.after > 0) is (spec.backoff is not None)
                assert effect.after <= BACKOFF.maximum
            if isinstance(effect, Report) and effect.event == "child_start_failed":
                self.failed.append(self._spec(effect.child_id))

    def _spec(self, child_id: str) -> ChildSpec:
        spec = self.machine.spec_of(child_id)
        assert isinstance(spec, ChildSpec)
        return spec

    def _end(self) -> None:
        self.over = True
        assert self.driver.alive == {}, "a child outlives its supervisor"
        states = {status.state for status in self.machine.which_children()}
        assert states <= {ChildState.DOWN}

    def _order(self) -> list[str]:
        return [status.spec.id for status in reversed(self.machine.which_children())]

    def _check_order(self, before: list[str], effects: list[Effect]) -> None:
        after = self._order()
        stayed = [name for name in before if name in after]
        assert after[: len(stayed)] == stayed, "children changed places"
        stopped = [e.child_id for e in effects if isinstance(e, StopChild)]
        assert stopped == sorted(stopped, key=before.index, reverse=True)
        started = [e.spec.id for e in effects if isinstance(e, StartChild)]
        known = list(dict.fromkeys(before + after + started))
        assert started == sorted(started, key=known.index)
        assert len(started) == len(set(started)), "started twice in one step"

    def _attempt(self) -> bool:
        """Count a restart by the model; say whether it is allowed."""
        second = math.floor(self.now)
        self.attempts.append(second)
        oldest = second - self.intensity.within
        recent = sum(at >= oldest for at in self.attempts)
        return recent <= self.intensity.max_restarts

    def _check_limit(self, result: Any, *, allowed: bool) -> None:
        for spec in self.failed:
            # The restart that waits after a failed start is counted when it is planned.
            if spec.backoff is not None:
                allowed = self._attempt() and allowed
        reached = isinstance(result, GaveUp)
        assert reached is not allowed
        if reached:
            assert isinstance(result.cause, RestartLimitReached)
            assert result.reason == SHUTDOWN

    @precondition(lambda self: not self.over and self.driver.alive)
    @rule(data=st.data(), reason=reasons, starts=fates)
    def child_ends(
        self, data: st.DataObject, reason: ExitReason, starts: dict[str, Any]
    ) -> None:
        ref = data.draw(st.sampled_from(list(self.driver.alive)))
        child_id = self.driver.alive.pop(ref)
        self.dead_refs.append((child_id, ref))
        self.driver.starts = starts
        spec = self._spec(child_id)
        wants_restart = spec.restart is Restart.PERMANENT or (
            spec.restart is Restart.TRANSIENT and is_abnormal(reason)
        )
        allowed = self._attempt() if wants_restart else True

        result = self._run(self.machine.child_ended(child_id, ref, reason, self.now))

        if wants_restart:
            self._check_limit(result, allowed=allowed)
        elif not spec.significant:
            assert result is None
        elif self.auto == "any_significant":
            assert isinstance(result, GaveUp)

    @precondition(lambda self: not self.over and self.retries)
    @rule(starts=fates)
    def retry(self, starts: dict[str, Any]) -> None:
        child_id = self.retries.pop(0)
        waits = self.machine.state_of(child_id) is ChildState.RESTARTING
        self.driver.starts = starts
        if waits and self.now < self.due[child_id]:
            self._retry_too_early(child_id)
            return
        counted = waits and self._spec(child_id).backoff is None
        allowed = self._attempt() if counted else True

        result = self._run(self.machine.retry(child_id, self.now))

        self._check_limit(result, allowed=allowed)

    def _retry_too_early(self, child_id: str) -> None:
        due = self.due[child_id]
        states = self.machine.which_children()

        assert self._run(self.machine.retry(child_id, self.now)) is None

        assert self.machine.which_children() == states
        assert self.retries[-1] == child_id, "it will be tried again"
        assert math.isclose(self.due[child_id], due)
        self.due[child_id] = due

    @precondition(lambda self: not self.over)
    @rule(spec=specs(), starts=fates)
    def start_child(self, spec: ChildSpec, starts: dict[str, Any]) -> None:
        present = self.machine.state_of(spec.id) is not None
        self.driver.starts = starts

        result = self._run(self.machine.start_child(spec))

        failed = isinstance(starts.get(spec.id), StartFailed)
        assert isinstance(result, SupervisorError) is (present or failed)

    @precondition(lambda self: not self.over)
    @rule(child_id=ids, starts=fates)
    def restart_child(self, child_id: str, starts: dict[str, Any]) -> None:
        down = self.machine.state_of(child_id) is ChildState.DOWN
        self.driver.starts = starts

        result = self._run(self.machine.restart_child(child_id))

        failed = isinstance(starts.get(child_id), StartFailed)
        assert isinstance(result, SupervisorError) is (not down or failed)

    @precondition(lambda self: not self.over)
    @rule(child_id=ids)
    def terminate_child(self, child_id: str) -> None:
        present = self.machine.state_of(child_id) is not None

        result = self._run(self.machine.terminate_child(child_id))

        assert isinstance(result, SupervisorError) is not present
        assert self.machine.state_of(child_id) in (None, ChildState.DOWN)

    @precondition(lambda self: not self.over)
    @rule(child_id=ids)
    def delete_child(self, child_id: str) -> None:
        down = self.machine.state_of(child_id) is ChildState.DOWN

        result = self._run(self.machine.delete_child(child_id))

        assert (result is None) is down
        assert not down or self.machine.state_of(child_id) is None

    @rule(seconds=st.floats(0.0, 3.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(reason=reasons, ref=st.integers(-5, 0))
    def stranger_ends(self, reason: ExitReason, ref: int) -> None:
        """No effect for an id or an incarnation that is not there."""
        strangers = itertools.chain([("x", ref), ("a", ref)], self.dead_refs)
        for child_id, old in strangers:
            result = self.driver.run(
                self.machine.child_ended(child_id, old, reason, self.now)
            )
            assert (result, self.driver.seen) == (None, [])
        assert self.driver.run(self.machine.retry("x", self.now)) is None
        assert self.driver.seen == []

    @precondition(lambda self: not self.over)
    @rule()
    def stop(self) -> None:
        self._run(self.machine.stop())
        self._end()

    @invariant()
    def what_is_up_is_alive(self) -> None:
        statuses = self.machine.which_children()
        up = {s.ref: s.spec.id for s in statuses if s.state is ChildState.UP}
        assert up == self.driver.alive
        assert all((s.ref is None) is (s.state is not ChildState.UP) for s in statuses)

    @invariant()
    def what_restarts_has_a_retry_waiting(self) -> None:
        waiting = {
            status.spec.id
            for status in self.machine.which_children()
            if status.state is ChildState.RESTARTING
        }
        assert waiting <= set(self.retries)

    @invariant()
    def no_temporary_child_is_kept_when_it_does_not_run(self) -> None:
        for status in self.machine.which_children():
            if status.spec.restart is Restart.TEMPORARY:
                assert status.state is ChildState.UP

    def teardown(self) -> None:
        if not self.over:
            self._run(self.machine.stop())
            self._end()


TestSupervision = Supervision.TestCase
# A busy machine is no failure: nothing here is about speed.
TestSupervision.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
