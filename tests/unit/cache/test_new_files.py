"""What two processes do to the same new file at the same moment."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from dspex.cache import new_files
from dspex.cache import schema as cache_schema
from dspex.cache.new_files import use_log
from dspex.evaluate.record import schema as record_schema

WITHIN = 20.0

Opened = Callable[[], sqlite3.Connection]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Opens connections to one new file, which wait for nobody."""
    made: list[sqlite3.Connection] = []

    def open_one() -> sqlite3.Connection:
        connection = sqlite3.connect(
            tmp_path / "new.db",
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )
        made.append(connection)
        return connection

    yield open_one
    for each in made:
        each.close()


def mode(connection: sqlite3.Connection) -> str:
    (found,) = connection.execute("PRAGMA journal_mode").fetchone()
    return str(found)


def test_whoever_comes_second_waits_for_the_first(opened: Opened) -> None:
    first, second = opened(), opened()
    tries = threading.Semaphore(0)

    def tried(*_: object) -> int:
        tries.release()
        return sqlite3.SQLITE_OK

    second.set_authorizer(tried)
    first.execute("BEGIN EXCLUSIVE")

    with ThreadPoolExecutor(1) as threads:
        using = threads.submit(use_log, second)
        # The second try says that the first was refused.
        assert tries.acquire(timeout=WITHIN)
        assert tries.acquire(timeout=WITHIN)
        first.execute("COMMIT")
        using.result(WITHIN)

    assert mode(second) == "wal"


def test_nobody_waits_for_ever(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_files, "PATIENCE", 0.02)
    opened().execute("BEGIN EXCLUSIVE")

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        use_log(opened())


def test_another_trouble_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    path.touch(0o400)
    address = f"{path.as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(address, uri=True)) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        use_log(connection)


def make_cache(connection: sqlite3.Connection) -> None:
    cache_schema.prepare(connection)


def make_record(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    record_schema.create(connection)
    connection.execute("COMMIT")


@pytest.mark.parametrize(
    ("looks", "makes"),
    [(cache_schema._is_ours, make_cache), (record_schema.check, make_record)],
    ids=["cache", "record"],
)
def test_tables_that_are_made_between_two_looks_are_not_half_seen(
    looks: Callable[[sqlite3.Connection], bool],
    makes: Callable[[sqlite3.Connection], None],
    opened: Opened,
) -> None:
    first, second = opened(), opened()
    use_log(first)

    def make(statement: str) -> None:
        if statement == "PRAGMA application_id":
            makes(second)

    first.set_trace_callback(make)

    assert looks(first) is False
    first.set_trace_callback(None)
    assert looks(first) is True


@pytest.mark.parametrize("looks", [cache_schema._is_ours, record_schema.check])
def test_a_file_that_is_no_database_is_told_as_such(
    looks: Callable[[sqlite3.Connection], bool], tmp_path: Path, opened: Opened
) -> None:
    (tmp_path / "new.db").write_bytes(b"no database " * 100)
    connection = opened()

    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        looks(connection)
    assert not connection.in_transaction
