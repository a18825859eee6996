"""What follows from the end of a request: an answer, another attempt, or an error.

This is the one retry loop of dspex. Nothing above or below it sends a request again,
except that the transport writes once more what a stale connection swallowed.
"""

from __future__ import annotations

from dspex.client import retry
from dspex.client.call import Fate
from dspex.client.desk import Desk
from dspex.client.gate import GateState, Verdict, verdict_of
from dspex.client.ledger import Lane, OpenAttempt, OpenCall, Refusal
from dspex.client.wire import Sent, Standing
from dspex.core.errors import (
    LMAuthError,
    LMBillingError,
    LMCancelledError,
    LMConnectionError,
    LMError,
    LMRateLimitError,
    LMStreamError,
    LMTimeoutError,
)
from dspex.core.lm import Reply, Usage

MAX_RESTARTS = 20
"""How often one call may be lost to our own restarts before it fails."""
RESTART_PAUSE = 0.2
"""Seconds before a call is sent again to a local server that just broke off."""
REFUSED_FOR = 10.0
"""Seconds for which a refused key or account refuses the calls that come after."""

_NOT_BILLED = Usage()


class Judge:
    """Books what the wire reports and decides what comes next.

    Args:
        desk: The calls.
        has_fresh_keys: Whether a refused key may be replaced by asking for another.
    """

    def __init__(self, desk: Desk, *, has_fresh_keys: bool = False) -> None:
        self._desk = desk
        self._ledger = desk.ledger
        self._outside = desk.outside
        self._has_fresh_keys = has_fresh_keys

    def book(self, sent: Sent) -> None:
        """Take an outcome from the wire, which keeps it until then."""
        call_id = self._ledger.by_attempt.get(sent.request_id)
        if call_id is not None:
            entry = self._ledger.calls[call_id]
            if sent.facts.limits is not None:
                now = self._outside.now()
                entry.lane.limiter.learn(sent.request_id, sent.facts.limits, now)
            self._judge(entry, sent)
        self._outside.taken(sent.request_id)

    def reconcile(self, standing: Standing) -> None:
        """What we think is out and the wire does not have was lost with an old wire."""
        for call_id in tuple(self._ledger.by_attempt.values()):
            entry = self._ledger.calls[call_id]
            attempt = entry.attempt
            if attempt is None or attempt.number > standing.up_to:
                continue
            if attempt.request_id not in standing.open:
                self._lost(entry)

    def refuse(self, lane: Lane, entry: OpenCall) -> bool:
        """End a new call at once while the account is known to be refused."""
        refusal = lane.refusal
        if refusal is None:
            return False
        if self._outside.now() >= refusal.until:
            lane.refusal = None
            return False
        self._desk.finish(entry, refusal.error)
        return True

    def _judge(self, entry: OpenCall, sent: Sent) -> None:
        outcome = sent.outcome
        if isinstance(outcome, Reply):
            self._ledger.proven = True
            self._desk.returned(
                entry,
                Fate.ANSWERED,
                Verdict.SUCCESS,
                usage=outcome.usage,
                sends=sent.facts.sends,
            )
            self._desk.finish(entry, outcome, latency=sent.facts.latency)
        elif self._broken_by_server(outcome):
            self._lost(entry)
        else:
            self._failed(entry, _as_told(entry, outcome), sent)

    def _failed(self, entry: OpenCall, error: LMError, sent: Sent) -> None:
        verdict = verdict_of(error)
        # A stream whose reader has left is broken off by ourselves.
        is_unwanted = isinstance(error, LMCancelledError)
        attempt = self._desk.returned(
            entry,
            Fate.CANCELLED if is_unwanted else Fate.FAILED,
            verdict,
            usage=_billed(error, sent.facts.sends),
            error=error,
            sends=sent.facts.sends,
        )
        if verdict is Verdict.FAILURE:
            entry.lane.last_error = error
            error.in_doubt = entry.lane.caution.may_be_down_since(attempt.number)
        match error:
            case LMCancelledError() | LMStreamError():
                # Those who share the call have read nothing, and ask for themselves.
                self._desk.abandon(entry, error)
            case LMAuthError() if self._may_have_another_key(entry, sent):
                entry.stale_key = sent.facts.key_number
                self._ledger.requeue(entry)
            case LMAuthError() | LMBillingError() if not self._is_for_one(error):
                self._account_refused(entry, error)
            case _:
                self._ledger.proven |= error.status is not None
                self._decide(entry, error, attempt, verdict)

    def _decide(
        self, entry: OpenCall, error: LMError, attempt: OpenAttempt, verdict: Verdict
    ) -> None:
        is_failed_probe = attempt.permit.is_probe and verdict is Verdict.FAILURE
        if is_failed_probe and error.retryable:
            # Sent to see whether the provider is back; that is not its fault.
            self._ledger.requeue(entry)
            return
        decision = self._decision(entry, error, self._outside.now())
        match decision:
            case retry.GiveUp():
                self._desk.finish(entry, decision.error)
            case retry.RetryIn(seconds=0.0):
                self._ledger.requeue(entry)
            case retry.RetryIn():
                self._desk.back_off(entry, decision.seconds)

    def _decision(
        self, entry: OpenCall, error: LMError, now: float
    ) -> retry.RetryIn | retry.GiveUp:
        """Charge the call with a failed attempt, and decide what follows."""
        call, budget = entry.call, entry.lane.retry_budget
        if isinstance(error, LMRateLimitError):
            return retry.decide_refused(
                error, entry.throttled, call.retries, now, call.deadline
            )
        entry.charged += 1
        # Behind an open breaker a retry is no further load, however many there are.
        is_parked = entry.lane.gate.state(now) is not GateState.CLOSED
        decision = retry.decide(
            error,
            entry.charged,
            call.retries,
            now,
            call.deadline,
            self._outside.jitter(),
            may_retry=is_parked or budget.may_retry(now),
        )
        if isinstance(decision, retry.RetryIn) and not is_parked:
            budget.retried(now)
        return decision

    def _account_refused(self, entry: OpenCall, error: LMError) -> None:
        """Nobody else need ask: end all that waits for the same account and model."""
        lane = entry.lane
        self._ledger.proven = False
        lane.refusal = Refusal(error, self._outside.now() + REFUSED_FOR)
        self._desk.finish(entry, error)
        while (call_id := lane.queue.peek()) is not None:
            self._desk.finish(self._ledger.calls[call_id], error)

    def _is_for_one(self, error: LMError) -> bool:
        """Whether a refusal is about one request, and not about the account.

        A key that was taken before and is now forbidden something asked for what it may
        not have: what a moderation flags, or a region, is 403 with some providers. One
        such prompt must not end the calls of everybody else.
        """
        return error.status == 403 and self._ledger.proven

    def _may_have_another_key(self, entry: OpenCall, sent: Sent) -> bool:
        return (
            self._has_fresh_keys and entry.stale_key == 0 and sent.facts.key_number > 0
        )

    def _lost(self, entry: OpenCall) -> None:
        """A request was lost to a restart of ours: send again, charged to nobody."""
        self._desk.returned(entry, Fate.RESTARTED, Verdict.NEUTRAL)
        channel, label = entry.call.channel, self._desk.label
        entry.restarts += 1
        if channel is not None and channel.began:
            text = (
                "the stream broke because a part of dspex was restarted; what came "
                "until then is in `.text`. Ask again for the whole."
            )
            error: LMError = LMStreamError(text, text=channel.text, model=label)
            self._desk.abandon(entry, error)
        elif entry.restarts > MAX_RESTARTS:
            text = (
                f"the call was lost {entry.restarts} times to restarts of dspex's own "
                "parts or of the local model server; see the log for why they restart."
            )
            self._desk.finish(entry, LMConnectionError(text, model=label))
        elif self._ledger.needs_server:
            self._desk.back_off(entry, RESTART_PAUSE)
        else:
            self._ledger.requeue(entry)

    def _broken_by_server(self, outcome: LMError) -> bool:
        return self._ledger.needs_server and isinstance(outcome, LMConnectionError)


def _as_told(entry: OpenCall, error: LMError) -> LMError:
    """An error, as it is after a part of the answer was read, if one was."""
    channel = entry.call.channel
    return error if channel is None else channel.as_told(error)


def _billed(error: LMError, sends: int) -> Usage | None:
    """What a failed request cost; `None` when the provider may have billed it."""
    if sends == 0 or not error.was_sent:
        return _NOT_BILLED
    unknown = isinstance(error, LMTimeoutError | LMConnectionError | LMStreamError)
    is_refused = error.status is not None and not 200 <= error.status < 300
    return None if unknown or not is_refused else _NOT_BILLED
