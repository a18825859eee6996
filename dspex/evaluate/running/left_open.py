"""What is said of examples that were in hand when a run ended before all was done.

They were begun, so they are not `not begun`; they came to nothing, so nothing is
charged to them: each has an open outcome, and a run that goes on takes it up again as
its next attempt. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from dspex.core.spending import Spent
from dspex.evaluate.results.outcome import ErrorNote, Outcome, OutcomeKind
from dspex.evaluate.running.comebacks import Comeback
from dspex.evaluate.running.plan import Ended, GivenUp
from dspex.evaluate.working.attempt import Attempt
from dspex.evaluate.working.worker import as_fields

Key = tuple[int, int]
"""An example and its trial."""

_WHY: Mapping[str, str] = {
    "time": "the time of the whole evaluation (total_timeout) was over",
    "cancelled": "the evaluation was interrupted, stopped or cancelled",
}
"""How runs end that are not ended by one of their examples."""

_ANY_OTHER = "the evaluation ended early"


def given_up_among(
    attempts: Iterable[Attempt], comebacks: Mapping[Key, Comeback]
) -> tuple[GivenUp, ...]:
    """Return those that workers had taken, when nobody could end them in order.

    Args:
        attempts: What was in hand.
        comebacks: The latest attempts of examples that were to be tried again, whose
            outcomes say more.
    """
    sent_back = {comeback.outcome.stamp for comeback in comebacks.values()}
    return tuple(
        attempt.as_given_up()
        for attempt in attempts
        if attempt.is_taken and attempt.stamp not in sent_back
    )


def left_open(ended: Ended, comebacks: Mapping[Key, Comeback]) -> dict[Key, Outcome]:
    """Return an open outcome for each example that was in hand at the end.

    Args:
        ended: How the run ended.
        comebacks: The latest attempts of examples that were to be tried again.

    Returns:
        By example and trial. What waited for its next attempt keeps the open outcome of
        its last one.
    """
    if ended.reason in ("complete", "enough"):
        return {}
    return dict(_left_open(ended, comebacks))


def _left_open(
    ended: Ended, comebacks: Mapping[Key, Comeback]
) -> Iterator[tuple[Key, Outcome]]:
    for key, comeback in comebacks.items():
        last = comeback.outcome
        if last.kind.is_final:
            # It had an answer and was to have another: neither of them counts yet.
            last = _outcome(
                GivenUp(
                    stamp=last.stamp,
                    latency=last.latency,
                    spent=Spent(
                        last.usage, last.cost, last.calls, last.cached, last.answers
                    ),
                ),
                ended,
                "before it was tried again",
            )
        yield key, last
    for attempt in ended.given_up:
        yield attempt.stamp.key, _outcome(attempt, ended, "while it was worked on")


def _outcome(attempt: GivenUp, ended: Ended, when: str) -> Outcome:
    is_late = ended.reason == "time"
    kind = OutcomeKind.TIMEOUT if is_late else OutcomeKind.CANCELLED
    text = (
        f"{_WHY.get(ended.reason, _ANY_OTHER)} {when}, so nothing was measured. "
        "Go on with the run to have it measured."
    )
    return Outcome(
        stamp=attempt.stamp,
        kind=kind,
        stage=attempt.stage,
        error=ErrorNote(stage=attempt.stage, type=kind.value, message=text, where=""),
        latency=attempt.latency,
        may_run_again=attempt.may_run_again,
        **as_fields(attempt.spent, attempt.stamp),
    )
