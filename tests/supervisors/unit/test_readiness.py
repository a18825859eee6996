"""What the ready-made probes take for a yes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from supervisors import (
    ConfigError,
    ReadyProbe,
    ReplyFuture,
    file_exists,
    http_answers,
    port_accepts,
)
from supervisors.readiness import ask


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health?deep=1" else 503)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_port_is_ready_when_it_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert port_accepts(port).check() is True

    with pytest.raises(OSError, match="refused"):
        port_accepts(port).check()


def test_a_file_is_ready_when_it_is_there(tmp_path: Path) -> None:
    probe = file_exists(tmp_path / "socket")
    assert probe.check() is False

    (tmp_path / "socket").touch()

    assert probe.check() is True


def test_an_address_is_ready_when_it_answers_well(address: str) -> None:
    assert http_answers(f"{address}/health?deep=1").check() is True
    assert http_answers(address).check() is False


def test_something_that_speaks_no_http_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"hello\r\n\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        ready = http_answers(f"http://127.0.0.1:{server.getsockname()[1]}").check()
        thread.join()

    assert ready is False


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "127.0.0.1:80", "http://"])
def test_what_is_no_address_of_http_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="expected a URL of http or https"):
        http_answers(url)


@pytest.mark.parametrize("interval", [0, -1, float("nan")])
def test_a_probe_without_an_interval_is_refused(interval: float) -> None:
    with pytest.raises(ConfigError, match="seconds between two questions"):
        ReadyProbe(bool, interval)


@pytest.mark.parametrize(
    ("answer", "yes"), [(None, False), (False, False), (True, True), (0, True)]
)
def test_all_but_none_and_false_is_a_yes(answer: Any, yes: bool) -> None:
    settled: ReplyFuture[Any] = ReplyFuture()

    ask(settled, lambda: answer)

    assert settled.done() is yes
