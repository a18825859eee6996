"""What `tests.benchmarks.client` measures: each row is one way to make a call.

Run as `python -m tests.benchmarks.client_rows ROW URL CONCURRENCY CALLS REPEAT` it
makes the calls and prints the figures as JSON, so that each may have a process of its
own.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.first import memory_mb

QUESTION = "Is this a question? " * 40
BODY = json.dumps(
    {"model": "m", "messages": [{"role": "user", "content": QUESTION}]}
).encode()
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer sk-benchmark"}
SECONDS = 60.0

AsyncCall = Callable[[], Awaitable[object]]
Row = tuple[Callable[[int], None], Callable[[], None]]
"""What makes so many calls, and what cleans up at the end."""


def in_tasks(concurrency: int, call: AsyncCall, aclose: AsyncCall | None = None) -> Row:
    """Make calls in tasks of one loop."""
    runner = asyncio.Runner()

    async def round_of(calls: int) -> None:
        left = count(1)

        async def caller() -> None:
            while next(left) <= calls:
                await call()

        await asyncio.gather(*(caller() for _ in range(concurrency)))

    async def end() -> None:
        if aclose is not None:
            await aclose()

    def close() -> None:
        runner.run(end())
        runner.close()

    return lambda calls: runner.run(round_of(calls)), close


def in_threads(concurrency: int, call: Callable[[], object]) -> Row:
    """Make calls on threads."""

    def round_of(calls: int) -> None:
        left = count(1)

        def caller() -> None:
            while next(left) <= calls:
                call()

        threads = [threading.Thread(target=caller) for _ in range(concurrency)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return round_of, lambda: None


class RawLine(asyncio.Protocol):
    """The least that a call can cost: no header is read but the length."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        """Send a request; its body is the result."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        _, _, after = head.lower().partition(b"content-length:")
        if len(body) >= int(after.partition(b"\r\n")[0]) and self._answer:
            self._received = b""
            self._answer.set_result(body)


def raw(url: str, concurrency: int) -> Row:
    """A bare asyncio protocol."""
    parts = urlsplit(url)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    request = f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    host, port = parts.hostname or "", parts.port or 80
    idle: list[RawLine] = []

    async def call() -> None:
        if idle:
            line = idle.pop()
        else:
            loop = asyncio.get_running_loop()
            _, line = await loop.create_connection(RawLine, host, port)
        json.loads(await line.ask(request))
        idle.append(line)

    return in_tasks(concurrency, call)


def shared_httpx(url: str, concurrency: int) -> Row:
    """One `httpx.AsyncClient` with the limits that OpenAI's own client sets."""
    import httpx

    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
    client = httpx.AsyncClient(limits=limits, timeout=SECONDS, trust_env=False)

    async def call() -> None:
        (await client.post(url, content=BODY, headers=HEADERS)).json()

    return in_tasks(concurrency, call, client.aclose)


def transport(url: str, concurrency: int) -> Row:
    """The transport alone: no actor, no retry."""
    from dspex.client.transport import HttpRequest, make_transport

    used = make_transport()
    request = HttpRequest(method="POST", url=url, headers=HEADERS, body=BODY)

    async def call() -> None:
        response = await used.send(
            request, connect_timeout=SECONDS, read_timeout=SECONDS
        )
        json.loads(response.body)

    return in_tasks(concurrency, call, used.aclose)


def model(url: str, concurrency: int) -> Any:
    """An `LM` that makes every call."""
    import dspex

    return dspex.LM(
        "openai/m",
        api_base=url.removesuffix("/chat/completions"),
        api_key="sk-benchmark",
        cache=False,
        max_in_flight=concurrency,
    )


def lm_threads(url: str, concurrency: int) -> Row:
    """Through all actors, called on threads."""
    lm = model(url, concurrency)
    return in_threads(concurrency, lambda: lm(QUESTION))


def lm_tasks(url: str, concurrency: int) -> Row:
    """Through all actors, called in tasks of one loop."""
    lm = model(url, concurrency)
    return in_tasks(concurrency, lambda: lm.acall(QUESTION))


ROWS = {
    "raw": raw,
    "httpx": shared_httpx,
    "transport": transport,
    "lm_threads": lm_threads,
    "lm_tasks": lm_tasks,
}
"""Every row, by name."""


def measure(
    row: str, url: str, concurrency: int, calls: int, repeat: int
) -> dict[str, float]:
    """Make the calls, after a round that opens connections and imports modules."""
    rounds, close = ROWS[row](url, concurrency)
    rounds(concurrency)
    walls, cpus = [], []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        rounds(calls)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    close()
    return {
        "cpu_ms": 1000 * statistics.median(cpus) / calls,
        "wall_s": statistics.median(walls),
        "peak_rss_mb": memory_mb("VmHWM"),
    }


def main() -> None:
    """Measure the row named on the command line."""
    row, url, *numbers = sys.argv[1:]
    concurrency, calls, repeat = map(int, numbers)
    print(json.dumps(measure(row, url, concurrency, calls, repeat)))


if __name__ == "__main__":
    main()
