"""The gate against a model that is written from its promises alone."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dspex.client.gate import Gate, GatePolicy, GateState, Permit, Refused, Verdict

FAIL_MAX = 3
RESET_AFTER = 5.0


class GateMachine(RuleBasedStateMachine):
    """Permits are taken and handed back in any order while time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate(GatePolicy(fail_max=FAIL_MAX, reset_after=RESET_AFTER))
        self.now = 100.0
        self.valid: list[Permit] = []
        self.stale: list[Permit] = []
        self.failures = 0
        self.opened_at: float | None = None
        self.down_since: float | None = None
        self.probe: Permit | None = None

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 4.999, 5.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def admit(self) -> None:
        answer = self.gate.admit(self.now)

        if self.opened_at is None:
            assert isinstance(answer, Permit)
            assert not answer.is_probe
            self.valid.append(answer)
        elif self.probe is not None:
            assert answer == Refused(0.0)
        elif self.now - self.opened_at < RESET_AFTER:
            assert isinstance(answer, Refused)
            assert answer.retry_in == self.opened_at + RESET_AFTER - self.now
        else:
            assert isinstance(answer, Permit)
            assert answer.is_probe
            self.probe = answer

    @precondition(lambda self: self.valid)
    @rule(data=st.data(), verdict=st.sampled_from(Verdict))
    def hand_back(self, data: st.DataObject, verdict: Verdict) -> None:
        at = data.draw(st.integers(0, len(self.valid) - 1))
        self.gate.record(self.valid.pop(at), verdict, self.now)

        if verdict is Verdict.SUCCESS:
            self.failures = 0
        if verdict is Verdict.FAILURE:
            self.failures += 1
        if self.failures == FAIL_MAX:
            self.trip()

    @precondition(lambda self: self.probe)
    @rule(verdict=st.sampled_from(Verdict))
    def hand_back_probe(self, verdict: Verdict) -> None:
        probe, self.probe = self.probe, None
        assert probe is not None
        self.gate.record(probe, verdict, self.now)

        if verdict is Verdict.SUCCESS:
            self.stale.append(probe)
            self.failures = 0
            self.opened_at = self.down_since = None
        if verdict is Verdict.FAILURE:
            self.stale.append(probe)
            self.trip()

    @precondition(lambda self: self.stale)
    @rule(data=st.data(), verdict=st.sampled_from(Verdict))
    def hand_back_stale(self, data: st.DataObject, verdict: Verdict) -> None:
        before = self.gate.state(self.now), self.gate.open_since

        self.gate.record(data.draw(st.sampled_from(self.stale)), verdict, self.now)

        assert (self.gate.state(self.now), self.gate.open_since) == before

    @rule()
    def restart_owner(self) -> None:
        self.gate.void_permits()
        self.stale += self.valid
        self.valid.clear()
        if self.probe is not None:
            self.stale.append(self.probe)
            self.probe = None

    @rule()
    def open_by_hand(self) -> None:
        self.gate.force_open(self.now, hold=None)
        self.forget_probe()
        self.failures = 0
        self.trip()

    @rule()
    def close_by_hand(self) -> None:
        self.gate.force_closed(self.now)
        self.forget_probe()
        self.stale += self.valid
        self.valid.clear()
        self.failures = 0
        self.opened_at = self.down_since = None

    def forget_probe(self) -> None:
        if self.probe is not None:
            self.stale.append(self.probe)
            self.probe = None

    def trip(self) -> None:
        self.opened_at = self.now
        self.down_since = self.now if self.down_since is None else self.down_since
        self.stale += self.valid
        self.valid.clear()

    @invariant()
    def state_is_as_the_model_says(self) -> None:
        assert self.gate.open_since == self.down_since
        assert self.gate.state(self.now) is self.expected_state()

    def expected_state(self) -> GateState:
        if self.opened_at is None:
            return GateState.CLOSED
        is_due = self.now - self.opened_at >= RESET_AFTER
        return GateState.HALF_OPEN if self.probe or is_due else GateState.OPEN


TestGate = GateMachine.TestCase
