"""A power cut: the end of what SQLite wrote is missing, or is something else.

A commit is handed to the operating system and not forced to the disk. So after a power
cut the log that SQLite keeps beside the record ends anywhere. It is cut off by hand.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dspex.core.errors import RunNotFoundError
from tests.unit.evaluate.record.making import (
    began,
    created,
    decided,
    opened,
    place,
)

COUNT = 30


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A record in the middle of its run, and the log that SQLite keeps beside it."""
    home = tmp_path_factory.mktemp("cut")
    record = created(home)
    for number in range(COUNT):
        record.commit([began(number), decided(number)])
    path = place(home).path
    assert path is not None
    copy = home / "copy.sqlite"
    shutil.copyfile(path, copy)
    log = path.with_name(f"{path.name}-wal").read_bytes()
    record.close("complete")
    return copy, log


def after_a_cut(home: Path, files: tuple[Path, bytes], log: bytes) -> list[int]:
    """What the next owner finds, whole and in order; and it can go on."""
    copy, _ = files
    path = place(home).path
    assert path is not None
    path.parent.mkdir(mode=0o700)
    shutil.copyfile(copy, path)
    path.with_name(f"{path.name}-wal").write_bytes(log)
    try:
        record = opened(home)
    except RunNotFoundError:
        # Nothing is left, not even the tables.
        return []
    found = [example for example, _ in record.settled()]
    record.commit([began(len(found)), decided(len(found))])
    assert record.totals().n == len(found) + 1
    record.close("complete")
    return found


@settings(max_examples=40)
@given(share=st.floats(0, 1))
def test_after_a_power_cut_the_first_commits_are_there_and_none_in_part(
    share: float, files: tuple[Path, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, log = files

    found = after_a_cut(
        tmp_path_factory.mktemp("after"), files, log[: int(share * len(log))]
    )

    assert found == list(range(len(found)))
    assert share < 1 or len(found) == COUNT


@settings(max_examples=40)
@given(share=st.floats(0, 1))
def test_blocks_that_were_never_written_end_what_is_there(
    share: float, files: tuple[Path, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, log = files
    kept = int(share * len(log))

    found = after_a_cut(
        tmp_path_factory.mktemp("after"), files, log[:kept] + bytes(len(log) - kept)
    )

    assert found == list(range(len(found)))
