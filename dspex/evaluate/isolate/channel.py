"""What two processes say to each other: JSON, a line each, over a socket of theirs."""

from __future__ import annotations

import json
import math
import select
import socket
import threading
import time
from typing import Any, Final

READ_AT_ONCE: Final = 64 * 1024
"""Bytes read in one go."""

Line = dict[str, Any]
"""What is said in one line. Its first key says what it is about."""

# Made once: `json.dumps` would make one for each line. In ASCII, so that half a
# character of a broken text passes too.
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class ChannelClosed(ConnectionError):  # noqa: N818 - news, and no fault of anybody's
    """The other side has gone, or this one has hung up."""


class Channel:
    """One end of the line. Any thread may say something; one thread listens.

    Args:
        end: The socket; it belongs to the channel from now on.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        # It waits beside the socket, whose own timeout would break off what others
        # send, too.
        self._readable = select.poll()
        self._readable.register(end, select.POLLIN)
        self._heard = bytearray()
        # Protects the order of bytes: a line is written whole.
        self._lock = threading.Lock()

    def say(self, line: Line) -> None:
        """Send a line; waits while the other side does not read.

        Raises:
            ChannelClosed: Nobody is there to read it.
            ValueError: It holds what JSON cannot.
        """
        written = f"{_encode(line)}\n".encode("ascii")
        try:
            with self._lock:
                self._end.sendall(written)
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def hear(self, until: float | None = None) -> Line:
        """Wait for the next line.

        Args:
            until: When to stop waiting, on the monotonic clock; `None` is never.

        Raises:
            ChannelClosed: There will be none.
            TimeoutError: None came until then.
        """
        searched = 0
        while (end := self._heard.find(b"\n", searched)) < 0:
            searched = len(self._heard)
            self._heard += self._more(until)
        line: Line = json.loads(self._heard[:end])
        del self._heard[: end + 1]
        return line

    def _more(self, until: float | None) -> bytes:
        try:
            if until is not None:
                left = max(0.0, until - time.monotonic())
                if not self._readable.poll(math.ceil(left * 1000)):
                    raise TimeoutError
            read = self._end.recv(READ_AT_ONCE)
        except TimeoutError:
            raise
        except (OSError, ValueError) as error:
            raise ChannelClosed(str(error)) from error
        if not read:
            raise ChannelClosed("the other side has gone")
        return read

    def hang_up(self) -> None:
        """Wake whoever listens or speaks, on both sides. Any thread may, and again."""
        try:
            self._end.shutdown(socket.SHUT_RDWR)
        except OSError:
            # The other side has gone already.
            return

    def close(self) -> None:
        """Hang up and give the socket back; nobody may be using it any more."""
        self.hang_up()
        self._end.close()
