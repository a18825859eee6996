"""Counted once: whatever is proposed, in whatever order and how often."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from dspex.client.call import AttemptRecord, Fate
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp
from dspex.evaluate.running.journal import Journal, RequestLog
from supervisors import Event

PROPOSALS = st.lists(
    st.builds(
        Outcome,
        stamp=st.builds(
            Stamp,
            run=st.just("r"),
            example=st.integers(0, 5),
            attempt=st.integers(1, 3),
        ),
        kind=st.sampled_from(OutcomeKind),
        score=st.floats(0, 1),
    )
)


@given(PROPOSALS)
def test_the_first_outcome_of_an_example_counts_and_no_other(
    proposals: list[Outcome],
) -> None:
    journal = Journal()

    accepted = [outcome for outcome in proposals if journal.accept(outcome)]

    assert [o.stamp.key for o in accepted] == list(
        dict.fromkeys(o.stamp.key for o in proposals)
    )
    assert list(journal.outcomes.values()) == accepted
    assert journal.tally.accepted == len(accepted)
    assert journal.tally.refused == len(proposals) - len(accepted)
    assert journal.tally.scored == sum(o.kind is OutcomeKind.SCORED for o in accepted)


def test_a_request_log_waits_for_the_last_fate_of_its_own_run() -> None:
    log = RequestLog("mine")

    def note(run: str, request_id: str, fate: Fate) -> None:
        record = AttemptRecord(
            request_id=request_id, call_id="c", number=1, fate=fate, tags={"run": run}
        )
        log(Event(name=("attempt",), metadata={"record": record}))

    note("mine", "a", Fate.OPEN)
    note("other", "b", Fate.OPEN)
    assert not log.wait_settled(0)

    threading.Timer(0.01, note, ("mine", "a", Fate.CANCELLED)).start()

    assert log.wait_settled(10)
    assert {key: r.fate for key, r in log.records().items()} == {"a": Fate.CANCELLED}
