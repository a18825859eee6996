"""A file of the cache is looked at, and left as it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dspex.cache.database import Database
from dspex.cache.soundness import check_file
from dspex.cache.trouble import CacheFileError, Trouble
from tests.actors.cache_lab import entry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    return folder / "answers.db"


def trouble(path: Path) -> Trouble | None:
    before = path.read_bytes()
    try:
        check_file(path)
    except CacheFileError as error:
        assert path.read_bytes() == before
        return error.trouble
    return None


def test_a_file_of_ours_is_sound_while_it_is_used(path: Path) -> None:
    kept = Database(path)
    kept.write([entry("a", 1e9)])

    assert trouble(path) is None

    kept.close()
    assert trouble(path) is None


def test_an_empty_file_is_sound(path: Path) -> None:
    path.touch()

    assert trouble(path) is None


def test_a_file_of_something_else_is_damaged(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()

    assert trouble(path) is Trouble.DAMAGED


def test_a_page_that_is_broken_is_found(path: Path) -> None:
    kept = Database(path)
    kept.write([entry(str(number), 1e9) for number in range(200)])
    with kept.use() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept.close()
    broken = bytearray(path.read_bytes())
    broken[-4096:] = b"\xff" * 4096
    path.write_bytes(broken)

    assert trouble(path) is Trouble.DAMAGED


def test_a_link_is_unsafe(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.touch()
    path.symlink_to(target)

    assert trouble(path) is Trouble.UNSAFE
