"""A run's record among processes: owners that die, freeze, and fill the disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dspex.core.errors import (
    RecordFullError,
    RecordUnwritableError,
    RunBusyError,
    RunFencedError,
)
from dspex.evaluate.record.ownership import STALE_AFTER
from dspex.evaluate.record.record import RunRecord
from tests.actors.recorder import announced, entries, head, place

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no signals to freeze a process with"
)


class Child:
    """A process that does what it is told."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.actors.recorder", str(home)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.heard() == "ready"

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()

    def heard(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, command: str) -> str:
        self.tell(command)
        return self.heard()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> list[str]:
        """Kill it; return what it had said that was not heard yet."""
        self.process.kill()
        assert self.process.stdout is not None
        rest = self.process.stdout.read().splitlines(keepends=True)
        self.end()
        return [line.strip() for line in rest if line.endswith("\n")]

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)


Start = Callable[[], Child]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    children: list[Child] = []

    def started() -> Child:
        children.append(Child(tmp_path))
        return children[-1]

    yield started
    for child in children:
        child.end()


def opened(home: Path, *, later: float = 0.0) -> RunRecord:
    """Take the run over, some seconds later than it is."""
    return RunRecord.open(
        place(home), owner=True, wall_clock=lambda: time.time() + later
    )


def fates(record: RunRecord) -> dict[str, str]:
    return {each.request_id: each.fate.value for each in record.requests()}


def test_a_second_owner_is_told_and_a_reader_sees_what_the_first_one_writes(
    tmp_path: Path, start: Start
) -> None:
    child = start()
    child.ask("create")
    child.ask("commit 0")
    before = time.time()

    with pytest.raises(RunBusyError, match=str(child.process.pid)) as caught:
        opened(tmp_path)
    reader = RunRecord.open(place(tmp_path), owner=False)
    child.ask("commit 1")

    assert caught.value.pid == child.process.pid
    assert before - 60 < caught.value.since <= before
    assert reader.totals().n == 2
    assert child.ask("close") == "done"
    assert opened(tmp_path).totals().n == 2


def test_a_killed_owner_is_succeeded_at_once_and_nothing_committed_is_lost(
    tmp_path: Path, start: Start
) -> None:
    child = start()
    child.ask("create")
    child.tell("stream")
    for _ in range(50):
        last = child.heard()

    last = [last, *child.kill()][-1]
    record = opened(tmp_path)

    committed = int(last) + 1
    settled = list(record.settled())
    assert settled == [(number, 0) for number in range(len(settled))]
    assert committed <= len(settled) <= committed + 1
    # Whatever was about to be asked when it was killed is known as well.
    known = fates(record)
    assert len(settled) <= len(known) <= committed + 1
    assert {known[f"q{number}"] for number, _ in settled} == {"answered"}
    assert [fate for fate in known.values() if fate != "answered"] == ["lost"] * (
        len(known) - len(settled)
    )
    record.commit(entries(len(settled)))


def test_a_frozen_owner_may_be_succeeded_and_is_fenced_off_when_it_wakes(
    tmp_path: Path, start: Start
) -> None:
    child = start()
    child.ask("create")
    child.ask("commit 0")
    child.ask("announce 1")
    child.send(signal.SIGSTOP)

    with pytest.raises(RunBusyError):
        opened(tmp_path)
    record = opened(tmp_path, later=STALE_AFTER + 5)
    record.commit(entries(1))
    child.send(signal.SIGCONT)

    assert child.ask("announce 2") == "RunFencedError"
    assert child.ask("commit 1") == "RunFencedError"
    assert child.ask("close") == "RunFencedError"
    assert record.totals().n == 2
    assert record.totals().refused == 0
    # The second owner heard the answer to what the first one was about to ask.
    assert fates(record) == {"q0": "answered", "q1": "answered"}


def test_of_two_processes_that_begin_one_run_one_does(start: Start) -> None:
    children = [start(), start()]

    for child in children:
        child.tell("create")

    assert sorted(child.heard() for child in children) == ["RunExistsError", "done"]


def test_on_a_full_disk_nothing_is_lost_and_it_goes_on_when_there_is_room(
    tmp_path: Path, start: Start
) -> None:
    child = start()
    child.ask("create")
    child.ask("limit 200000")

    committed = int(child.ask("fill"))
    assert child.heard() == "RecordFullError"
    assert child.ask(f"commit {committed}") == "RecordFullError"
    child.ask("limit 0")

    assert child.ask(f"commit {committed}") == "done"
    assert child.ask("close") == "done"
    record = opened(tmp_path)
    assert committed > 0
    assert list(record.settled()) == [(number, 0) for number in range(committed + 1)]


def test_a_full_database_is_a_full_disk(tmp_path: Path) -> None:
    record = RunRecord.create(place(tmp_path), head())
    with record._connection.reading() as connection:
        connection.execute("PRAGMA max_page_count=20")

    with pytest.raises(RecordFullError, match="Nothing is lost") as caught:
        for number in range(1_000):
            record.commit(entries(number))

    committed = record.totals().n
    with record._connection.reading() as connection:
        connection.execute("PRAGMA max_page_count=100000")
    record.commit(entries(committed))
    assert caught.value.path == place(tmp_path).path
    assert record.totals().n == committed + 1


def test_while_another_process_holds_the_file_it_is_unwritable_and_later_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dspex.evaluate.record.connection.PATIENCE", 0.01)
    record = RunRecord.create(place(tmp_path), head())
    other = RunRecord.open(place(tmp_path), owner=False)

    with other._connection.transaction(), pytest.raises(RecordUnwritableError):
        record.commit(entries(0))

    record.commit(entries(0))
    assert record.totals().n == 1


def test_a_process_that_was_forked_from_the_owner_may_not_write(
    tmp_path: Path,
) -> None:
    record = RunRecord.create(place(tmp_path), head())
    record.commit(entries(0))

    pid = os.fork()
    if pid == 0:  # pragma: no cover - it is another process
        code = 1
        try:
            record.commit(entries(1))
        except RunFencedError:
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)

    assert status == 0
    record.announce(announced(1))
    record.commit(entries(1))
    assert record.totals().n == 2
