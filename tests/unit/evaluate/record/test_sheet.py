"""A file in memory: what is kept of it, and how its writer learns that it is over."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.evaluate.record import sheet
from dspex.evaluate.record.sheet import EMPTY, FIRST_LINE, Sheet, take_away

DIES = """
import os, signal, sys
from pathlib import Path
from dspex.evaluate.record.sheet import Sheet

written = Sheet(Path(sys.argv[1]))
for number in range(10_000):
    written.add(b"line %d\\n" % number)
os.kill(os.getpid(), signal.SIGKILL)
"""


def lines_of(path: Path) -> bytes:
    written = path.read_bytes().rstrip(EMPTY)
    assert written.startswith(FIRST_LINE)
    return written.removeprefix(FIRST_LINE)


def test_every_line_outlives_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "sheet"

    ended = subprocess.run([sys.executable, "-c", DIES, path], check=False)

    assert ended.returncode < 0
    assert lines_of(path) == b"".join(b"line %d\n" % each for each in range(10_000))


@given(lines=st.lists(st.binary(min_size=1).map(lambda line: line + b"\n")))
def test_it_grows_with_what_is_written(
    lines: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("sheets") / "sheet"
    with pytest.MonkeyPatch.context() as small:
        small.setattr(sheet, "SMALLEST", 16)
        written = Sheet(path)
        for line in lines:
            written.add(line)

    assert lines_of(path) == b"".join(lines)
    assert written.size == len(FIRST_LINE) + sum(map(len, lines))
    written.close()


def test_on_a_full_disk_nothing_of_a_line_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int, _begin: int, _size: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(sheet, "SMALLEST", 16)
    written = Sheet(tmp_path / "sheet")
    written.add(b"first\n")
    with monkeypatch.context() as disk, pytest.raises(OSError, match="no space"):
        disk.setattr(os, "posix_fallocate", full)
        written.add(b"longer than there is room\n")
    written.add(b"last\n")

    assert lines_of(tmp_path / "sheet") == b"first\nlast\n"


def test_a_file_system_that_cannot_take_room_beforehand_is_written_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(_handle: int, _begin: int, _size: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(sheet, "SMALLEST", 16)
    monkeypatch.setattr(os, "posix_fallocate", cannot)
    written = Sheet(tmp_path / "sheet")
    written.add(b"longer than the first room\n")

    assert lines_of(tmp_path / "sheet") == b"longer than the first room\n"


def test_whose_sheet_is_taken_away_sees_it_at_once(tmp_path: Path) -> None:
    written = Sheet(tmp_path / "sheet")
    before = written.is_taken_away

    take_away(tmp_path / "sheet")

    assert (before, written.is_taken_away) == (False, True)
    assert not (tmp_path / "sheet").exists()


def test_a_sheet_that_is_deleted_by_hand_is_missed_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Sheet(tmp_path / "sheet")

    (tmp_path / "sheet").unlink()
    monkeypatch.setattr(sheet, "LOOK_EVERY", 0.0)

    assert written.is_taken_away


def test_one_of_the_same_name_leaves_the_old_one_to_its_writer(tmp_path: Path) -> None:
    old = Sheet(tmp_path / "sheet")
    old.add(b"old\n")

    new = Sheet(tmp_path / "sheet")
    new.add(b"new\n")
    old.add(b"and on\n")

    assert lines_of(tmp_path / "sheet") == b"new\n"


def test_to_take_away_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    take_away(tmp_path / "sheet")

    assert list(tmp_path.iterdir()) == []
