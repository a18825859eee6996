"""What a run writes into its record, and when: nothing twice, and nothing never."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.call import Fate
from dspex.core.errors import RecordFullError, RunFencedError
from dspex.core.example import Example
from dspex.evaluate.record import intents
from dspex.evaluate.record.codec import decode, encode, encode_row
from dspex.evaluate.record.fingerprint import row_digest
from dspex.evaluate.running.recording import Recording
from tests.unit.evaluate.record.making import (
    created,
    decided,
    fates,
    opened,
    requested,
    row,
    stamp,
)


def move(recording: Recording, request_id: str, fate: Fate) -> None:
    recording.request_moved(requested(request_id, fate).record)


def test_a_request_that_has_ended_is_one_row_with_its_fate(tmp_path: Path) -> None:
    recording = Recording(created(tmp_path))

    recording.attempt_begins(stamp(0), row(0))
    move(recording, "q1", Fate.OPEN)
    move(recording, "q1", Fate.ANSWERED)
    recording.commit([decided(0).outcome])

    assert fates(recording.record) == {"q1": "answered"}
    assert recording.record.example(0) == row(0)
    recording.close("complete", {})


def test_a_run_that_could_not_write_its_end_may_go_on_in_its_process(
    tmp_path: Path,
) -> None:
    recording = Recording(created(tmp_path))
    with recording.record._connection.reading() as connection:
        connection.execute("PRAGMA max_page_count=20")
    large, number = "x" * 4_000, 0
    while recording.commit([decided(number, feedback=large).outcome]):
        number += 1

    recording.close("stopped", {}, [decided(number, feedback=large).outcome])
    again = opened(tmp_path)

    assert isinstance(recording.trouble, RecordFullError)
    assert list(again.settled()) == [(each, 0) for each in range(number)]
    with pytest.raises(RunFencedError):
        recording.record.commit(())


@pytest.mark.parametrize("lines", [1, 3])
def test_requests_under_way_are_lost_when_a_run_ends_and_never_forgotten(
    tmp_path: Path, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that the log is emptied now and then meanwhile.
    monkeypatch.setattr(intents, "FULL_AT", 20 * lines)
    recording = Recording(created(tmp_path))

    for number in range(6):
        recording.attempt_begins(stamp(number), row(number))
        move(recording, f"q{number}", Fate.OPEN)
        if number % 2:
            move(recording, f"q{number}", Fate.ANSWERED)
        recording.commit([decided(number).outcome], whole=number == 2)
    recording.close("stopped", {})

    assert fates(recording.record) == {
        f"q{number}": "answered" if number % 2 else "lost" for number in range(6)
    }
    assert recording.record.totals().attempts == 6


@pytest.mark.parametrize("full_at", [1, 1_000_000])
def test_a_request_announced_behind_the_last_commit_is_known_at_the_end(
    tmp_path: Path, full_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With 1 the commit empties the log, and the last line is in the next file of it.
    monkeypatch.setattr(intents, "FULL_AT", full_at)
    record = created(tmp_path)
    recording = Recording(record)
    move(recording, "told", Fate.OPEN)
    assert recording.commit((), whole=True)
    move(recording, "late", Fate.OPEN)

    # As when it began between the last commit and the end.
    record.close("stopped")

    assert fates(record) == {"told": "lost", "late": "lost"}


def test_whoever_goes_on_after_a_death_knows_of_requests_never_committed(
    tmp_path: Path,
) -> None:
    recording = Recording(created(tmp_path))
    move(recording, "q1", Fate.OPEN)
    recording.commit([decided(0).outcome])
    del recording

    record = opened(tmp_path)

    assert fates(record) == {"q1": "lost"}
    record.close("complete")


FIELDS = st.dictionaries(
    st.one_of(st.text(max_size=3), st.just("$dspex")),
    st.one_of(st.text(max_size=3), st.integers(), st.lists(st.floats(), max_size=2)),
    max_size=4,
)


@given(FIELDS, st.randoms())
def test_one_walk_gives_the_text_of_a_row_and_a_digest_without_order(
    fields: dict[str, Any], chance: Random
) -> None:
    example = Example(**fields).with_inputs(*list(fields)[:1])
    names = list(fields)
    chance.shuffle(names)
    shuffled = Example(**{name: fields[name] for name in names})

    text, ordered = encode_row(example)

    assert text == encode(example)
    assert ordered == encode({name: fields[name] for name in sorted(fields)})
    assert isinstance(decode(text), Example)
    same = shuffled.with_inputs(*list(fields)[:1])
    assert row_digest(same) == row_digest(example)
