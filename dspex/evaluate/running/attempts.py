"""What the coordinator does with attempts: makes them, ends them, speaks for the lost.

Holds no state but the floor's, so that each coordinator has its own and none is lost
with it. Called in the coordinator's thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dspex.core.example import Example
from dspex.evaluate.results.outcome import ErrorNote, Outcome, Stamp
from dspex.evaluate.running.belongings import Belongings
from dspex.evaluate.running.looking import where_is
from dspex.evaluate.running.plan import GivenUp
from dspex.evaluate.running.signs import only_waits, sign_of_waiting
from dspex.evaluate.scheduling.deadlines import Limits, overdue
from dspex.evaluate.scheduling.lost import Verdict
from dspex.evaluate.scheduling.quarantine import Death
from dspex.evaluate.scheduling.steps import Key, WorkerLost
from dspex.evaluate.working.attempt import Attempt
from dspex.evaluate.working.tray import Proposal
from dspex.evaluate.working.worker import spent_by


class Attempts:
    """The attempts of one run, as its coordinator handles them.

    Args:
        belongings: What of the run outlives its coordinators.
    """

    def __init__(self, belongings: Belongings) -> None:
        self._floor = belongings.floor
        self._source = belongings.source
        self._comebacks = belongings.comebacks
        self._standings = belongings.standings
        plan = belongings.plan
        self._limits = Limits(attempt=plan.timeout, metric=plan.metric_timeout)

    def hand_out(self, stamps: Sequence[Stamp], *, frontier: int) -> None:
        """Prepare attempts.

        Args:
            stamps: Which.
            frontier: Examples of a stream before this one are prepared with all their
                trials.
        """
        self._floor.hand_out([self._made(stamp) for stamp in stamps])
        if self._source.is_stream:
            self._source.forget(frontier)

    def let_through(self, stamp: Stamp) -> None:
        """Prepare an attempt that begins also while nothing else does."""
        self._floor.let_through(self._made(stamp))

    def settle(
        self, keys: Iterable[Key], why: str = "its example has an outcome"
    ) -> None:
        """Forget attempts, and give those up that still run.

        Those are needed no more: an earlier attempt was quicker, or enough is known.
        """
        for attempt in self._floor.settle(keys):
            attempt.give_up(why)

    def give_up_late(self, now: float) -> float | None:
        """Give up what is out of time; when to look again, if ever."""
        if self._limits.shortest is None:
            return None
        running = [each for each in self._floor.open_attempts() if each.is_running]
        late, look = overdue(running, self._limits, now)
        standings = self._standings() if late else ()
        for attempt, stage in late:
            attempt.overdue = stage
            # Before it is given up, which ends what it is at.
            attempt.where = where_is(attempt)
            attempt.sign = sign_of_waiting(attempt.stamp, standings)
            attempt.give_up("its time is over")
        return look

    def loss_of(self, stamp: Stamp) -> WorkerLost | None:
        """How an attempt lost its worker; `None` when it did not, or is known."""
        attempt = self._floor.attempt(stamp.key)
        if attempt is None or attempt.stamp != stamp or not attempt.is_lost:
            return None
        return WorkerLost(
            stamp=stamp,
            begun=attempt.begun.names,
            overdue=attempt.overdue,
            sign=attempt.sign,
            deaths=self._deaths_with(attempt),
        )

    def propose(self, stamp: Stamp, verdict: Verdict) -> None:
        """Propose an outcome for an attempt whose worker cannot."""
        floor = self._floor
        attempt = floor.attempt(stamp.key)
        outcome = Outcome(
            stamp=stamp,
            kind=verdict.kind,
            stage=verdict.stage,
            error=ErrorNote(
                stage=verdict.stage,
                type=verdict.kind.value,
                message=verdict.text,
                where="" if attempt is None else attempt.where,
            ),
            latency=0.0 if attempt is None else attempt.seconds,
            evidence=verdict.evidence,
            trace=() if attempt is None else attempt.traced(),
            may_run_again=attempt is None or not attempt.begun,
            **({} if attempt is None else spent_by(attempt)),
        )
        floor.tray.put(Proposal(outcome, is_decided=True))
        # Its place is free once that is accepted.
        floor.tray.press()

    def end_all(self, *, for_an_outage: bool) -> tuple[GivenUp, ...]:
        """End the work for good; what was worked on then.

        Args:
            for_an_outage: Whether that is why; then what only waited for its end was
                not worked on.
        """
        at_work = [each for each in self._floor.close() if each.is_at_work]
        # Before they are given up, which ends their calls.
        standings = self._standings() if for_an_outage else ()
        for attempt in at_work:
            attempt.give_up("the evaluation is over")
        return tuple(
            attempt.as_given_up()
            for attempt in at_work
            if attempt.has_shown or not only_waits(attempt.stamp, standings)
        )

    def _made(self, stamp: Stamp) -> Attempt:
        if stamp.attempt == 1:
            # Nearly all of them: nothing came before.
            return Attempt(stamp, self._source.example(stamp.example), self._floor)
        # Read only: the aggregator changes it in one step.
        latest = self._comebacks.latest.get(stamp.key)
        answered = 0 if latest is None else latest.past.answered
        return Attempt(stamp, self._example(stamp), self._floor, answered=answered)

    def _example(self, stamp: Stamp) -> Example:
        before = self._floor.attempt(stamp.key)
        return self._source.example(stamp.example) if before is None else before.example

    def _deaths_with(self, attempt: Attempt) -> tuple[Death, ...]:
        """How the workers of an example died, with the one that just did."""
        floor, stamp, reason = self._floor, attempt.stamp, attempt.reason
        deaths = floor.deaths.get(stamp.key, ())
        is_known = any(death.attempt == stamp.attempt for death in deaths)
        if reason is not None and attempt.overdue is None and not is_known:
            seconds = floor.clock.monotonic() - attempt.began
            death = Death(attempt=stamp.attempt, reason=reason, seconds=seconds)
            deaths = floor.deaths[stamp.key] = (*deaths, death)
        return deaths
