"""Where a daemon listens: an address of the network, or a socket in a folder."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dspex.core.errors import ConfigurationError
from dspex.core.home import warn_of_others

BACKLOG = 1_024
"""Connections that may wait to be accepted, where there is room for them."""

Protocols = Callable[[], asyncio.BaseProtocol]
"""Makes what handles a connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """A place where somebody listens."""

    address: str
    """What it is called, with the port that was taken."""
    server: asyncio.Server
    """What accepts there."""
    path: Path | None = None
    """The socket's, where it is in a folder."""
    node: tuple[int, int] | None = None
    """Which file that is."""

    def close(self) -> None:
        """Accept nobody any more, and leave nothing behind."""
        self.server.close()
        # Another may be there by now, if somebody has removed this one.
        if self.path is not None and _node(self.path) == self.node:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A port of this machine."""

    host: str = "127.0.0.1"
    """The address; only this machine reaches the default."""
    port: int = 8_000
    """The port; 0 takes any that is free."""

    async def open(self, protocol: Protocols, *, at_once: int = BACKLOG) -> Listening:
        """Listen.

        Args:
            protocol: Makes what handles a connection.
            at_once: Connections that are accepted at a time.

        Raises:
            ConfigurationError: Nobody can listen there.
        """
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                protocol, self.host, self.port, backlog=at_once
            )
        except OSError as error:
            raise ConfigurationError(
                f"nobody can listen on {self.host!r}, port {self.port}: "
                f"{error.strerror or error}; expected a free port of this machine. "
                "Choose another with --port, or 0 for any that is free."
            ) from error
        _let_many_wait(server)
        port = server.sockets[0].getsockname()[1]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return Listening(address=f"http://{host}:{port}", server=server)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixSocket:
    """A socket in a folder, which the processes of this machine reach."""

    path: Path
    """Its path. Who may use it is the business of its folder and of the umask."""

    async def open(self, protocol: Protocols, *, at_once: int = BACKLOG) -> Listening:
        """Listen; a socket that a dead process has left is taken away.

        A folder where any user may write is warned of: they can put a socket of their
        own in its place.

        Args:
            protocol: Makes what handles a connection.
            at_once: Connections that are accepted at a time.

        Raises:
            ConfigurationError: Nobody can listen there, or somebody does.
        """
        try:
            found = _bound(self.path)
        except OSError as error:
            raise ConfigurationError(
                f"nobody can listen at {str(self.path)!r}: {error.strerror or error}; "
                "expected a path in a folder that this user may write, of less than "
                "100 characters, where nothing is but a socket of a process that has "
                "ended. Choose another with --unix-socket."
            ) from error
        warn_of_others(self.path.parent)
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(protocol, sock=found, backlog=at_once)
        _let_many_wait(server)
        return Listening(
            address=f"unix:{self.path}",
            server=server,
            path=self.path,
            node=_node(self.path),
        )


Place = Network | UnixSocket
"""Where a daemon listens."""


def _let_many_wait(server: asyncio.Server) -> None:
    """Have many wait to be accepted, and not only as many as are accepted at once."""
    for each in server.sockets:
        with socket.socket(fileno=os.dup(each.fileno())) as same:
            same.listen(BACKLOG)


def _bound(path: Path) -> socket.socket:
    """Return a socket that listens at a path."""
    if _is_served(path):
        raise ConfigurationError(
            f"somebody serves at {str(path)!r}; expected nobody there. End that "
            "process, or choose another path with --unix-socket."
        )
    if _is_socket(path):
        path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(path))
        # At once: whoever finds one at which nobody listens takes it for a dead one's.
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def _is_served(path: Path) -> bool:
    """Whether a process is there; one that is too busy to let us in counts."""
    if not _is_socket(path):
        return False
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(1.0)
        try:
            caller.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except OSError:
        return False


def _node(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
