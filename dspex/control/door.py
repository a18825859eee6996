"""The one socket of this process: opened for the first who wants it, closed after all.

Who wants it says so with a key of any kind; it is opened where the first one says. That
it cannot be opened harms nobody: it is told once, as a warning.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Hashable
from pathlib import Path

from dspex.control import place
from dspex.control.asking import sweep
from dspex.control.listener import Listener


class Door:
    """The socket of a process, and who wants it to be there."""

    def __init__(self) -> None:
        # Protects all below: trees start and end in any thread.
        self._lock = threading.Lock()
        self._inside: set[Hashable] = set()
        self._listener: Listener | None = None
        self._was_told = False
        self._ends_with_program = False

    @property
    def path(self) -> Path | None:
        """Where the socket is; `None` while there is none."""
        listener = self._listener
        return None if listener is None else listener.path

    def enter(self, who: Hashable, home: Path, *, in_home: bool = True) -> None:
        """Have the socket open until `who` leaves.

        Args:
            who: Leaves by it.
            home: The folder of all that dspex writes.
            in_home: Whether a folder for it may be made there.
        """
        if not place.IS_POSSIBLE:
            return
        with self._lock:
            is_first = not self._inside
            self._inside.add(who)
            if not is_first:
                return
            try:
                self._listener = _opened(home, in_home=in_home)
            except (OSError, RuntimeError) as error:
                self._tell(error)
            else:
                self._close_at_the_end()

    def leave(self, who: Hashable) -> None:
        """Want it no more; the last one closes it. Harmless when not inside."""
        with self._lock:
            if who in self._inside:
                self._inside.remove(who)
                if not self._inside:
                    self._close()

    def close(self) -> None:
        """Close it whoever wants it, at the program's end."""
        with self._lock:
            self._inside.clear()
            self._close()

    def forget(self) -> None:
        """After a fork: the child does not answer for its parent."""
        self._lock = threading.Lock()
        self._inside = set()
        listener, self._listener = self._listener, None
        if listener is not None:
            # Else its descriptor would listen on when the parent is gone.
            listener.let_go()

    def _close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
            _remove_empty(listener.path.parent)

    def _close_at_the_end(self) -> None:
        if not self._ends_with_program:
            self._ends_with_program = True
            atexit.register(self.close)

    def _tell(self, error: Exception) -> None:
        if self._was_told:
            return
        self._was_told = True
        # Loaded here: a process that has its socket needs no logging for it.
        import structlog

        log = structlog.get_logger(__name__)
        log.warning("control_not_opened", error=str(error), see="Config(control=False)")


def _opened(home: Path, *, in_home: bool) -> Listener:
    in_the_home, short = place.folders(home)
    if in_home and place.fits(in_the_home):
        # A home that cannot be written is no reason to be blind.
        with contextlib.suppress(OSError):
            return _opened_in(in_the_home)
    try:
        return _opened_in(short)
    except FileNotFoundError:
        # Another process has just left, and removed the folder.
        return _opened_in(short)


def _opened_in(folder: Path) -> Listener:
    place.make_folder(folder)
    sweep(folder)
    return Listener(folder / place.new_name())


def _remove_empty(folder: Path) -> None:
    """Remove a folder in /tmp after its last socket; that in the home stays."""
    if folder.name != place.FOLDER:
        with contextlib.suppress(OSError):
            folder.rmdir()


door = Door()
"""That of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=door.forget)
