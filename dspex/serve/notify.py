"""What a service manager is told: systemd's notification protocol, and nothing else.

Lines of text in a datagram to the socket that `NOTIFY_SOCKET` names. Without one, as
in a terminal or a container, nothing is sent. Holds no actor and no thread.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Mapping

_PATIENCE: float = 1.0
"""Seconds that the manager's socket may be full."""
_MICROSECONDS = 1_000_000
_LONGEST = 2**64
"""What the manager writes for "for ever" is just below; nothing above is its word."""


class Notifier:
    """Tells the service manager how this process is.

    Nothing here raises: a manager that is gone or busy is no reason to end.

    Example:
        >>> Notifier(None).ready("serving")  # nobody asked for it
        False

    Args:
        address: The socket: a path, or a name that begins with `@` for one that is in
            no folder. `None` for nobody.
        monotonic: The clock by which the manager measures, in seconds.
    """

    def __init__(
        self, address: str | None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = address
        self._monotonic = monotonic

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Notifier:
        """Make the one that the manager asked for when it started this process."""
        return cls(environ.get("NOTIFY_SOCKET") or None)

    def ready(self, status: str) -> bool:
        """It serves: for the first time, or again after `reloading`."""
        return self._send("READY=1", _status(status))

    def reloading(self) -> bool:
        """It reads its configuration again; `ready` ends that."""
        now = int(self._monotonic() * _MICROSECONDS)
        return self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self, status: str, *, within: float) -> bool:
        """It ends.

        Args:
            status: What a person reads.
            within: Seconds that this may take from now.
        """
        longest = int(within * _MICROSECONDS)
        return self._send(
            "STOPPING=1", f"EXTEND_TIMEOUT_USEC={longest}", _status(status)
        )

    def status(self, text: str) -> bool:
        """How it is, in a line that `systemctl status` shows."""
        return self._send(_status(text))

    def alive(self) -> bool:
        """The watchdog need not bite."""
        return self._send("WATCHDOG=1")

    def _send(self, *facts: str) -> bool:
        """Send facts in one datagram; whether they were taken."""
        target = _target(self._address)
        if target is None:
            return False
        message = "\n".join(facts).encode()
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out,
        ):
            out.settimeout(_PATIENCE)
            return out.sendto(message, target) == len(message)
        return False


def watchdog_interval(environ: Mapping[str, str], process: int) -> float | None:
    """How often the manager is to hear that all is well: half of what it allows.

    Args:
        environ: The environment of the process.
        process: The id of this process; the manager may mean another.

    Returns:
        Seconds; `None` when it does not watch, or what it says makes no sense.

    Example:
        >>> watchdog_interval({"WATCHDOG_USEC": "30000000"}, process=1)
        15.0
    """
    meant = environ.get("WATCHDOG_PID", "")
    if meant and meant != str(process):
        return None
    try:
        allowed = int(environ.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return allowed / _MICROSECONDS / 2 if 0 < allowed < _LONGEST else None


def _target(address: str | None) -> str | None:
    """The address as the socket library wants it; `None` for nobody we can reach."""
    if address is None or not hasattr(socket, "AF_UNIX"):
        return None
    if address.startswith("@"):
        # The first byte of an abstract name is zero.
        return f"\0{address[1:]}"
    return address if address.startswith("/") else None


def _status(text: str) -> str:
    """A line is a fact: what has several lines becomes one."""
    return f"STATUS={' '.join(text.split())}"
