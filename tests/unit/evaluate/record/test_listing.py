"""The runs there are: listed, deleted, and gone after 90 days."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import dspex
from dspex.core import defaults
from dspex.core.errors import RunBusyError, RunNotFoundError
from dspex.evaluate.record.listing import delete_run
from dspex.evaluate.record.place import RunPlace
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.record.retention import forget_old_runs
from dspex.evaluate.results.outcome import OutcomeKind
from tests.unit.evaluate.record.making import created, decided, head, intent, place


def recorded(home: Path, run: str) -> RunRecord:
    return RunRecord.create(RunPlace(run=run, home=home), head(run=run))


def states(home: Path) -> dict[str, str]:
    return {each.run: each.state for each in dspex.runs(home)}


def test_where_there_is_no_run_none_is_listed(tmp_path: Path) -> None:
    assert dspex.runs(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_runs_are_listed_with_how_they_stand(tmp_path: Path) -> None:
    recorded(tmp_path, "done").close("complete")
    recorded(tmp_path, "broken-off").close("interrupted")
    running = recorded(tmp_path, "running")
    killed = recorded(tmp_path, "killed")
    del killed

    assert states(tmp_path) == {
        "done": "complete",
        "broken-off": "interrupted",
        "running": "running",
        "killed": "killed",
    }
    running.close("complete")


def test_the_run_that_was_written_last_comes_first(tmp_path: Path) -> None:
    for age, run in enumerate(("a", "b", "c")):
        recorded(tmp_path, run).close("complete")
        written = time.time() - age * 60
        os.utime(tmp_path / "runs" / f"{run}.sqlite", (written, written))

    assert [each.run for each in dspex.runs(tmp_path)] == ["a", "b", "c"]


def test_a_run_is_listed_with_what_it_came_to(tmp_path: Path) -> None:
    record = created(tmp_path)
    record.commit([decided(0, 1.0), decided(1, 0.5)])
    record.commit([decided(2, kind=OutcomeKind.TIMEOUT)])
    record.close("stopped")

    (summary,) = dspex.runs(tmp_path)

    assert summary.head == head()
    assert summary.totals is not None
    assert (summary.totals.n, summary.score) == (3, 37.5)
    assert summary.path == place(tmp_path).path
    assert summary.size == summary.path.stat().st_size


def test_the_score_in_a_list_is_that_of_the_result(tmp_path: Path) -> None:
    record = created(tmp_path, total=4)
    record.commit([decided(0, 1.0), decided(1, 1.0)])
    record.close("interrupted")

    (summary,) = dspex.runs(tmp_path)

    assert summary.score == dspex.load_run("tuning", home=tmp_path).score == 50.0


def test_a_record_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    created(tmp_path).close("complete")
    for name in ("broken.sqlite", "no name of a run.sqlite", "notes.txt"):
        (tmp_path / "runs" / name).write_bytes(b"nothing that dspex wrote" * 100)

    assert states(tmp_path) == {"tuning": "complete", "broken": "unreadable"}
    broken = next(each for each in dspex.runs(tmp_path) if each.run == "broken")
    assert broken.trouble is not None
    assert "is damaged" in broken.trouble
    assert broken.score is None


def test_a_run_is_deleted_with_all_its_files_and_no_other(tmp_path: Path) -> None:
    recorded(tmp_path, "other").close("complete")
    record = created(tmp_path)
    record.announce(intent("q"))
    del record

    delete_run(place(tmp_path))

    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["other.sqlite"]
    with pytest.raises(RunNotFoundError):
        delete_run(place(tmp_path))


def test_a_run_somebody_works_on_is_not_deleted(tmp_path: Path) -> None:
    record = created(tmp_path)

    with pytest.raises(RunBusyError):
        delete_run(place(tmp_path))

    record.commit([decided(0)])
    assert record.totals().n == 1


def test_the_folder_is_read_once_however_many_runs_are_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in ("a", "a.1", "b"):
        recorded(tmp_path, run).close("complete")
    read, reads = Path.iterdir, Counter[Path]()

    def counted(folder: Path) -> Iterator[Path]:
        reads[folder] += 1
        return read(folder)

    monkeypatch.setattr(Path, "iterdir", counted)

    forgotten = forget_old_runs(tmp_path, time.time() + 100 * 86_400)

    assert forgotten == ["a", "a.1", "b"]
    assert reads == {tmp_path / "runs": 1}


def test_what_was_not_written_for_90_days_goes_when_a_run_begins(
    tmp_path: Path,
) -> None:
    for run, days in (("old", 91), ("young", 89)):
        recorded(tmp_path, run).close("complete")
        written = time.time() - days * 24 * 3600
        os.utime(tmp_path / "runs" / f"{run}.sqlite", (written, written))

    record = created(tmp_path)

    assert set(states(tmp_path)) == {"young", "tuning"}
    assert defaults.RUNS_KEPT == 90 * 24 * 3600
    record.close("complete")


def test_a_part_of_a_study_does_not_look_through_all_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(tmp_path, "study").close("complete")
    looked: list[Path] = []

    def look(home: Path, now: float) -> list[str]:
        looked.append(home)
        return []

    monkeypatch.setattr("dspex.evaluate.record.record.forget_old_runs", look)

    created(tmp_path, part_of="study").close("complete")

    assert looked == []
