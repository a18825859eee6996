"""The service manager hears what it should, over a real socket."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.serve.notify import Notifier, watchdog_interval

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets"
)


class Manager:
    """A service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.settimeout(30)

    def hears(self) -> list[str]:
        return self._socket.recv(4096).decode().split("\n")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.close()


def test_a_process_that_serves_says_so_with_a_status(manager: Manager) -> None:
    told = Notifier(manager.address).ready("2 programs on\n127.0.0.1:80")

    assert told
    assert manager.hears() == ["READY=1", "STATUS=2 programs on 127.0.0.1:80"]


def test_a_reload_carries_the_moment_it_began(manager: Manager) -> None:
    Notifier(manager.address, monotonic=lambda: 12.5).reloading()

    assert manager.hears() == ["RELOADING=1", "MONOTONIC_USEC=12500000"]


def test_an_end_says_how_long_it_may_take(manager: Manager) -> None:
    Notifier(manager.address).stopping("draining", within=40.0)

    assert manager.hears() == [
        "STOPPING=1",
        "EXTEND_TIMEOUT_USEC=40000000",
        "STATUS=draining",
    ]


def test_status_and_watchdog_are_facts_of_their_own(manager: Manager) -> None:
    notifier = Notifier(manager.address)

    notifier.status("busy")
    notifier.alive()

    assert [manager.hears(), manager.hears()] == [["STATUS=busy"], ["WATCHDOG=1"]]


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_a_name_that_is_in_no_folder_is_reached() -> None:
    manager = Manager(f"@dspex-test-{os.getpid()}")
    try:
        told = Notifier(manager.address).alive()

        assert told
        assert manager.hears() == ["WATCHDOG=1"]
    finally:
        manager.close()


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "/nowhere/at/all"])
def test_nobody_to_tell_is_no_error(address: str) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})

    assert not notifier.ready("serving")


def test_a_manager_that_is_gone_is_no_error(manager: Manager) -> None:
    manager.close()

    assert not Notifier(manager.address).alive()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "20000000"}, 10.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "7"}, 10.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_the_watchdog_is_fed_at_half_of_its_patience(
    environ: dict[str, str], expected: float | None
) -> None:
    assert watchdog_interval(environ, process=7) == expected


@given(st.text() | st.integers().map(str) | st.text("0123456789", min_size=15))
def test_no_text_of_the_environment_breaks_the_start(text: str) -> None:
    every = watchdog_interval({"WATCHDOG_USEC": text}, process=1)

    assert every is None or every > 0
