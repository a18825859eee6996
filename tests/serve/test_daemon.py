"""A daemon as a process: what it says, what it answers, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from dspex.cli.console import Exit
from dspex.cli.main import main
from dspex.testing import FakeProvider
from tests.serve.running import PATIENT, RunningDaemon, Starting

CODE = """
import dspex

ask = dspex.Predict("question -> answer")


def shout(text):
    return {"text": text.upper()}


def fell():
    from dspex.runtime.runtime import current_runtime

    current_runtime().start().ref().kill()
"""

CHUNKED = (
    b"POST /shout HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: application/json\r\n\r\n"
)

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="there is no SIGHUP, and SIGTERM is no signal"
)


def says(word: str) -> str:
    return f"[[ ## answer ## ]]\n{word}\n\n[[ ## completed ## ]]"


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda messages: says("yes")) as provider:
        yield provider


@pytest.fixture
def caller() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as caller:
        yield caller


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "code_of_mine.py").write_text(CODE, encoding="utf-8")
    return tmp_path


def test_a_life_with_a_service_manager(
    home: Path, provider: FakeProvider, caller: ThreadPoolExecutor
) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(home / "notify"))
    manager.settimeout(PATIENT)

    def hears(fact: str) -> list[str]:
        while True:
            facts = manager.recv(4096).decode().split("\n")
            # The watchdog is fed in between.
            if facts != ["WATCHDOG=1"] or fact == "WATCHDOG=1":
                assert fact in facts
                return facts

    def configure(max_outage: str, patience: int = 30) -> None:
        text = f"model = 'openai/m'\napi_base = '{provider.base_url}'\n"
        text += f"max_outage = {max_outage}\n[serve]\nrequest_timeout = {patience}\n"
        (home / "dspex.toml").write_text(text, encoding="utf-8")

    configure("9")
    environ = {"NOTIFY_SOCKET": str(home / "notify"), "WATCHDOG_USEC": "100000"}
    words = ["code_of_mine:ask", "loud=code_of_mine:shout"]
    with manager, RunningDaemon(words, home=home, environ=environ) as daemon:
        # Start.
        assert daemon.announced["programs"] == ["ask", "loud"]
        assert daemon.announced["process"] == daemon.process.pid
        hears("READY=1")
        hears("WATCHDOG=1")
        assert daemon.post("/ask", question="is it?").json() == {"answer": "yes"}
        assert daemon.post("/loud", text="a").json() == {"text": "A"}
        assert daemon.get("/healthz").json()["alive"] is True
        assert daemon.get("/readyz").json() == {"ready": True, "failing": []}
        metrics = daemon.get("/metrics")
        assert metrics.status_code == 200
        assert metrics.headers["Content-Type"].startswith("text/plain")
        assert "# TYPE dspex_" in metrics.text

        # A reload of what is wrong keeps the old; one of what is right does not.
        for text, outcome in (("'long'", "reload refused"), ("8", "reloaded")):
            configure(text)
            daemon.send(signal.SIGHUP)
            assert any(
                fact.startswith("MONOTONIC_USEC=") for fact in hears("RELOADING=1")
            )
            status = hears("READY=1")[-1]
            assert daemon.url in status
            assert ("refused" in status) is (outcome == "reload refused")
            assert json.loads(daemon.hears(outcome))["event"] == outcome
        assert any("max_outage" in said for said in daemon.said)
        assert "allows is 30." in daemon.longest()
        configure("8", patience=40)
        daemon.send(signal.SIGHUP)
        hears("RELOADING=1")
        hears("READY=1")
        assert "allows is 40." in daemon.longest()
        assert daemon.post("/ask", question="still?").json() == {"answer": "yes"}

        # End, with a request under way.
        provider.pause()
        waiting = caller.submit(daemon.post, "/ask", question="are you there?")
        provider.wait_for_in_flight(1, PATIENT)
        daemon.send(signal.SIGTERM)
        facts = hears("STOPPING=1")
        assert any(fact.startswith("EXTEND_TIMEOUT_USEC=") for fact in facts)
        ready = daemon.get("/readyz")
        assert (ready.status_code, ready.json()["failing"][0]["part"]) == (503, "drain")
        assert daemon.post("/loud", text="a").status_code == 503
        daemon.send(signal.SIGHUP)
        assert daemon.get("/healthz").status_code == 200
        provider.resume()
        assert waiting.result(PATIENT).json() == {"answer": "yes"}
        assert daemon.wait() == 0
        # Whoever is about to end takes no reload on, and is never ready again.
        manager.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                assert manager.recv(4096) == b"WATCHDOG=1"


SLOW_START = """
import pathlib, sys

sys.stderr.write("importing\\n")
sys.stderr.flush()
pathlib.Path("gate").open().readline()


def shout(text):
    return {"text": text.upper()}
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_starts_ends_it_in_order_or_waits(
    home: Path, number: signal.Signals
) -> None:
    (home / "slow_start.py").write_text(SLOW_START, encoding="utf-8")
    os.mkfifo(home / "gate")
    with Starting(["slow_start:shout", "--model", "openai/m"], home=home) as daemon:
        daemon.hears("importing")

        daemon.send(number)
        if number == signal.SIGHUP:
            with (home / "gate").open("r+b", buffering=0) as gate:
                gate.write(b"go\n")
                daemon.hears("reloaded")
            assert daemon.ends() == 0
        else:
            assert daemon.wait() == 0
            assert "asked to end before it served" in daemon.said[-1]


def test_each_request_is_told_of_where_that_is_wanted(home: Path) -> None:
    words = ["code_of_mine:shout", "--model", "openai/m", "--log-level", "debug"]
    with RunningDaemon(words, home=home) as daemon:
        daemon.post("/shout", text="a")

        told = json.loads(daemon.hears('"event": "request"'))

        assert (told["level"], told["program"], told["status"]) == (
            "debug",
            "shout",
            200,
        )
        assert daemon.ends() == 0


def test_nonsense_is_answered_and_told_in_a_line_without_a_traceback(
    home: Path,
) -> None:
    words = ["code_of_mine:shout", "--model", "openai/m"]
    with RunningDaemon(words, home=home) as daemon:
        port = int(daemon.url.rpartition(":")[2])
        for nonsense in (
            b"PRI * HTTP/1.1\r\nHost: a\r\n\r\n",
            CHUNKED + b"zz\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port)) as caller:
                caller.settimeout(PATIENT)
                caller.sendall(nonsense)
                assert b" 400 " in caller.recv(1_000)
            told = json.loads(daemon.hears("no HTTP"))
            assert (told["level"], "exception" in told) == ("info", False)
        # Packed so, it would not even be read, were it to be unpacked.
        packed = httpx.post(
            f"{daemon.url}/shout",
            content=b"{}",
            headers={"Content-Encoding": "br", "Content-Type": "application/json"},
            trust_env=False,
        )
        assert packed.status_code == 415
        assert daemon.post("/shout", text="a").json() == {"text": "A"}
        assert daemon.ends() == 0
        assert not any("Traceback" in line for line in daemon.said)


def test_more_connections_than_it_may_have_files_do_not_stop_it(home: Path) -> None:
    import resource

    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
    try:
        words = ["code_of_mine:shout", "--model", "openai/m", "--text-logs"]
        running = RunningDaemon(words, home=home)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    with running as daemon, ExitStack() as stack:
        port = int(daemon.url.rpartition(":")[2])
        for _ in range(300):
            caller = socket.create_connection(("127.0.0.1", port), PATIENT)
            stack.enter_context(caller)
        assert daemon.get("/healthz").status_code == 503
        stack.close()
        while daemon.get("/healthz").status_code != 200:
            # It has yet to hear that they have gone.
            continue
        assert daemon.post("/shout", text="a").json() == {"text": "A"}
        assert daemon.ends() == 0
        assert not any("Too many open files" in line for line in daemon.said)


def test_a_tree_that_is_gone_ends_the_process_for_whoever_watches_it(
    home: Path, caller: ThreadPoolExecutor
) -> None:
    words = ["code_of_mine:fell", "--model", "openai/m", "--drain-within", "0"]
    with RunningDaemon(words, home=home) as daemon:
        asking = caller.submit(daemon.post, "/fell")

        assert daemon.wait() == Exit.INTERNAL
        assert any("the tree gave up" in line for line in daemon.said)
        # However it ends, whoever was accepted is answered.
        assert asking.result(PATIENT).status_code in (200, 503)


def test_a_second_signal_ends_it_at_once(
    home: Path, provider: FakeProvider, caller: ThreadPoolExecutor
) -> None:
    words = ["code_of_mine:ask", "--model", "m", "--api-base", provider.base_url]
    with RunningDaemon([*words, "--text-logs"], home=home) as daemon:
        provider.pause()
        asking = caller.submit(daemon.post, "/ask", question="are you there?")
        provider.wait_for_in_flight(1, PATIENT)

        daemon.send(signal.SIGTERM)
        daemon.hears("asked to end")
        daemon.send(signal.SIGINT)

        assert daemon.wait() == 128 + signal.SIGINT
        with pytest.raises(httpx.TransportError):
            asking.result(PATIENT)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["nowhere:ask"], 2, "no module 'nowhere'"),
        (["code_of_mine:aks"], 2, "Did you mean 'ask'?"),
        (["question -> answer"], 2, "has no name"),
        (["code_of_mine:ask", "code_of_mine:ask"], 2, "have the name 'ask'"),
        (["code_of_mine:ask", "--load", "other=a.json"], 2, "names no program"),
        (["code_of_mine:shout", "--load", "a.json"], 2, "nothing to load into"),
        (["code_of_mine:ask", "--load", "missing.json"], 65, "missing.json"),
        (["readyz=code_of_mine:ask", "--model", "openai/m"], 78, "readyz"),
        (["code_of_mine:ask", "--model", "opnai/m"], 78, "'opnai'"),
        (
            ["code_of_mine:shout", "--model", "openai/m", "--drain-within", "nan"],
            78,
            "drain_within is nan",
        ),
        (
            ["code_of_mine:shout", "--model", "openai/m", "--drain-within", "inf"],
            78,
            "drain_within is inf",
        ),
        (
            ["code_of_mine:shout", "--model", "openai/m", "--token-env", "NO_TOKEN"],
            78,
            "'NO_TOKEN' is not set",
        ),
    ],
)
def test_what_is_wrong_is_told_before_the_port_is_opened(
    home: Path, words: list[str], code: int, told: str
) -> None:
    # Were a port opened, it would fail otherwise: this one nobody may have.
    words = ["serve", *words, "--host", "192.0.2.1", "--app-dir", str(home)]

    ended = CliRunner().invoke(main, words)

    assert told in ended.output
    assert ended.exit_code == code


def test_a_place_where_nobody_can_listen_is_told(home: Path) -> None:
    words = [
        "serve",
        "code_of_mine:shout",
        "--app-dir",
        str(home),
        "--model",
        "openai/m",
    ]

    ended = CliRunner().invoke(main, [*words, "--host", "192.0.2.1"])

    assert "nobody can listen on '192.0.2.1'" in ended.output
    assert ended.exit_code == 78
