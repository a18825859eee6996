"""Where a client's calls are opened, booked and ended: what all its decisions share."""

from __future__ import annotations

import copy
from collections import OrderedDict

from dspex.client.call import Fate
from dspex.client.gate import Permit, Verdict
from dspex.client.ledger import Ledger, OpenAttempt, OpenCall, Stage
from dspex.client.messages import CheckIdle, Outcome, TryAgain
from dspex.client.outside import Outside
from dspex.client.prices import cost_of
from dspex.core.errors import (
    BudgetExceededError,
    LMAuthError,
    LMBillingError,
    LMError,
    LMRateLimitError,
)
from dspex.core.lm import Usage

_NOTHING = Usage()
_ITS_CALLERS_OWN = (LMAuthError, LMBillingError, BudgetExceededError)
"""What is said of one caller's key, account or budget. Another who asks the same may
have a better one, so it goes on by itself."""


class Desk:
    """The calls of one branch and who waits for them.

    Who waits is known to one incarnation of the client only; all else is in the ledger.

    Args:
        ledger: The branch's memory.
        outside: What can be done to the world.
        label: The provider as errors name it.
    """

    def __init__(self, ledger: Ledger, outside: Outside, label: str) -> None:
        self.ledger = ledger
        self.outside = outside
        self.label = label
        self.waiters: dict[str, OrderedDict[str, None]] = {}
        """Names of the callers of each open call, the longest waiting first."""

    # Who waits.

    def join(self, call_id: str, waiter: str) -> None:
        """Note that a caller waits for a call."""
        self.waiters.setdefault(call_id, OrderedDict())[waiter] = None

    def is_waited_for(self, call_id: str) -> bool:
        """Whether anybody of this incarnation wants the answer."""
        return bool(self.waiters.get(call_id))

    def leave(self, call_id: str, waiter: str) -> bool:
        """Note that a caller waits no more; whether it did until now."""
        waiters = self.waiters.get(call_id, OrderedDict())
        if waiter not in waiters:
            return False
        del waiters[waiter]
        if not waiters:
            del self.waiters[call_id]
        return True

    # How a call ends.

    def finish(
        self, entry: OpenCall, outcome: Outcome, *, latency: float = 0.0
    ) -> None:
        """Give a call its outcome, and that to all who wait for it."""
        if isinstance(outcome, _ITS_CALLERS_OWN):
            self.abandon(entry, outcome)
            return
        call, ledger = entry.call, self.ledger
        self._close(entry)
        if isinstance(outcome, LMError):
            outcome.attempts = entry.sent
            outcome.lane = (self.label, entry.lane.model)
            if isinstance(outcome, LMRateLimitError):
                asked, most = outcome.retry_after, call.retries.longest_retry_after
                outcome.puts_off = asked is not None and asked > most
        else:
            outcome = outcome.with_changes(
                attempts=entry.sent,
                latency=latency,
                cost=self._cost(entry, outcome.usage),
            )
        if call.cacheable:
            self.outside.settle(call.id, outcome)
        paid = False
        for waiter in self.waiters.pop(call.id, ()):
            paid = (
                self.outside.answer(call.id, waiter, shared(outcome, paid=paid)) or paid
            )
        ledger.keep(call.id, outcome, paid=paid)

    def drop(self, entry: OpenCall) -> None:
        """End a call that nobody wants. That is no outcome: who wants it asks anew."""
        self.waiters.pop(entry.call.id, None)
        if entry.stage is Stage.IN_FLIGHT:
            self.break_off(entry)
        self._close(entry)

    def abandon(self, entry: OpenCall, error: LMError) -> None:
        """End a call by an error that is no outcome for anybody who shares it."""
        self._close(entry)
        error.attempts = entry.sent
        for waiter in self.waiters.pop(entry.call.id, ()):
            self.outside.answer(entry.call.id, waiter, shared(error, paid=False))

    def back_off(self, entry: OpenCall, seconds: float) -> None:
        """Let a call pause."""
        entry.stage = Stage.BACKING_OFF
        entry.not_before = self.outside.now() + seconds
        self.outside.remind(seconds, TryAgain(call_id=entry.call.id))

    def watch_idle(self) -> None:
        """Have somebody look, after a while, whether the local server may sleep."""
        if self.ledger.needs_server:
            self.outside.remind(self.ledger.options.idle_after, CheckIdle())

    def _close(self, entry: OpenCall) -> None:
        self.ledger.close(entry, self.outside.now())
        if not self.ledger.calls:
            self.watch_idle()

    # Its requests.

    def returned(
        self,
        entry: OpenCall,
        fate: Fate,
        verdict: Verdict,
        *,
        usage: Usage | None = None,
        error: LMError | None = None,
        sends: int = 1,
    ) -> OpenAttempt:
        """Book that a request of a call is out no more.

        Args:
            entry: The call.
            fate: What became of the request.
            verdict: What that tells the breaker.
            usage: What it cost; `None` when it may have been billed and nobody knows.
            error: How it failed, for the record.
            sends: How often it was written.
        """
        attempt = self.ledger.returned(entry)
        now = self.outside.now()
        request_id, lane = attempt.request_id, entry.lane
        lane.hear(attempt, verdict, now)
        if isinstance(error, LMRateLimitError):
            retry_after = error.retry_after
            is_news = lane.limiter.refused(request_id, now, retry_after=retry_after)
            if is_news or not entry.throttled:
                entry.throttled += 1
        else:
            tokens = None if usage is None else usage.total_tokens
            lane.limiter.settle(request_id, now, tokens=tokens)
        dollars = None if usage is None else self._cost(entry, usage)
        for budget in entry.call.budgets:
            budget.settle(request_id, usage=usage, dollars=dollars)
        self._note(entry, attempt, fate, usage=usage, error=error, sends=sends)
        return attempt

    def not_written(self, entry: OpenCall) -> None:
        """Book that the wire was not there to take a request."""
        attempt = self.ledger.returned(entry)
        self.give_back(entry, attempt.request_id, attempt.permit)
        self._note(entry, attempt, Fate.RESTARTED, sends=0)
        entry.sent -= 1

    def give_back(self, entry: OpenCall, request_id: str, permit: Permit) -> None:
        """Give back what was taken for a request that was never written."""
        now = self.outside.now()
        entry.lane.gate.record(permit, Verdict.NEUTRAL, now)
        entry.lane.limiter.release(request_id, now)
        for budget in entry.call.budgets:
            budget.release(request_id)

    def opened(self, entry: OpenCall, attempt: OpenAttempt) -> None:
        """Book that a request of a call is out."""
        self.ledger.send(entry, attempt)
        self._note(entry, attempt, Fate.OPEN)

    def break_off(self, entry: OpenCall) -> None:
        """Break off the request of a call that is out."""
        attempt = self.returned(entry, Fate.CANCELLED, Verdict.NEUTRAL)
        self.outside.break_off(attempt.request_id)

    def _cost(self, entry: OpenCall, usage: Usage) -> float | None:
        price = entry.call.price
        return None if price is None else cost_of(usage, price)

    def _note(
        self,
        entry: OpenCall,
        attempt: OpenAttempt,
        fate: Fate,
        *,
        usage: Usage | None = None,
        error: LMError | None = None,
        sends: int = 1,
    ) -> None:
        if self.outside.keeps_books():
            seconds = self.outside.now() - attempt.started
            record = entry.record(
                attempt,
                fate,
                usage=usage,
                error=error,
                sends=sends,
                seconds=0.0 if fate is Fate.OPEN else seconds,
            )
            self.outside.note(record, seconds, entry.call, error)


def shared(outcome: Outcome, *, paid: bool) -> Outcome:
    """An outcome as one caller gets it.

    Args:
        outcome: Of the call.
        paid: Whether another caller pays, so that sums over replies are right.
    """
    if isinstance(outcome, LMError):
        # A copy: raising an error ties it to the frames of whoever raises it.
        twin = copy.copy(outcome)
        twin.__cause__ = outcome.__cause__
        return twin
    if not paid:
        return outcome
    return outcome.with_changes(cached=True, attempts=0, usage=_NOTHING, cost=0.0)
