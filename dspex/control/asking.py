"""Asking processes that run: which there are, and one of them.

Sockets of processes that have ended are removed by whoever finds them.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from dspex.control import protocol
from dspex.control.errors import ControlError, GoneError, NoAnswerError
from dspex.control.lines import read_line, send_all
from dspex.control.peer import is_same_user
from dspex.control.place import IS_POSSIBLE, Place, folders, places

T = TypeVar("T")

ANSWER_WITHIN: Final = 10.0
"""Seconds a process may take to answer."""
GREET_WITHIN: Final = 3.0
"""Seconds a process may take to say who it is."""
_AT_ONCE: Final = 16
"""Processes that are asked at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that has a socket."""

    pid: int
    """Its number."""
    path: Path
    """Its socket."""
    facts: Mapping[str, Any] | None
    """What it says of itself; `None` when it does not answer."""
    trouble: str | None = None
    """Why it does not."""


def ask(
    path: Path,
    verb: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    timeout: float = ANSWER_WITHIN,
) -> Any:
    """Ask the process that listens at a socket, and return its answer.

    Args:
        path: The socket.
        verb: What is asked.
        arguments: The rest of the question.
        timeout: Seconds for everything.

    Raises:
        GoneError: Nobody listens there.
        NoAnswerError: There is no answer in time, or it is none.
        RefusedError: The process said no.
    """
    deadline = time.monotonic() + timeout
    request = protocol.Request(verb=verb, arguments=arguments or {})
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            _connect(connection, path, deadline)
            # Whoever has hung up before it has heard all may have said why.
            with contextlib.suppress(ConnectionError):
                send_all(connection, protocol.request_line(request), timeout)
            left = max(0.0, deadline - time.monotonic())
            line = read_line(connection, protocol.LONGEST_ANSWER, left)
            if not line:
                _hung_up()
    except (ConnectionRefusedError, FileNotFoundError) as error:
        raise GoneError(
            f"nobody listens at {str(path)!r}; a process that runs was expected. "
            "`dspex ps` lists those that do."
        ) from error
    except OSError as error:
        raise NoAnswerError(
            f"the process at {str(path)!r} did not answer within {timeout:g} s "
            f"({error}). It is stopped, is about to end, or holds Python's lock; try "
            "again."
        ) from error
    return protocol.read_answer(line)


def _hung_up() -> NoReturn:
    msg = "it hung up"
    raise ConnectionAbortedError(msg)


def _connect(connection: socket.socket, path: Path, deadline: float) -> None:
    while True:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            connection.connect(os.fspath(path))
        except BlockingIOError:
            # More wait to be heard than there is room for.
            if time.monotonic() >= deadline:
                raise
            os.sched_yield() if hasattr(os, "sched_yield") else None
        else:
            break
    if not is_same_user(connection):
        raise PermissionError("it belongs to another user")


def processes(home: Path) -> list[Process]:
    """Return the processes of this user that have a socket for that home, by number.

    Args:
        home: The folder of all that dspex writes.
    """
    if not IS_POSSIBLE:
        return []
    found = [each for folder in folders(home) for each in places(folder)]
    greeted = side_by_side(_greeted, found)
    return sorted((each for each in greeted if each), key=lambda each: each.pid)


def side_by_side(do: Callable[[Any], T], whom: Sequence[Any]) -> Iterable[T]:
    """Do the same with each, several at a time, so that no slow one holds all up."""
    if len(whom) < 2:
        return [do(each) for each in whom]
    with ThreadPoolExecutor(min(_AT_ONCE, len(whom))) as threads:
        return list(threads.map(do, whom))


def _greeted(found: Place) -> Process | None:
    try:
        facts = ask(found.path, "ps", timeout=GREET_WITHIN)
    except GoneError:
        if found.is_here:
            with contextlib.suppress(OSError):
                found.path.unlink()
        return None
    except ControlError as error:
        return Process(
            pid=found.pid, path=found.path, facts=None, trouble=error.message
        )
    return Process(pid=found.pid, path=found.path, facts=facts)


def sweep(folder: Path) -> None:
    """Remove the sockets of processes that have ended; quick where there are none."""
    for each in places(folder):
        if each.is_here and _has_ended(each):
            with contextlib.suppress(OSError):
                each.path.unlink()


def _has_ended(found: Place) -> bool:
    if found.pid != os.getpid():
        try:
            os.kill(found.pid, 0)
        except ProcessLookupError:
            pass
        except OSError:
            return False
        else:
            return False
    # Its number is not enough: in a container of its own it has another one.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(0)
        try:
            connection.connect(os.fspath(found.path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
