"""When a process counts as ready: probes that are asked again and again.

A probe asks the world, not the process: a port, a file or an address that somebody else
already serves makes it say yes. Give each process a port or a file of its own, and
remove the file of an earlier life before the start.
"""

from __future__ import annotations

import contextlib
import queue
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from supervisors._future import ReplyFuture
from supervisors.clock import Clock
from supervisors.errors import ConfigError

INTERVAL = 0.1
"""Seconds between two questions, unless said otherwise."""
PATIENCE = 1.0
"""Seconds that one question of a ready-made probe may take."""


@dataclass(frozen=True, slots=True)
class ReadyProbe:
    """A question that is asked until its answer is yes.

    It is asked on a thread of its own, never the actor's, and never twice at a time.
    A `check` that blocks is not interrupted: give whatever it opens a timeout.
    """

    check: Callable[[], Any]
    """Returns `None` or `False`, or raises an `OSError`, for "not yet".

    Anything else is a yes, and is what `ProcessActor.on_ready` gets. Any other
    exception ends the actor.
    """
    interval: float = INTERVAL
    """Seconds to wait after a "not yet"."""

    def __post_init__(self) -> None:
        if not self.interval > 0:
            msg = (
                f"a probe has interval={self.interval}; it is the seconds between two "
                "questions. Pass a positive number."
            )
            raise ConfigError(msg)


def port_accepts(
    port: int, host: str = "127.0.0.1", *, interval: float = INTERVAL
) -> ReadyProbe:
    """Ready when a TCP connection to the port is accepted."""

    def check() -> bool:
        socket.create_connection((host, port), timeout=PATIENCE).close()
        return True

    return ReadyProbe(check, interval)


def file_exists(path: str | Path, *, interval: float = INTERVAL) -> ReadyProbe:
    """Ready when there is something at that path, such as a socket or a pid file."""
    return ReadyProbe(Path(path).exists, interval)


def http_answers(url: str, *, interval: float = INTERVAL) -> ReadyProbe:
    """Ready when a GET of `url` is answered with a status from 200 to 299.

    It follows no redirect and uses no proxy.

    Raises:
        ConfigError: The URL is not one of http or https.
    """
    # Loads TLS and more, which a program without such a probe does not need.
    import http.client

    parts = urlsplit(url)
    kinds = {
        "http": http.client.HTTPConnection,
        "https": http.client.HTTPSConnection,
    }
    if parts.scheme not in kinds or not parts.hostname:
        msg = (
            f"{url!r} cannot be asked for readiness; expected a URL of http or https. "
            "Pass one such as 'http://127.0.0.1:8080/health'."
        )
        raise ConfigError(msg)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def check() -> bool:
        connection = kinds[parts.scheme](parts.netloc, timeout=PATIENCE)
        with contextlib.closing(connection):
            try:
                connection.request("GET", path)
                status: int = connection.getresponse().status
            except http.client.HTTPException:
                # Whatever listens there does not speak HTTP yet.
                return False
        return 200 <= status < 300

    return ReadyProbe(check, interval)


def ask(settled: ReplyFuture[Any], check: Callable[[], Any]) -> None:
    """Ask once; settle with a yes, or with what the question raised."""
    try:
        answer = check()
    except BaseException as error:  # noqa: BLE001 - the waiting actor gets it, whatever it is
        settled.reject(error)
        return
    if answer is not None and answer is not False:
        settled.resolve(answer)


def keep_asking(probe: ReadyProbe, settled: ReplyFuture[Any], clock: Clock) -> None:
    """Ask until `settled` is, by a yes or by somebody else."""

    def check() -> Any:
        with contextlib.suppress(OSError):
            return probe.check()

    with waiting_for(settled, clock) as wait:
        while not settled.done():
            ask(settled, check)
            wait(probe.interval)


@contextlib.contextmanager
def waiting_for(
    settled: ReplyFuture[Any], clock: Clock
) -> Iterator[Callable[[float], bool]]:
    """Wait for a future on a clock that may be wound by hand.

    Yields:
        A function that waits at most so many seconds, and says whether it is settled.
    """
    woken: queue.SimpleQueue[None] = queue.SimpleQueue()

    def wait(seconds: float) -> bool:
        deadline = clock.monotonic() + seconds
        while not settled.done():
            left = deadline - clock.monotonic()
            if left <= 0:
                return False
            with contextlib.suppress(queue.Empty):
                woken.get(timeout=left)
        return True

    settled.on_done(lambda _: woken.put(None))
    unsubscribe = clock.subscribe(lambda: woken.put(None))
    try:
        yield wait
    finally:
        unsubscribe()
