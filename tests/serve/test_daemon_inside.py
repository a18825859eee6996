"""What a daemon does, seen from inside its process."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import click
import pytest
from aiohttp import ClientSession

from dspex.cli.configured import read_again
from dspex.cli.main import main
from dspex.cli.serve import serve
from dspex.cli.served import options_now
from dspex.core.errors import ConfigurationError, RuntimeClosedError
from dspex.evaluate.running.live import LiveRun, joined
from dspex.runtime.config import Config
from dspex.serve.connections import Connections
from dspex.serve.daemon import Daemon, Loaded, _Chore, _stop_runs
from dspex.serve.listening import Network
from dspex.serve.terms import Terms
from dspex.telemetry import prometheus
from supervisors.testing import Fault, FaultKind, FaultPlan
from tests.serve.lab import PATIENT, Client, Gate, connected


def old(text: str) -> str:
    """Answer as before."""
    return f"old {text}"


def new(text: str) -> str:
    """Answer otherwise."""
    return f"new {text}"


BEFORE = Loaded(programs={"say": old}, config=Config(persist=False, control=False))
AFTER = replace(
    BEFORE,
    programs={"say": new},
    terms=Terms.of(max_in_flight=3, timeout=4.0, token="sesame"),
    drain_within=5.0,
)


@pytest.fixture(autouse=True)
def _uncounted() -> Iterator[None]:
    yield
    # A daemon counts for its whole process, and this one goes on.
    prometheus.uninstrument()


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    made = Daemon(lambda: BEFORE, place=Network(port=0), announce=print, environ={})
    made._runtime.start()
    yield made
    made._health.close()
    made._runtime.close()


def state(daemon: Daemon) -> tuple[object, ...]:
    """What a reload may change."""
    terms = daemon._service._terms
    return (
        daemon._service.programs["say"],
        terms.max_in_flight,
        daemon._service._admission._most,
        terms.timeout,
        terms.doorkeeper.token is not None,
        daemon._drain_within,
    )


def test_a_reload_changes_all_of_it(daemon: Daemon) -> None:
    asyncio.run(daemon._swap(AFTER))

    assert state(daemon) == (new, 3, 3, 4.0, True, 5.0)


@pytest.mark.parametrize(
    "loaded",
    [replace(AFTER, programs={"not a path": new}), replace(AFTER, programs={})],
)
def test_programs_that_are_refused_change_nothing(
    daemon: Daemon, loaded: Loaded
) -> None:
    before = state(daemon), daemon._runtime.config

    with pytest.raises(ConfigurationError):
        asyncio.run(daemon._swap(replace(loaded, config=Config(max_outage=1.0))))

    assert (state(daemon), daemon._runtime.config) == before


def test_a_tree_that_takes_no_configuration_keeps_the_programs(daemon: Daemon) -> None:
    before = state(daemon)
    daemon._runtime.close()

    with pytest.raises(RuntimeClosedError):
        asyncio.run(daemon._swap(AFTER))

    assert state(daemon) == before


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0])
def test_a_drain_without_an_end_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="drain_within"):
        replace(BEFORE, drain_within=seconds)


def test_a_chore_that_raises_is_told_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def raises() -> None:
        raise ZeroDivisionError

    async def work() -> str:
        async with _Chore(raises()):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return "done"

    assert asyncio.run(work()) == "done"
    assert "a chore of the daemon has ended" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="there are no Unix sockets")
def test_the_watchdog_is_not_fed_while_the_root_hangs(tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "2000"}
    made = Daemon(
        lambda: BEFORE, place=Network(port=0), announce=print, environ=environ
    )
    root = made._runtime.start()
    hang = Fault(kind=FaultKind.HANG, actor="root")

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            self.loop.call_soon_threadsafe(self.told.set)

        async def wait(self) -> None:
            self.loop, self.told = asyncio.get_running_loop(), asyncio.Event()
            feeding = asyncio.create_task(made._feed_watchdog())
            async with asyncio.timeout(PATIENT):
                await self.told.wait()
            feeding.cancel()

    heard = Heard(level=logging.ERROR)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(environ["NOTIFY_SOCKET"])
        manager.setblocking(False)
        logging.getLogger("dspex").addHandler(heard)
        with FaultPlan([hang]).installed(root):
            asyncio.run(heard.wait())
        logging.getLogger("dspex").removeHandler(heard)
        with pytest.raises(BlockingIOError):
            manager.recv(4096)
    made._health.close()
    made._runtime.close()


def test_who_brings_nothing_is_hung_up_on_and_who_waits_for_an_answer_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    no_time = partial(Connections, idle_within=0.0)
    monkeypatch.setattr("dspex.serve.daemon.Connections", no_time)
    gate, addresses = Gate(), list[str]()
    made = Daemon(
        lambda: replace(BEFORE, programs={"gate": gate}),
        place=Network(port=0),
        announce=lambda address, _programs: addresses.append(address),
        environ={},
    )

    async def use() -> None:
        async with AsyncExitStack() as stack, asyncio.timeout(PATIENT):
            await made._open(stack)
            session = await stack.enter_async_context(ClientSession())
            client = Client(session, addresses[0])
            asking = asyncio.create_task(client.post("/gate", {}))
            await gate.arrived()
            async with connected(addresses[0]) as (silent, _):
                assert await silent.read() == b""
            gate.opened.set()
            assert (await asking).status == 200

    asyncio.run(use())
    made._health.close()
    made._runtime.close()


class Together:
    """A run that ends when as many as wait for each other are to end."""

    part_of: str | None = None
    has_ended = False

    def __init__(self, name: str, barrier: threading.Barrier) -> None:
        self.name = name
        self._barrier = barrier

    def stop(self, within: float) -> bool:
        self._barrier.wait(PATIENT)
        self.has_ended = True
        return True


def test_runs_are_ended_side_by_side() -> None:
    barrier = threading.Barrier(2)
    one, other = (cast("LiveRun", Together(name, barrier)) for name in "ab")
    part = Together("part", threading.Barrier(9))
    part.part_of = "a"

    with (
        joined(one),
        joined(cast("LiveRun", part)),
        joined(other),
    ):
        _stop_runs()

    # Each would wait for ever for the other, and the part for the study.
    assert not barrier.broken


def test_a_drain_ends_the_runs_in_order_before_the_tree(daemon: Daemon) -> None:
    run = Together("first", threading.Barrier(1))

    with joined(cast("LiveRun", run)):
        asyncio.run(daemon._drain())

    assert run.has_ended
    assert daemon._runtime.state == "closed"


# Options.


@pytest.fixture
def read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Begin with words and a table, and return the options once another is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DSPEX_HOME", str(tmp_path))

    def options(words: list[str], before: str, after: str) -> dict[str, Any]:
        file = tmp_path / "dspex.toml"
        file.write_text(f"[serve]\n{before}\n", encoding="utf-8")
        root = click.Context(main, info_name="dspex")
        main.resolve_command(root, ["serve"])
        assert root.default_map is not None
        own = serve.make_context(
            "serve", [*words, "a:b"], parent=root, default_map=root.default_map["serve"]
        )
        file.write_text(f"[serve]\n{after}\n", encoding="utf-8")
        return options_now(own, read_again(own))

    return options


def test_options_are_those_of_the_table_as_it_is_now(
    read: Callable[..., dict[str, Any]],
) -> None:
    before = "max_requests = 5\nrequest_timeout = 6"
    after = 'max_requests = 7\ntoken_env = "T"\nallow_host = ["a", "b"]'

    assert read([], before, after) == {
        "max_requests": 7,
        "token_env": "T",
        "hosts": ("a", "b"),
    }


def test_what_the_command_line_says_stays(
    read: Callable[..., dict[str, Any]],
) -> None:
    words = ["--max-requests", "4", "--allow-host", "c", "--port", "1"]

    told = read(words, "", 'max_requests = 7\nport = 9\nallow_host = ["a"]')

    assert told == {"max_requests": 4, "hosts": ("c",)}
