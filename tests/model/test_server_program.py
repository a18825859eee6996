"""The real model server: its one line, its end, its key, its turns."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from dspex.client.local.models import resolve_local
from dspex.client.local.settings import ServerSettings, read_ready_line
from dspex.core.home import home

pytestmark = pytest.mark.model

KEY = "sesame"


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    address: str

    def post(self, path: str, body: dict[str, Any], key: str = KEY) -> httpx.Response:
        return httpx.post(
            self.address + path,
            json=body,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=60,
        )


@pytest.fixture(scope="session")
def settings() -> ServerSettings:
    return replace(resolve_local("gemma-3-270m").prepare(home()), threads=2)


def launch(settings: ServerSettings) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        settings.command(),
        env=settings.environment(KEY, os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextlib.contextmanager
def serving(settings: ServerSettings) -> Iterator[Server]:
    process = launch(settings)
    try:
        assert process.stdout is not None
        address = read_ready_line(process.stdout.readline())
        assert address is not None
        yield Server(process, address)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(settings: ServerSettings) -> Iterator[Server]:
    with serving(settings) as server:
        yield server


def capitals(*answered: tuple[str, str], ask: str) -> list[dict[str, str]]:
    messages = []
    for country, capital in answered:
        messages += [
            {"role": "user", "content": f"Country: {country}\nCapital:"},
            {"role": "assistant", "content": capital},
        ]
    return [*messages, {"role": "user", "content": f"Country: {ask}\nCapital:"}]


def test_turns_of_a_base_model_are_plain_text(server: Server) -> None:
    turns = [
        {"role": "system", "content": "Capitals."},
        *capitals(("Peru", "Lima"), ask="Chile"),
    ]

    prompt = server.post("/apply-template", {"messages": turns}).json()["prompt"]

    assert prompt == (
        "Capitals.\n\n---\n\n"
        "Country: Peru\nCapital: Lima\n\n---\n\n"
        "Country: Chile\nCapital:"
    )


def test_the_model_knows_the_capital_of_france(server: Server) -> None:
    body = {
        "messages": capitals(("Peru", "Lima"), ("Japan", "Tokyo"), ask="France"),
        "temperature": 0,
        "max_tokens": 16,
        "stop": ["\n"],
    }

    reply = server.post("/v1/chat/completions", body).json()

    assert reply["choices"][0]["message"]["content"].strip() == "Paris"
    assert reply["model"] == "gemma-3-270m"
    assert reply["usage"]["completion_tokens"] >= 1


def test_each_slot_has_its_share_of_the_context(server: Server) -> None:
    too_long = {"messages": [{"role": "user", "content": "word " * 3000}]}

    reply = server.post("/v1/chat/completions", too_long)

    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "exceed_context_size_error"
    assert reply.json()["error"]["n_ctx"] == 2048


@pytest.mark.parametrize("key", ["", "wrong"])
def test_callers_without_the_key_are_refused(server: Server, key: str) -> None:
    reply = server.post("/v1/chat/completions", {"messages": []}, key=key)

    assert reply.status_code == 401


def test_the_key_is_not_shown_in_the_list_of_processes(server: Server) -> None:
    assert KEY not in " ".join(str(word) for word in server.process.args)  # type: ignore[union-attr]  # a tuple here


def test_one_line_is_all_it_writes_to_standard_output(settings: ServerSettings) -> None:
    with serving(settings) as server:
        server.post("/v1/chat/completions", {"messages": capitals(ask="Peru")})
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0
        assert server.process.stdout is not None
        assert server.process.stdout.read() == b""


def test_it_ends_when_its_standard_input_closes(settings: ServerSettings) -> None:
    with serving(settings) as server:
        assert server.process.stdin is not None
        server.process.stdin.close()
        server.process.stdin = None

        assert server.process.wait(timeout=30) == 0


def test_it_ends_even_while_it_loads(settings: ServerSettings) -> None:
    process = launch(settings)

    rest, _ = process.communicate(timeout=30)  # closes standard input at once

    assert process.returncode == 0
    assert len(rest.splitlines()) <= 1


def test_it_ends_while_it_answers(settings: ServerSettings) -> None:
    with serving(settings) as server:
        begun = threading.Event()
        caller = threading.Thread(target=read_stream, args=(server, begun))
        caller.start()
        assert begun.wait(60)

        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(timeout=30) == 0
        caller.join(30)
        assert not caller.is_alive()


def read_stream(server: Server, begun: threading.Event) -> None:
    body = {"prompt": "Once upon a time", "n_predict": 1500, "stream": True}
    with (
        contextlib.suppress(httpx.HTTPError),
        httpx.stream(
            "POST",
            server.address + "/completion",
            json=body,
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=60,
        ) as reply,
    ):
        for _ in reply.iter_bytes():
            begun.set()


def test_ctrl_c_is_left_to_the_parent(settings: ServerSettings) -> None:
    with serving(settings) as server:
        server.process.send_signal(signal.SIGINT)

        assert httpx.get(server.address + "/health", timeout=30).status_code == 200


# Starts the server as dspex would, hands on its ready line, and waits.
PARENT = """
import subprocess, sys
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print(server.stdout.readline().decode(), end="", flush=True)
server.wait()
"""


def test_a_parent_that_is_killed_leaves_no_orphan(settings: ServerSettings) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *settings.command()],
        env=settings.environment(KEY, os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        address = read_ready_line(parent.stdout.readline())
        assert address is not None
        assert httpx.get(address + "/health").status_code == 200

        parent.kill()
        # The server inherited standard error: the pipe ends when both are gone.
        parent.communicate(timeout=30)

    with pytest.raises(httpx.ConnectError):
        httpx.get(address + "/health")


def test_an_answer_without_a_limit_ends_at_the_models_own(
    settings: ServerSettings,
) -> None:
    """A base model seldom stops by itself; it would fill its context instead."""
    with serving(replace(settings, max_tokens=5)) as server:
        reply = server.post("/v1/completions", {"prompt": "Once upon a time"}).json()
        asked = server.post(
            "/v1/completions", {"prompt": "Once upon a time", "max_tokens": 8}
        ).json()

    assert reply["usage"]["completion_tokens"] == 5
    assert reply["choices"][0]["finish_reason"] == "length"
    assert asked["usage"]["completion_tokens"] == 8


def test_a_file_that_cannot_be_loaded_ends_with_one(
    settings: ServerSettings, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))

    process = launch(replace(settings, model=broken))

    assert process.wait(timeout=30) == 1
    rest, errors = process.communicate()
    assert rest == b""
    assert str(broken).encode() in errors


def test_it_does_not_start_without_a_key(settings: ServerSettings) -> None:
    process = subprocess.run(
        settings.command(), env={}, capture_output=True, timeout=30
    )

    assert process.returncode == 2
    assert b"DSPEX_LOCAL_API_KEY is not set" in process.stderr


def test_the_line_before_the_first_start_names_terms_that_are_there() -> None:
    line = resolve_local("gemma-3-270m").announce(home())

    terms = line.partition("(")[2].partition("(")[2].partition(")")[0]
    assert "Gemma Terms of Use" in line
    assert "253 MB of disk" in line
    assert "1.0 GB of memory" in line
    assert "Gemma" in Path(terms).read_text(encoding="utf-8")
