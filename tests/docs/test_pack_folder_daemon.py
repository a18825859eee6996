"""The daemon of the examples does its work, as a real process, whatever dies."""

from __future__ import annotations

import gzip
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT

SCRIPT = ROOT / "examples/pack_folder_daemon.py"

WAIT = 60.0
"""Seconds after which something that should have happened counts as missing."""

Entry = dict[str, Any]


class Daemon:
    """The daemon at work on one folder, and what it has told."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.told: list[Entry] = []
        self._queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(SCRIPT), str(folder), *options],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._drawn: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read_drawings, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._queue.put(json.loads(line))
        self._queue.put(None)

    def _read_drawings(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._drawn.put(line)

    def draws(self) -> str:
        """The next line of what it draws."""
        return self._drawn.get(timeout=WAIT)

    def hear(self, wanted: Callable[[Entry], bool]) -> Entry:
        """The next thing told that is wanted; the others are only noted."""
        until = time.monotonic() + WAIT
        while True:
            entry = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            assert entry is not None, f"it ended; it told {self.told[-5:]}"
            self.told.append(entry)
            if wanted(entry):
                return entry

    def hears(self, event: str, **facts: Any) -> Entry:
        """The next event of that name with these facts."""
        return self.hear(lambda entry: {**entry, "event": event, **facts} == entry)

    def put(self, name: str, content: bytes) -> None:
        """Put a file into the folder in one step."""
        beside = self.folder / name
        beside.write_bytes(content)
        beside.rename(self.folder / "in" / name)

    def unpacked(self, name: str) -> bytes:
        return gzip.decompress((self.folder / "out" / f"{name}.gz").read_bytes())

    def ends(self) -> int:
        """Ask it to end, and read to the end what it tells."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(WAIT)
        self._reader.join(WAIT)
        while (entry := self._queue.get(timeout=WAIT)) is not None:
            self.told.append(entry)
        return code


Start = Callable[..., Daemon]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts daemons, and kills those that a test leaves behind."""
    started: list[Daemon] = []

    def start(*options: str) -> Daemon:
        started.append(Daemon(tmp_path, "--interval", "0.02", *options))
        started[-1].hears("ready")
        return started[-1]

    yield start
    for daemon in started:
        with daemon.process as process:
            process.kill()


def slow_file(daemon: Daemon) -> Path:
    """A file that is being packed until somebody writes it: a pipe with a name."""
    path = daemon.folder / "in" / "slow"
    os.mkfifo(path)
    return path


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until_gone(process: int) -> bool:
    """It has no event for the end of a process that is not its child."""
    until = time.monotonic() + WAIT
    while not is_gone(process) and time.monotonic() < until:
        threading.Event().wait(0.01)
    return is_gone(process)


def test_files_are_packed_and_taken_away(start: Start) -> None:
    daemon = start()
    daemon.put("report", b"all is well")
    daemon.hears("packed", file="report")

    assert daemon.unpacked("report") == b"all is well"
    assert list((daemon.folder / "in").iterdir()) == []
    assert daemon.ends() == 0


def test_a_process_killed_from_outside_is_started_again(start: Start) -> None:
    daemon = start()
    slow = slow_file(daemon)
    first = daemon.hears("packing", file="slow")["process"]

    os.kill(first, signal.SIGKILL)

    told = daemon.hears("not packed", file="slow")
    assert told["reason"] == "failed: its process ended by signal 9"
    assert daemon.hears("packing", file="slow")["process"] != first
    slow.write_bytes(b"at last")
    daemon.hears("packed", file="slow")
    assert daemon.unpacked("slow") == b"at last"
    assert daemon.ends() == 0


def test_a_file_that_cannot_be_packed_is_put_aside(start: Start) -> None:
    daemon = start()

    (daemon.folder / "in" / "broken").symlink_to("nowhere")

    daemon.hears("not packed", file="broken", failures=5)
    daemon.put("next", b"and on it goes")
    daemon.hears("packed", file="next")
    assert (daemon.folder / "failed" / "broken").is_symlink()
    assert daemon.ends() == 0


def test_sigterm_ends_the_tree_in_order_and_leaves_no_process(start: Start) -> None:
    daemon = start()
    slow_file(daemon)
    process = daemon.hears("packing", file="slow")["process"]

    code = daemon.ends()

    assert code == 0
    assert daemon.told[-1]["event"] == "stopped"
    assert daemon.told[-1]["reason"] == "shutdown"
    assert is_gone(process)
    assert (daemon.folder / "in" / "slow").exists()


def test_sigusr1_prints_the_tree(start: Start) -> None:
    daemon = start()
    slow_file(daemon)
    daemon.hears("child.start", child_id="slow")

    daemon.process.send_signal(signal.SIGUSR1)

    lines = [daemon.draws() for _ in range(5)]
    words = [line.strip("│├└─ \n").split()[0] for line in lines]
    assert words == ["root", "desk", "jobs", "slow", "watcher"]
    assert daemon.ends() == 0


def test_kill_9_leaves_no_process_and_loses_no_file(start: Start) -> None:
    daemon = start()
    slow = slow_file(daemon)
    process = daemon.hears("packing", file="slow")["process"]

    daemon.process.kill()

    assert wait_until_gone(process)
    again = start()
    again.hears("packing", file="slow")
    slow.write_bytes(b"at last")
    again.hears("packed", file="slow")
    assert again.unpacked("slow") == b"at last"
    assert again.ends() == 0


def test_with_chaos_every_part_dies_and_every_file_is_packed(start: Start) -> None:
    daemon = start("--chaos", "0.2", "--hang-after", "0.1", "--seed", "1")
    files = {f"file {number}": bytes([number]) * 1000 for number in range(10)}
    for name, content in files.items():
        daemon.put(name, content)

    until = time.monotonic() + WAIT
    lost, reasons = {"desk", "watcher"}, {"crashed", "hung"}
    while lost or reasons or list((daemon.folder / "in").iterdir()):
        assert time.monotonic() < until, f"still to come: {lost | reasons}"
        entry = daemon.hear(lambda _anything: True)
        if entry["event"] == "child.exit":
            lost.discard(entry["child_id"])
            reasons.discard(entry["reason"].partition(":")[0])

    assert {name: daemon.unpacked(name) for name in files} == files
    assert daemon.ends() == 0


def test_a_folder_that_is_away_for_a_while_is_waited_for(start: Start) -> None:
    daemon = start()

    # Without its folder the watcher crashes, waits longer each time, and lives on.
    (daemon.folder / "in").rename(daemon.folder / "away")
    daemon.hears("child.exit", child_id="watcher")
    (daemon.folder / "away").rename(daemon.folder / "in")

    daemon.put("report", b"back again")
    daemon.hears("packed", file="report")
    assert daemon.ends() == 0
