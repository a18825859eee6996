"""What clients say of their calls tells who waits for an outage to end."""

from __future__ import annotations

import pytest

from dspex.client.standing import CallStanding, ClientStanding, HeldBy
from dspex.evaluate.results.outcome import Stamp
from dspex.evaluate.running.signs import only_waits

MINE = Stamp(run="r", example=3)
OTHER = Stamp(run="r", example=4)


def call(held_by: HeldBy, *, stamp: Stamp = MINE, lost: int = 0) -> CallStanding:
    return CallStanding(tags=stamp.tags(), held_by=held_by, sent=2, lost=lost)


@pytest.mark.parametrize(
    ("calls", "only"),
    [
        ([call(HeldBy.BREAKER)], True),
        ([call(HeldBy.DOUBT)], True),
        ([call(HeldBy.BREAKER), call(HeldBy.ANSWER, stamp=OTHER)], True),
        ([call(HeldBy.BREAKER, lost=1)], False),
        ([call(HeldBy.BREAKER), call(HeldBy.ANSWER)], False),
        ([call(HeldBy.LIMIT)], False),
        ([call(HeldBy.BREAKER, stamp=OTHER)], False),
        ([], False),
    ],
)
def test_an_attempt_only_waits_while_all_its_calls_do_and_none_was_lost(
    calls: list[CallStanding], only: bool
) -> None:
    standing = ClientStanding(label="openai", calls=tuple(calls))

    assert only_waits(MINE, [standing]) is only
