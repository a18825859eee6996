"""Where a daemon listens: an address of the network, or a socket in a folder."""

from __future__ import annotations

import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from dspex.core.errors import ConfigurationError

BACKLOG = 1_024
"""Connections that may wait to be accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A port of this machine."""

    host: str = "127.0.0.1"
    """The address; only this machine reaches the default."""
    port: int = 8_000
    """The port; 0 takes any that is free."""

    async def open(self, runner: web.AppRunner) -> str:
        """Listen.

        Returns:
            The address, with the port that was taken.

        Raises:
            ConfigurationError: Nobody can listen there.
        """
        site = web.TCPSite(runner, self.host, self.port, backlog=BACKLOG)
        try:
            await site.start()
        except OSError as error:
            raise ConfigurationError(
                f"nobody can listen on {self.host!r}, port {self.port}: "
                f"{error.strerror or error}; expected a free port of this machine. "
                "Choose another with --port, or 0 for any that is free."
            ) from error
        port = runner.addresses[0][1]
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{port}"

    def close(self) -> None:
        """Leave nothing behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixSocket:
    """A socket in a folder, which the processes of this machine reach."""

    path: Path
    """Its path. Who may use it is the business of its folder and of the umask."""

    async def open(self, runner: web.AppRunner) -> str:
        """Listen; a socket that a dead process has left is taken away.

        Raises:
            ConfigurationError: Nobody can listen there, or somebody does.
        """
        if _is_served(self.path):
            raise ConfigurationError(
                f"somebody serves at {str(self.path)!r}; expected nobody there. End "
                "that process, or choose another path with --unix-socket."
            )
        site = web.UnixSite(runner, self.path, backlog=BACKLOG)
        try:
            await site.start()
        except OSError as error:
            raise ConfigurationError(
                f"nobody can listen at {str(self.path)!r}: {error.strerror or error}; "
                "expected a path in a folder that this user may write. Choose another "
                "with --unix-socket."
            ) from error
        return f"unix:{self.path}"

    def close(self) -> None:
        """Take the socket away."""
        self.path.unlink(missing_ok=True)


Place = Network | UnixSocket
"""Where a daemon listens."""


def _is_served(path: Path) -> bool:
    """Whether a living process answers there."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return False
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(1.0)
            caller.connect(str(path))
    except OSError:
        return False
    return True
