"""Whatever is lost, doubled or late, each example and trial is settled once.

A small model of a run plays the part of floor, workers and aggregator, and hypothesis
says what happens next: a worker ends or is killed, news is lost or doubled, a
coordinator dies and another makes a new schedule.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp
from dspex.evaluate.running.journal import Journal, Tally
from dspex.evaluate.running.plan import Ended
from dspex.evaluate.scheduling import steps as s
from dspex.evaluate.scheduling.errors_allowed import ErrorLimit
from dspex.evaluate.scheduling.outage import Sign
from dspex.evaluate.scheduling.quarantine import DEATHS, Death
from dspex.evaluate.scheduling.schedule import Schedule
from dspex.evaluate.scheduling.steps import Terms
from supervisors import Killed


def terms(**changes: object) -> Terms:
    """Three examples, two in hand, unless told otherwise."""
    values: dict[str, object] = {"run": "r", "in_hand": 2, "total": 3} | changes
    return Terms(**values)  # type: ignore[arg-type] # what a test changes is right


def examples(effects: list[s.Effect]) -> list[tuple[int, int, int]]:
    """(example, trial, attempt) of what is handed out."""
    return [
        (stamp.example, stamp.trial, stamp.attempt)
        for effect in effects
        if isinstance(effect, s.HandOut)
        for stamp in effect.stamps
    ]


def settle(*keys: tuple[int, int], tally: Tally | None = None) -> s.Settle:
    return s.Settle(keys=keys, tally=Tally() if tally is None else tally)


def stamp(example: int, attempt: int = 1, trial: int = 0) -> Stamp:
    return Stamp(run="r", example=example, trial=trial, attempt=attempt)


def test_examples_are_handed_out_in_order_as_others_are_settled() -> None:
    schedule = Schedule(terms())

    assert examples(schedule.begin()) == [(0, 0, 1), (1, 0, 1)]
    assert examples(schedule.handle(settle((1, 0)))) == [(2, 0, 1)]
    assert schedule.handle(settle((0, 0))) == []
    assert schedule.handle(settle((2, 0))) == [s.End(ended=Ended(reason="complete"))]


def test_all_trials_of_an_example_come_before_the_next() -> None:
    schedule = Schedule(terms(in_hand=9, total=2, trials=3))

    assert [(e, t) for e, t, _ in examples(schedule.begin())] == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2),
    ]  # fmt: skip


def test_a_killed_worker_is_replaced_and_charged_to_nobody() -> None:
    schedule = Schedule(terms())
    schedule.begin()

    effects = schedule.handle(s.WorkerLost(stamp=stamp(0)))

    assert examples(effects) == [(0, 0, 2)]


def died(example: int, attempt: int) -> s.WorkerLost:
    """News of a worker killed from outside, as were all before it."""
    deaths = tuple(Death(attempt=n, reason=Killed()) for n in range(1, attempt + 1))
    return s.WorkerLost(stamp=stamp(example, attempt), deaths=deaths)


def test_an_example_whose_workers_are_all_killed_gets_an_outcome() -> None:
    schedule = Schedule(terms(total=1))
    schedule.begin()
    for attempt in range(1, DEATHS):
        again = schedule.handle(died(0, attempt))
        assert examples(again) == [(0, 0, attempt + 1)]

    (effect,) = schedule.handle(died(0, DEATHS))

    assert isinstance(effect, s.Propose)
    assert effect.verdict.kind is OutcomeKind.INFRASTRUCTURE
    assert "killed from outside 5 times" in effect.verdict.text
    assert len(effect.verdict.evidence) == DEATHS


def test_what_must_not_be_run_again_is_not() -> None:
    schedule = Schedule(terms(total=1))
    schedule.begin()

    (effect,) = schedule.handle(s.WorkerLost(stamp=stamp(0), begun=("send_mail",)))

    assert isinstance(effect, s.Propose)
    assert "'send_mail'" in effect.verdict.text


@pytest.mark.parametrize(
    ("stage", "named"), [("program", "timeout="), ("metric", "metric_timeout=")]
)
def test_who_was_out_of_time_gets_an_outcome_that_says_where(
    stage: str, named: str
) -> None:
    schedule = Schedule(terms(total=1, timeout=3.0, metric_timeout=1.0))
    schedule.begin()

    (effect,) = schedule.handle(
        s.WorkerLost(stamp=stamp(0), overdue=stage)  # type: ignore[arg-type] # a Stage
    )

    assert isinstance(effect, s.Propose)
    assert effect.verdict.kind is OutcomeKind.TIMEOUT
    assert named in effect.verdict.text


def test_news_of_an_attempt_that_is_no_more_changes_nothing() -> None:
    schedule = Schedule(terms())
    schedule.begin()
    schedule.handle(s.WorkerLost(stamp=stamp(0)))

    assert schedule.handle(s.WorkerLost(stamp=stamp(0))) == []


def test_nothing_is_handed_out_during_a_pause() -> None:
    schedule = Schedule(terms())
    schedule.begin()
    schedule.handle(s.Pause())

    assert schedule.handle(settle((0, 0))) == []
    assert examples(schedule.handle(s.Resume())) == [(2, 0, 1)]


def test_another_concurrency_holds_from_now_on_and_is_stamped() -> None:
    schedule = Schedule(terms(total=9))
    schedule.begin()

    (effect,) = schedule.handle(s.SetInHand(in_hand=4, configuration=2))

    assert isinstance(effect, s.HandOut)
    assert [(each.example, each.configuration) for each in effect.stamps] == [
        (2, 2),
        (3, 2),
    ]


def test_a_stream_is_asked_for_no_more_than_there_is_room_for() -> None:
    schedule = Schedule(terms(total=None))

    assert schedule.begin() == [s.Fetch(upto=2)]
    assert examples(schedule.handle(s.Arrived(count=1))) == [(0, 0, 1)]
    assert examples(schedule.handle(s.Arrived(count=2))) == [(1, 0, 1)]
    assert schedule.handle(settle((0, 0))) == [s.Fetch(upto=3)]
    assert schedule.handle(s.StreamEnded(count=2)) == []
    assert schedule.handle(settle((1, 0))) == [s.End(ended=Ended(reason="complete"))]


def test_a_stream_that_raises_ends_the_run_when_what_came_is_settled() -> None:
    error = OSError("the disk is gone")
    schedule = Schedule(terms(total=None))
    schedule.begin()
    schedule.handle(s.Arrived(count=1))

    assert schedule.handle(s.StreamEnded(count=1, error=error)) == []
    assert schedule.handle(settle((0, 0))) == [
        s.End(ended=Ended(reason="stream", error=error))
    ]


def test_errors_and_fatal_outcomes_end_the_run_once() -> None:
    wrong = Outcome(stamp=stamp(0), kind=OutcomeKind.PROGRAM)
    schedule = Schedule(terms(max_errors=ErrorLimit(1)))
    schedule.begin()

    effects = schedule.handle(settle((0, 0), tally=Tally(errors=1, last_error=wrong)))

    assert effects == [s.End(ended=Ended(reason="max_errors", outcome=wrong))]
    assert schedule.handle(settle((1, 0))) == []


DOWN = Sign(what="openai/m", text="down", retry_in=5.0)


def failed(example: int, attempt: int = 1, sign: Sign | None = DOWN) -> s.CameBack:
    return s.CameBack(stamp=stamp(example, attempt), sign=sign)


def test_an_outage_holds_the_hand_out_until_one_attempt_got_through() -> None:
    schedule = Schedule(terms(total=9, max_outage=60.0))
    schedule.begin(0.0)

    assert schedule.handle(failed(0), 1.0) == [s.Hold(on=True), s.WakeAt(at=6.0)]
    assert schedule.handle(failed(1), 2.0) == []
    (look, _) = schedule.handle(s.Tick(), 7.0)
    assert look == s.LetThrough(stamp=stamp(0, attempt=2))

    effects = schedule.handle(settle((0, 0)), 8.0)

    assert effects[0] == s.Hold(on=False)
    assert examples(effects) == [(1, 0, 2), (2, 0, 1)]


def test_an_attempt_that_finds_an_outage_still_on_lets_another_look_later() -> None:
    schedule = Schedule(terms(total=9, max_outage=60.0))
    schedule.begin(0.0)
    schedule.handle(failed(0), 1.0)
    schedule.handle(failed(1), 1.0)
    schedule.handle(s.Tick(), 6.0)

    assert schedule.handle(failed(0, attempt=2), 7.0) == [s.WakeAt(at=12.0)]
    assert schedule.handle(s.Tick(), 12.0)[0] == s.LetThrough(stamp=stamp(1, 2))


def test_an_outage_that_lasts_too_long_ends_the_run() -> None:
    schedule = Schedule(terms(max_outage=30.0))
    schedule.begin(0.0)
    schedule.handle(failed(0), 1.0)

    (effect,) = schedule.handle(s.Tick(), 31.0)

    assert isinstance(effect, s.End)
    assert effect.ended.reason == "outage"
    assert effect.ended.outage is not None
    assert effect.ended.outage.what == "openai/m"


def test_a_pause_by_hand_stops_the_clock_of_an_outage() -> None:
    schedule = Schedule(terms(max_outage=30.0))
    schedule.begin(0.0)
    schedule.handle(failed(0), 1.0)
    schedule.handle(s.Pause(), 2.0)

    assert schedule.handle(s.Tick(), 100.0) == []
    assert s.LetThrough(stamp=stamp(0, 2)) in schedule.handle(s.Resume(), 101.0)
    assert schedule.ended is None


def test_a_deadline_that_an_outage_used_up_is_charged_to_nobody() -> None:
    schedule = Schedule(terms(timeout=3.0))
    schedule.begin(0.0)

    effects = schedule.handle(
        s.WorkerLost(stamp=stamp(0), overdue="program", sign=DOWN), 3.0
    )

    assert effects[0] == s.Hold(on=True)
    assert [each.attempt for each, _ in schedule.waiting] == [2]


def test_what_somebody_says_is_away_holds_the_hand_out_until_it_says_otherwise() -> (
    None
):
    schedule = Schedule(terms(total=9))
    schedule.begin(0.0)
    disk = Sign(what="the record", text="the disk is full")

    assert schedule.handle(s.OutageBegan(sign=disk), 1.0) == [s.Hold(on=True)]
    assert schedule.handle(settle((0, 0)), 2.0) == []
    assert examples(schedule.handle(s.OutageEnded(what="the record"), 3.0)) == [
        (2, 0, 1)
    ]


def test_a_retry_waits_for_its_time_and_holds_nobody_up() -> None:
    schedule = Schedule(terms(total=9))
    schedule.begin(0.0)

    effects = schedule.handle(s.CameBack(stamp=stamp(0), wait=8.0), 1.0)

    assert examples(effects) == [(2, 0, 1)]
    assert examples(schedule.handle(settle((1, 0)), 5.0)) == [(3, 0, 1)]
    assert examples(schedule.handle(settle((2, 0)), 9.0)) == [(0, 0, 2)]


def test_a_run_with_nothing_but_a_retry_is_woken_for_it() -> None:
    schedule = Schedule(terms(total=1))
    schedule.begin(0.0)

    assert schedule.handle(s.CameBack(stamp=stamp(0), wait=8.0), 1.0) == [
        s.WakeAt(at=9.0)
    ]
    assert examples(schedule.handle(s.Tick(), 9.0)) == [(0, 0, 2)]


class Model:
    """A run in one thread, whose messages may be lost, late or doubled."""

    def __init__(self, total: int, in_hand: int, trials: int) -> None:
        self.terms = terms(total=total, in_hand=in_hand, trials=trials)
        self.journal = Journal(trials)
        self.open: dict[tuple[int, int], Stamp] = {}
        self.dead: set[Stamp] = set()
        self.back: dict[tuple[int, int], Stamp] = {}
        self.now = 0.0
        self.proposed: list[Outcome] = []
        self.unheard: list[s.Settle] = []
        self.ran: Counter[tuple[int, int]] = Counter()
        self.ended: Ended | None = None
        self.schedule = Schedule(self.terms)
        self.carry_out(self.schedule.begin())

    def carry_out(self, effects: list[s.Effect]) -> None:
        for effect in effects:
            match effect:
                case s.HandOut():
                    assert len(self.open) <= self.terms.in_hand
                    for each in effect.stamps:
                        self.open[each.key] = each
                case s.LetThrough():
                    self.open[effect.stamp.key] = effect.stamp
                case s.Propose():
                    self.propose(effect.stamp, effect.verdict.kind)
                case s.End():
                    assert self.ended is None
                    self.ended = effect.ended

    def propose(self, stamp: Stamp, kind: OutcomeKind = OutcomeKind.SCORED) -> None:
        self.proposed.append(Outcome(stamp=stamp, kind=kind))

    def worker_done(self, choice: int, times: int) -> None:
        alive = [each for each in self.open.values() if each not in self.dead]
        if alive:
            each = alive[choice % len(alive)]
            self.ran[each.key] += 1
            for _ in range(times):
                self.propose(each)

    def worker_killed(self, choice: int, told: bool) -> None:
        alive = [each for each in self.open.values() if each not in self.dead]
        if alive:
            each = alive[choice % len(alive)]
            self.dead.add(each)
            if told:
                self.carry_out(self.schedule.handle(s.WorkerLost(stamp=each), self.now))

    def aggregate(self, told: bool) -> None:
        batch, self.proposed = self.proposed[:4], self.proposed[4:]
        keys = [each.stamp.key for each in batch if self.journal.accept(each)]
        if told and keys:
            self.unheard.append(settle(*keys, tally=self.journal.tally))

    def hear(self, choice: int) -> None:
        if self.unheard:
            event = self.unheard.pop(choice % len(self.unheard))
            for key in event.keys:
                self.open.pop(key, None)
            self.carry_out(self.schedule.handle(event, self.now))

    def came_back(self, choice: int, sign: bool, told: bool) -> None:
        alive = [each for each in self.open.values() if each not in self.dead]
        if alive:
            each = alive[choice % len(alive)]
            self.dead.add(each)
            self.back[each.key] = each
            if told:
                self.send_back(each, sign=sign)

    def send_back(self, each: Stamp, *, sign: bool) -> None:
        event = s.CameBack(stamp=each, sign=DOWN if sign else None)
        self.carry_out(self.schedule.handle(event, self.now))

    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.carry_out(self.schedule.handle(s.Tick(), self.now))

    def coordinator_dies(self) -> None:
        """All that was on its way to it is lost."""
        if self.ended is not None:
            return
        self.unheard.clear()
        settled = self.journal.settled.copy()
        for key in [key for key in self.open if self.journal.has(key)]:
            del self.open[key]
        self.schedule = Schedule(self.terms, settled, self.open.values())
        self.carry_out(self.schedule.begin())
        for each in tuple(self.open.values()):
            if each in self.dead:
                if self.back.get(each.key) == each:
                    self.send_back(each, sign=False)
                else:
                    self.carry_out(
                        self.schedule.handle(s.WorkerLost(stamp=each), self.now)
                    )

    def settle_all(self) -> None:
        """Nothing goes wrong any more."""
        for _ in range(200):
            if self.ended is not None:
                return
            self.time_passes(10)
            self.worker_done(0, 1)
            self.aggregate(told=True)
            self.hear(0)
            if not self.open or set(self.open.values()) <= self.dead:
                self.coordinator_dies()
        raise AssertionError("the run did not end")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("worker_done"), st.integers(0, 9), st.integers(1, 3)),
        st.tuples(st.just("worker_killed"), st.integers(0, 9), st.booleans()),
        st.tuples(
            st.just("came_back"), st.integers(0, 9), st.booleans(), st.booleans()
        ),
        st.tuples(st.just("time_passes"), st.integers(0, 9)),
        st.tuples(st.just("aggregate"), st.booleans()),
        st.tuples(st.just("hear"), st.integers(0, 9)),
        st.tuples(st.just("coordinator_dies")),
    ),
    max_size=60,
)


@given(STEPS, st.integers(1, 8), st.integers(1, 5), st.integers(1, 3))
def test_each_place_gets_one_outcome_whatever_is_lost_doubled_or_late(
    steps: list[tuple[str, ...]], total: int, in_hand: int, trials: int
) -> None:
    model = Model(total, in_hand, trials)

    for name, *arguments in steps:
        getattr(model, name)(*arguments)
    # What the aggregator said last may have been lost.
    model.coordinator_dies()
    model.settle_all()

    assert model.ended == Ended(reason="complete")
    assert sorted(model.journal.outcomes) == [
        (example, trial) for example in range(total) for trial in range(trials)
    ]
    assert model.journal.tally.accepted == total * trials


def test_what_a_dead_coordinator_handed_out_is_never_new_to_the_next() -> None:
    schedule = Schedule(terms(in_hand=4), None, [stamp(0, attempt=2), stamp(1)])

    effects = schedule.handle(s.CameBack(stamp=stamp(0, attempt=2), wait=5.0))

    assert examples(effects) == [(2, 0, 1)]
    assert schedule.waiting == ((stamp(0, attempt=3), 5.0),)
