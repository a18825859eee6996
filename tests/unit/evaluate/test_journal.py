"""Counted once: whatever is proposed, in whatever order and how often."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dspex.evaluate.journal import Journal
from dspex.evaluate.outcome import Outcome, OutcomeKind, Stamp

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
