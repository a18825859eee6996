"""One thread that listens, and one for each question while it is being answered.

None of them is an actor, so they answer when any actor is stuck.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from pathlib import Path
from typing import Final

from dspex.control import protocol
from dspex.control.answers import answered
from dspex.control.errors import RefusedError
from dspex.control.lines import read_line, send_all
from dspex.control.peer import is_same_user

ASK_WITHIN: Final = 5.0
"""Seconds whoever has come may take to ask, and to take the answer."""
AT_ONCE: Final = 8
"""Questions that are answered at a time."""
WAITING: Final = 16
"""Questions that may wait to be heard."""
_END_WITHIN: Final = 1.0
"""Seconds to wait for the thread to end, which only has to wake."""
_BREATH: Final = 0.1
"""Seconds to wait when nobody can be let in, such as without a free descriptor."""


class Listener:
    """Listens at a path until it is closed.

    Args:
        path: Where the socket is to be. Its folder is this user's alone.

    Raises:
        OSError: It cannot be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._over = threading.Event()
        self._free = threading.Semaphore(AT_ONCE)
        self._wake, self._bell = os.pipe()
        try:
            self._socket = _listening(path)
        except BaseException:
            self._close_pipe()
            raise
        self._thread = threading.Thread(
            target=self._listen, name="dspex control", daemon=True
        )
        try:
            self._thread.start()
        except BaseException:
            # No thread can be started; at the end of the program, for one.
            self._take_down()
            self._close_files()
            raise

    def close(self) -> None:
        """Listen no more. The socket is gone then; what is being answered goes on."""
        self._over.set()
        self._take_down()
        os.write(self._bell, b"!")
        self._thread.join(_END_WITHIN)
        if not self._thread.is_alive():
            self._close_files()

    def let_go(self) -> None:
        """Close what a forked process has inherited; the parent listens on."""
        self._close_files()

    def _take_down(self) -> None:
        # Whoever looks may have been quicker, or somebody deleted the folder.
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _close_files(self) -> None:
        self._socket.close()
        self._close_pipe()

    def _close_pipe(self) -> None:
        os.close(self._wake)
        os.close(self._bell)

    def _listen(self) -> None:
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        waiting.register(self._wake, select.POLLIN)
        while True:
            waiting.poll()
            if self._over.is_set():
                return
            try:
                connection, _ = self._socket.accept()
            except BlockingIOError:
                continue  # whoever had come has gone
            except OSError:
                self._over.wait(_BREATH)
                continue
            self._receive(connection)

    def _receive(self, connection: socket.socket) -> None:
        if not self._free.acquire(blocking=False):
            text = f"{AT_ONCE} questions are being answered; ask again in a moment."
            with connection, contextlib.suppress(OSError):
                connection.settimeout(0)
                connection.send(protocol.error_line(RefusedError("busy", text)))
            return
        try:
            threading.Thread(
                target=self._answer,
                args=(connection,),
                name="dspex control answer",
                daemon=True,
            ).start()
        except RuntimeError:
            # The program is ending, or the system has no more threads.
            connection.close()
            self._free.release()

    def _answer(self, connection: socket.socket) -> None:
        try:
            # Whoever came may go at any moment; nobody else is to know.
            with connection, contextlib.suppress(OSError):
                if is_same_user(connection):
                    answer(connection)
        finally:
            self._free.release()


def answer(connection: socket.socket) -> None:
    """Hear one question and answer it.

    Raises:
        OSError: Whoever asks has gone, or is too slow.
    """
    try:
        line = read_line(connection, protocol.LONGEST_REQUEST, ASK_WITHIN)
        told = protocol.answer_line(answered(protocol.read_request(line)))
    except RefusedError as error:
        told = protocol.error_line(error)
    except (TypeError, ValueError) as error:
        # A mistake of ours: an answer that is no JSON.
        text = f"the answer cannot be sent: {type(error).__name__}."
        told = protocol.error_line(RefusedError("failed", text))
    send_all(connection, told, ASK_WITHIN)


def _listening(path: Path) -> socket.socket:
    """Return a socket that listens; its name is there only when it does."""
    # Whoever finds a socket at which nobody listens takes it for a dead one's.
    hidden = path.with_name(f".{path.name}")
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(0)
        made.bind(os.fspath(hidden))
        try:
            hidden.chmod(0o600)
            made.listen(WAITING)
            hidden.rename(path)
        except BaseException:
            hidden.unlink(missing_ok=True)
            raise
    except BaseException:
        made.close()
        raise
    return made
