"""Lines through a socket, each within a time and a size."""

from __future__ import annotations

import socket
import time
from typing import Final

from dspex.control.errors import RefusedError

_PIECE: Final = 64 * 1024


def read_line(connection: socket.socket, longest: int, within: float) -> bytes:
    """Read up to a line feed, or to the end.

    Args:
        connection: Where from.
        longest: Bytes it may have.
        within: Seconds it may take as a whole.

    Raises:
        TimeoutError: It was not there in time.
        OSError: The other end has gone.
        RefusedError: It is longer.
    """
    deadline = time.monotonic() + within
    pieces: list[bytes] = []
    size = 0
    while True:
        connection.settimeout(_left(deadline))
        piece = connection.recv(_PIECE)
        size += len(piece)
        if size > longest:
            text = f"a line has more than {longest:,} bytes, which is the most."
            raise RefusedError("too_large", text)
        pieces.append(piece)
        if not piece or piece.endswith(b"\n"):
            return b"".join(pieces)


def send_all(connection: socket.socket, line: bytes, within: float) -> None:
    """Send a line.

    Raises:
        TimeoutError: The other end did not take it in time.
        OSError: It has gone.
    """
    # The standard library takes this as the time of the whole.
    connection.settimeout(within)
    connection.sendall(line)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        msg = "the line did not come in time"
        raise TimeoutError(msg)
    return left
