"""A program in a terminal of its own, typed to as a person would."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.docs.pages import ROOT

CTRL_C: Final = "\x03"
CTRL_D: Final = "\x04"
CTRL_Z: Final = "\x1a"
ENTER: Final = "\r"
TAB: Final = "\t"

PATIENCE: Final = 120.0
"""Seconds after which a test gives up; nothing is ever expected to take so long."""

# A Ctrl-C reaches the programs of the terminal's session, so ours leads one.
_LEAD = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[=>()][0-9A-B]?)")


class Terminal:
    """A terminal with one program in it. Use it as a context manager.

    Args:
        words: The program and its arguments.
        folder: Where it runs.
        env: What its environment has besides ours.
    """

    def __init__(
        self, words: Sequence[str], folder: Path, env: Mapping[str, str]
    ) -> None:
        self._ours, its = pty.openpty()
        self.raw = b""
        self._told = ""
        self._seen = 0
        self._changed = threading.Condition()
        self._is_over = False
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LEAD, *words],
            cwd=folder,
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        )
        os.close(its)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        os.close(self._ours)

    def type(self, keys: str) -> None:
        """Type keys."""
        os.write(self._ours, keys.encode())

    def expect(self, text: str) -> str:
        """Wait for a text that comes after the one expected last; return what came."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._position(text) >= 0 or self._is_over, PATIENCE
            )
            position = self._position(text)
            assert position >= 0, f"no {text!r} in:\n{self._told}"
            before = self._told[self._seen : position]
            self._seen = position + len(text)
            return before

    def rest(self) -> str:
        """Wait until the program has ended; return what came after all expected."""
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return self._told[self._seen :]

    def is_as_before(self) -> bool:
        """Say whether the terminal shows what is typed and hands it on by lines."""
        flags = termios.tcgetattr(self._ours)[3]
        return bool(flags & termios.ICANON and flags & termios.ECHO)

    def _position(self, text: str) -> int:
        return self._told.find(text, self._seen)

    def _read(self) -> None:
        # Linux ends a terminal that nobody has open any more with an error.
        try:
            while piece := os.read(self._ours, 4096):
                self.raw += piece
                with self._changed:
                    self._told = _plain(self.raw)
                    self._changed.notify_all()
        except OSError:
            pass
        with self._changed:
            self._is_over = True
            self._changed.notify_all()


def _plain(raw: bytes) -> str:
    """What a person reads of it, without colours and moves of the cursor."""
    return _ESCAPES.sub("", raw.decode(errors="replace")).replace("\r", "")
