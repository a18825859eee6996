"""A run's record: what is committed is there, and the run goes on from it."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from dspex.client.call import Fate
from dspex.core.errors import (
    RecordDamagedError,
    RecordError,
    RecordFullError,
    RecordVersionError,
    RunBusyError,
    RunChangedError,
    RunExistsError,
    RunFencedError,
    RunNotFoundError,
)
from dspex.core.lm import Usage
from dspex.core.prediction import Prediction
from dspex.evaluate.record import intents, sheet
from dspex.evaluate.record.entries import Decided, Noted, OpenOne, Refused, Requested
from dspex.evaluate.record.intents import read_intents
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.results.outcome import ErrorNote, Outcome, OutcomeKind
from dspex.evaluate.working.traced_call import TracedCall
from tests.unit.evaluate.record.making import (
    began,
    created,
    decided,
    fates,
    head,
    intent,
    opened,
    place,
    requested,
    row,
    stamp,
)


def test_what_was_committed_is_read_by_the_next_owner(tmp_path: Path) -> None:
    told = decided(
        1,
        0.5,
        columns={"exact": 0.0, "f1": 0.5},
        feedback="Nearly.",
        usage=Usage(prompt_tokens=3, completion_tokens=4),
        cost=0.25,
        calls=2,
        cached=1,
        latency=1.5,
        first_score=0.25,
    )
    record = created(tmp_path)
    record.commit([began(1), told])
    record.close("interrupted", {"because": "Ctrl-C"})

    again = opened(tmp_path)

    assert again.head == head()
    assert again.outcome(1) == told.outcome
    assert again.outcome(0) is None
    assert again.example(1) == row(1)
    assert again.left is None


def test_a_failure_comes_back_with_its_error(tmp_path: Path) -> None:
    told = decided(
        0,
        kind=OutcomeKind.PROGRAM,
        prediction=None,
        stage="program",
        error=ErrorNote(stage="program", type="KeyError", message="'x'", where="at y"),
        evidence=("worker 1 died", "worker 2 died"),
        may_run_again=False,
    )
    record = created(tmp_path)

    record.commit([began(0), told])

    assert record.outcome(0) == told.outcome


def test_every_field_of_an_outcome_is_kept() -> None:
    note = ErrorNote(stage="metric", type="KeyError", message="'x'", where="at y")
    values: dict[str, Any] = {
        "stamp": replace(stamp(2, 1, 3), configuration=4),
        "kind": OutcomeKind.METRIC,
        "score": 0.5,
        "columns": {"exact": 1.0},
        "lost": {"f1": note},
        "feedback": "Nearly.",
        "prediction": Prediction(answer="b"),
        "error": note,
        "stage": "metric",
        "latency": 0.25,
        "usage": Usage(
            prompt_tokens=1,
            completion_tokens=2,
            cached_tokens=3,
            cache_write_tokens=4,
            reasoning_tokens=5,
        ),
        "cost": 0.125,
        "calls": 3,
        "cached": 2,
        "answers": ("call 1",),
        "first_score": 0.75,
        "evidence": ("worker 1 died",),
        "value": {"demos": [Prediction(answer="c")]},
        "trace": (TracedCall(model="m", messages=(("user", "q"),)),),
        "may_run_again": False,
    }
    outcome = Outcome(**values)
    record = created(None, trials=2)

    record.commit([Decided(outcome=outcome)])

    # A new field of an outcome has to be kept, too.
    assert set(values) == {field.name for field in fields(Outcome)}
    assert record.outcome(2, 1) == outcome


def test_outcomes_come_in_order_with_a_gap_for_each_that_is_missing() -> None:
    record = created(None, trials=2)

    record.commit([decided(2, trial=1), decided(0), decided(0, trial=1)])

    stamps = [each and each.stamp.key for each in record.outcomes()]
    assert stamps == [(0, 0), (0, 1), None, None, None, (2, 1), None, None]
    assert [each is not None for each in record.outcomes(start=1, stop=3)] == [
        True,
        False,
    ]


def test_of_a_stream_outcomes_end_with_the_last_there_is() -> None:
    record = created(None, total=None)

    record.commit([decided(1)])

    assert [each is not None for each in record.outcomes()] == [False, True]


def test_a_final_outcome_is_never_replaced() -> None:
    record = created(None)
    record.commit([decided(0, 1.0)])

    record.commit([decided(0, 0.0, attempt=2)])

    outcome = record.outcome(0)
    assert outcome is not None
    assert outcome.score == 1.0
    assert record.totals().refused == 1


def test_of_two_outcomes_in_one_commit_the_first_counts() -> None:
    record = created(None)

    record.commit([decided(0, 1.0), decided(0, 0.0)])

    outcome = record.outcome(0)
    assert outcome is not None
    assert outcome.score == 1.0
    assert (record.totals().n, record.totals().refused) == (1, 1)


def test_an_outcome_that_is_committed_again_is_not_refused() -> None:
    record = created(None)
    record.commit([decided(0, 1.0), decided(1, kind=OutcomeKind.TIMEOUT)])

    record.commit([decided(0, 1.0), decided(1, kind=OutcomeKind.TIMEOUT)])

    assert (record.totals().n, record.totals().refused) == (2, 0)


def test_an_open_outcome_gives_way_to_the_next_attempt() -> None:
    record = created(None)
    record.commit([began(0), decided(0, kind=OutcomeKind.TIMEOUT)])

    record.commit([began(0, attempt=2), decided(0, 1.0, attempt=2)])

    assert list(record.settled()) == [(0, 0)]
    assert [(each.stamp.attempt, each.fate) for each in record.attempts()] == [
        (1, "timeout"),
        (2, "scored"),
    ]


def test_an_open_outcome_does_not_give_way_to_an_older_attempt() -> None:
    record = created(None)
    record.commit([decided(0, kind=OutcomeKind.TIMEOUT, attempt=2)])

    record.commit([decided(0, 1.0, attempt=1)])

    assert not list(record.settled())
    assert record.totals().refused == 1


def test_what_has_to_run_again_comes_with_the_number_of_its_next_attempt() -> None:
    record = created(None, trials=2)

    record.commit(
        [
            *(began(0), decided(0)),
            *(began(1), decided(1, kind=OutcomeKind.TIMEOUT)),
            *(began(2), began(2, attempt=2)),
            decided(3, kind=OutcomeKind.CANCELLED, attempt=4),
        ]
    )

    assert list(record.open_ones()) == [
        OpenOne(example=1, trial=0, next_attempt=2),
        OpenOne(example=2, trial=0, next_attempt=3),
        OpenOne(example=3, trial=0, next_attempt=5),
    ]


def test_an_open_outcome_that_may_not_run_again_is_settled() -> None:
    record = created(None)

    record.commit([decided(0, kind=OutcomeKind.TIMEOUT, may_run_again=False)])

    assert list(record.settled()) == [(0, 0)]
    assert not list(record.open_ones())


def test_the_last_word_on_a_request_counts_and_an_ended_one_is_not_open_again() -> None:
    record = created(None)

    record.commit([requested("q1", Fate.OPEN), requested("q2", Fate.ANSWERED)])
    record.commit([requested("q1", Fate.FAILED), requested("q2", Fate.OPEN)])

    assert fates(record) == {"q1": "failed", "q2": "answered"}
    assert [each.usage.prompt_tokens for each in record.requests()] == [0, 7]
    assert [each.tags["example"] for each in record.requests()] == [0, 0]


def test_totals_are_those_of_all_outcomes() -> None:
    record = created(None)

    record.commit(
        [
            *(began(number) for number in range(4)),
            decided(0, 0.5, usage=Usage(prompt_tokens=5), calls=2, cached=1, cost=0.5),
            decided(1, 1.0, calls=1, latency=2.0),
            decided(2, kind=OutcomeKind.TIMEOUT),
            Refused(stamp=stamp(1), why="late"),
            requested("q", Fate.OPEN),
        ]
    )

    totals = record.totals()
    assert (totals.n, totals.scored, totals.total, totals.squares) == (3, 2, 1.5, 1.25)
    assert (totals.lowest, totals.highest, totals.latency) == (0.5, 1.0, 2.0)
    assert totals.by_kind == {OutcomeKind.SCORED: 2, OutcomeKind.TIMEOUT: 1}
    assert totals.usage == Usage(prompt_tokens=5)
    assert (totals.cost, totals.unpriced) == (0.5, 1)
    assert (totals.calls, totals.cached) == (3, 1)
    assert (totals.attempts, totals.refused, totals.requests) == (4, 1, 1)


def test_totals_of_nothing_are_zero() -> None:
    totals = created(None).totals()

    assert (totals.n, totals.total, totals.lowest, totals.cost) == (0, 0.0, None, None)


def test_notes_come_back_in_order() -> None:
    record = created(None)
    notes = [
        Noted(kind="pause", facts={"why": "outage"}, at=1.0),
        Noted(kind="resume", facts={}, at=2.0),
    ]

    record.commit(notes)

    assert record.notes() == notes


def test_a_row_that_is_another_is_named() -> None:
    record = created(None)
    record.commit([began(1)])

    record.check_row(0, "anything")
    record.check_row(1, "d1")
    with pytest.raises(RunChangedError, match="row 1 of the data set") as caught:
        record.check_row(1, "another")

    assert caught.value.changes == ("row 1 of the data set",)


def test_a_new_run_may_not_have_the_name_of_an_old_one(tmp_path: Path) -> None:
    created(tmp_path).close("complete")

    with pytest.raises(RunExistsError, match="'tuning'"):
        created(tmp_path)


def test_a_record_on_a_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/export {tmp_path.resolve()} nfs4 rw 0 0\n")
    monkeypatch.setattr("dspex.cache.files._MOUNTS", mounts)

    with pytest.raises(RecordError, match="on a disk of this machine"):
        created(tmp_path)

    assert not (tmp_path / "runs" / "tuning.sqlite").exists()


def test_a_run_nobody_knows_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError):
        opened(tmp_path)

    assert not list(tmp_path.iterdir())


def test_a_file_without_tables_is_no_run_and_may_become_one(tmp_path: Path) -> None:
    created(tmp_path / "other").close("complete")
    path = place(tmp_path).path
    assert path is not None
    path.parent.mkdir(mode=0o700)
    path.touch(0o600)

    with pytest.raises(RunNotFoundError):
        opened(tmp_path)

    assert created(tmp_path).totals().n == 0


def test_a_second_owner_in_the_same_process_is_told(tmp_path: Path) -> None:
    first = created(tmp_path)

    with pytest.raises(RunBusyError) as caught:
        opened(tmp_path)

    first.close("complete")
    assert (caught.value.pid, caught.value.host) == (os.getpid(), socket.gethostname())
    assert opened(tmp_path).living_owner is not None


@pytest.mark.parametrize("jump", [-3_600.0, 3_600.0])
def test_an_owner_is_seen_also_when_the_wall_clock_jumps(jump: float) -> None:
    now = 1_000_000.0
    record = RunRecord.create(
        RunPlace(run="r", home=None), head(), wall_clock=lambda: now
    )

    now += jump
    record.beat()

    assert record.owner is not None
    assert record.owner.beat == now


def test_an_owner_that_was_collected_owns_nothing(tmp_path: Path) -> None:
    record = created(tmp_path)
    record.commit([decided(0)])

    del record

    assert opened(tmp_path).totals().n == 1


def test_a_reader_does_not_disturb_the_owner_and_sees_each_commit(
    tmp_path: Path,
) -> None:
    record = created(tmp_path)
    reader = RunRecord.open(place(tmp_path), owner=False)

    record.commit([began(0), decided(0)])

    assert reader.totals().n == 1
    assert reader.living_owner is not None
    with pytest.raises(RunFencedError):
        reader.commit([decided(1)])


def test_a_closed_record_is_read_and_not_written(tmp_path: Path) -> None:
    record = created(tmp_path)
    record.commit([decided(0)])

    record.close("complete", {"rows": 1})

    assert record.totals().n == 1
    assert record.left is not None
    assert (record.left.status, record.left.facts) == ("complete", {"rows": 1})
    assert record.owner is None
    with pytest.raises(RunFencedError):
        record.commit([decided(1)])


def test_a_request_that_was_announced_and_never_heard_of_is_lost(
    tmp_path: Path,
) -> None:
    record = created(tmp_path)
    record.announce(intent(None, 2))
    for name in ("q1", "q2", "q3"):
        record.announce(intent(name, 2))
    record.commit([requested("q1", Fate.ANSWERED, 2), requested("q2", Fate.OPEN, 2)])
    del record

    again = opened(tmp_path)

    assert fates(again) == {"q1": "answered", "q2": "lost", "q3": "lost"}
    assert [each.tags["example"] for each in again.requests()] == [2, 2, 2]
    assert [(each.stamp.key, each.fate) for each in again.attempts()] == [
        ((2, 0), "lost")
    ]
    assert list(again.open_ones()) == [OpenOne(example=2, trial=0, next_attempt=2)]


def test_a_half_written_line_of_intents_is_left_out(tmp_path: Path) -> None:
    record = created(tmp_path)
    record.announce(intent("q1"))
    log = place(tmp_path).log(1)
    assert log is not None
    with log.open("ab") as file:
        file.write(b"nonsense\n3\t0\t1\t1\t1\tq2")
    del record

    assert fates(opened(tmp_path)) == {"q1": "lost"}


def test_a_line_that_no_room_is_left_for_says_so_and_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet, "SMALLEST", 64)
    record = created(tmp_path)
    record.announce(intent("q1"))

    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", _no_room)
        with pytest.raises(RecordFullError):
            for number in range(10):
                record.announce(intent(f"lost{number}" * 5))
    record.announce(intent("q2"))
    del record

    found = fates(opened(tmp_path))
    assert {found["q1"], found["q2"]} == {"lost"}
    assert len(found) < 10


def test_a_long_log_of_intents_is_moved_to_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intents, "FULL_AT", 1_000)
    record = created(tmp_path)
    many = 100
    for number in range(many):
        record.announce(intent(f"q{number}"))

    record.commit([])

    assert record.totals().requests == many
    log = place(tmp_path).log(1)
    assert log is not None
    with log.open("rb") as lines:
        assert list(read_intents(lines, "tuning")) == []


def test_a_log_that_was_taken_and_not_moved_yet_is_not_lost(tmp_path: Path) -> None:
    record = created(tmp_path)
    record.announce(intent("q1"))
    record._log.take()
    record.announce(intent("q2"))
    del record

    again = opened(tmp_path)

    assert fates(again) == {"q1": "lost", "q2": "lost"}
    again.close("complete")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["tuning.sqlite"]


def test_a_log_that_lies_aside_is_not_overwritten_by_the_next(tmp_path: Path) -> None:
    record = created(tmp_path)
    record.announce(intent("q1"))
    record._log.take()
    record.announce(intent("q2"))

    record._log.take()
    del record

    assert fates(opened(tmp_path)) == {"q1": "lost", "q2": "lost"}


def test_of_two_that_take_over_the_second_is_told_though_the_logs_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = created(tmp_path)
    seen = place(tmp_path).logs()
    del record
    winner = opened(tmp_path)

    # The other one had looked for the logs before the winner took them.
    monkeypatch.setattr(RunPlace, "logs", lambda _place: seen)
    with pytest.raises(RunBusyError):
        opened(tmp_path)

    monkeypatch.undo()
    winner.close("complete")


def test_a_log_that_is_deleted_while_its_record_is_closed_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = created(tmp_path)
    record.commit([decided(0)])
    seen = place(tmp_path).logs()
    for path in seen:
        path.unlink()

    # It was there when the logs were looked for.
    monkeypatch.setattr(RunPlace, "logs", lambda _place: seen)
    record.close("complete")

    assert len(seen) == 1
    assert opened(tmp_path).totals().n == 1


def test_where_there_is_no_room_for_an_empty_log_the_full_one_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intents, "FULL_AT", 10)
    record = created(tmp_path)
    record.announce(intent("q1"))

    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", _no_room)
        record.commit([decided(0)])
    record.announce(intent("q2"))
    record.commit([decided(1)])

    assert fates(record) == {"q1": "open", "q2": "open"}
    assert record.totals().n == 2


def _no_room(_handle: int, _begin: int, _size: int) -> None:
    raise OSError(errno.ENOSPC, "no space left on device")


def test_a_frozen_owner_finds_that_it_may_begin_nothing(tmp_path: Path) -> None:
    frozen = created(tmp_path)
    frozen.announce(intent("q1"))
    # It was not seen for a minute, and its process is another one.
    pretend_elsewhere(frozen)
    later = RunRecord.open(
        place(tmp_path), owner=True, wall_clock=lambda: time.time() + 60.0
    )

    with pytest.raises(RunFencedError):
        frozen.announce(intent("q2"))
    with pytest.raises(RunFencedError):
        frozen.commit([decided(0, 0.0)])
    with pytest.raises(RunFencedError):
        frozen.close("complete")

    later.commit([decided(0, 1.0)])
    assert later.totals().total == 1.0
    assert fates(later) == {"q1": "lost"}


def pretend_elsewhere(record: RunRecord) -> None:
    with record._connection.transaction() as connection:
        connection.execute(
            """UPDATE owner SET owner = json_set(owner, '$.world', 'elsewhere')"""
        )


def test_files_are_for_their_user_only(tmp_path: Path) -> None:
    record = created(tmp_path)
    record.announce(intent("q"))
    record.commit([decided(0)])

    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "runs").iterdir()
    }

    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "runs").stat().st_mode) == 0o700


def test_nothing_but_the_record_is_left_when_it_is_closed(tmp_path: Path) -> None:
    record = created(tmp_path)
    record.announce(intent("q"))

    record.close("complete")

    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["tuning.sqlite"]


def test_a_file_of_something_else_is_damaged(tmp_path: Path) -> None:
    path = place(tmp_path).path
    assert path is not None
    path.parent.mkdir(mode=0o700, parents=True)
    path.write_bytes(b"no database at all" * 1_000)
    path.chmod(0o600)

    with pytest.raises(RecordDamagedError, match="move the file away") as caught:
        opened(tmp_path)

    assert caught.value.path == path


def test_an_outcome_that_was_changed_on_the_disk_is_damaged(tmp_path: Path) -> None:
    record = created(tmp_path)
    record.commit([decided(0, 0.0), decided(1, 0.0)])
    with record._connection.transaction() as connection:
        connection.execute("UPDATE outcomes SET score = 1.0 WHERE number = 1")

    assert record.outcome(0) is not None
    with pytest.raises(RecordDamagedError, match="example 1"):
        record.outcome(1)


def test_a_record_of_a_newer_dspex_is_not_touched(tmp_path: Path) -> None:
    record = created(tmp_path)
    with record._connection.reading() as connection:
        connection.execute("PRAGMA user_version=9")
    record._connection.close()

    with pytest.raises(RecordVersionError, match="version 9") as caught:
        RunRecord.open(place(tmp_path), owner=False)

    assert (caught.value.version, caught.value.known) == (9, 1)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-x", "x" * 101, "a b"])
def test_a_name_that_is_none_of_a_file_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a run"):
        RunPlace(run=name, home=None)


def test_a_request_comes_back_with_its_price_and_its_seconds() -> None:
    record = created(None)
    opened = requested("q1", Fate.OPEN).record
    ended = replace(opened, fate=Fate.FAILED, cost=0.25, seconds=1.5)

    record.commit([Requested(record=opened)])
    record.commit([Requested(record=ended)])

    assert list(record.requests()) == [ended]


def test_what_its_owners_took_is_added_up(tmp_path: Path) -> None:
    clock = iter(range(100, 10_000, 30)).__next__
    first = RunRecord.create(place(tmp_path), head(), wall_clock=clock)
    first.close("interrupted", {"seconds": 2.5, "restarts": 1})
    second = RunRecord.open(place(tmp_path), owner=True, wall_clock=clock)
    before = second.worked_before
    second.close("complete", {"seconds": 4.0, "restarts": 2})

    worked = RunRecord.open(place(tmp_path), owner=False).worked

    assert (before.seconds, before.restarts) == (2.5, 1)
    assert (worked.seconds, worked.restarts) == (6.5, 3)


def test_an_owner_that_was_killed_took_the_time_it_was_seen_alive(
    tmp_path: Path,
) -> None:
    now = [100.0]
    first = RunRecord.create(place(tmp_path), head(), wall_clock=lambda: now[0])
    now[0] = 107.0
    first.beat()
    first._disown()
    now[0] = 900.0

    second = RunRecord.open(place(tmp_path), owner=True, wall_clock=lambda: now[0])

    assert second.worked_before.seconds == 7.0
