"""An operating-system process as a child of a supervisor.

The process gets three pipes. Its standard input is its lifeline: it must end when that
closes, so it also ends when this process dies by any means. Its output is read all the
time and the last lines are kept. It is stopped by closing its input, then `SIGTERM`,
then `SIGKILL`.
"""

from __future__ import annotations

import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from supervisors._threads import THREADS
from supervisors.actor import Actor, Stop
from supervisors.exits import ExitReason, Failed

LONGEST_LINE = 64 * 1024
"""Bytes of one line of output that are kept; the rest of it is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """How to run a process and know that it is ready."""

    argv: tuple[str, ...]
    """The program and its arguments."""
    ready: Callable[[str], Any]
    """Given each line of standard output until it returns something but `None`."""
    env: Mapping[str, str] | None = field(default=None, repr=False)
    """The whole environment; `None` inherits ours. Never shown: it may hold a key."""
    ready_timeout: float = 30.0
    """Seconds until it must be ready."""
    stop_grace: float = 5.0
    """Seconds it may take after its input closed, and again after `SIGTERM`."""
    kept_lines: int = 100
    """Lines of output kept for error messages."""


@dataclass(frozen=True, slots=True)
class ProcessEnded:
    """The term of the exit reason when the process ended by itself."""

    returncode: int
    """As `subprocess` gives it: negative for a signal."""
    output: tuple[str, ...]
    """Its last lines, both streams, as they came."""

    def __str__(self) -> str:
        how = (
            f"by signal {-self.returncode}"
            if self.returncode < 0
            else f"with exit code {self.returncode}"
        )
        last = next((line for line in reversed(self.output) if line.strip()), None)
        return f"its process ended {how}" + (f", last saying: {last}" if last else "")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of output. Cast by a reader."""

    text: str
    standard: bool


@dataclass(frozen=True, slots=True)
class _Ended:
    """The process has ended. Cast by the one who waits for it."""

    returncode: int


@dataclass(frozen=True, slots=True)
class _ReadyTimeout:
    """It should be ready by now. Sent by a timer."""


class ProcessActor(Actor):
    """Runs one process and lives exactly as long as it does."""

    def __init__(self, spec: ProcessSpec) -> None:
        super().__init__()
        self._spec = spec
        self._process: subprocess.Popen[bytes] | None = None
        self._gone = threading.Event()
        self._ready = False
        self._output: deque[str] = deque(maxlen=spec.kept_lines)
        # A kill runs no clean-up of ours, and must not leave the process behind.
        self.life.before_end(self._kill_process)

    def on_ready(self, value: Any) -> None:
        """The process is ready; `value` is what `ProcessSpec.ready` returned."""

    @property
    def pid(self) -> int | None:
        """The process id, while there is a process."""
        return None if self._process is None else self._process.pid

    def on_start(self) -> None:
        """Start the process. That it runs is a start; ready comes later."""
        spec = self._spec
        self._process = process = subprocess.Popen(  # noqa: S603 - no shell; argv is the caller's
            spec.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if spec.env is None else dict(spec.env),
            # A Ctrl-C in the terminal is for us, not for it.
            process_group=0,
        )
        THREADS.run(lambda: self._read(process.stdout, standard=True))
        THREADS.run(lambda: self._read(process.stderr, standard=False))
        THREADS.run(lambda: self._wait_for(process))
        self.send_after(spec.ready_timeout, _ReadyTimeout())

    def on_receive(self, message: object) -> Any:
        """Take note of what the process does."""
        match message:
            case _Line():
                self._take_line(message)
            case _Ended():
                raise Stop(Failed(ProcessEnded(message.returncode, self._tail())))
            case _ReadyTimeout():
                self._check_ready()
            case _:
                return super().on_receive(message)
        return None

    def on_end(self, reason: ExitReason) -> None:
        """Stop the process in three steps."""
        del reason
        process = self._process
        if process is None:
            return
        grace = self._spec.stop_grace
        _close(process.stdin)
        if not self._gone.wait(grace):
            process.terminate()
        if not self._gone.wait(grace):
            process.kill()
        self._gone.wait()

    def _take_line(self, line: _Line) -> None:
        self._output.append(line.text)
        if self._ready or not line.standard:
            return
        value = self._spec.ready(line.text)
        if value is not None:
            self._ready = True
            self.on_ready(value)

    def _check_ready(self) -> None:
        if not self._ready:
            msg = f"its process was not ready after {self._spec.ready_timeout:g} s"
            raise Stop(Failed(msg))

    def _tail(self) -> tuple[str, ...]:
        return tuple(self._output)

    def _read(self, stream: IO[bytes] | None, *, standard: bool) -> None:
        if stream is None:
            return
        with stream:
            while line := stream.readline(LONGEST_LINE):
                text = line.decode("utf-8", "replace").rstrip("\n")
                self.actor_ref.cast(_Line(text, standard))

    def _wait_for(self, process: subprocess.Popen[bytes]) -> None:
        returncode = process.wait()
        self._gone.set()
        self.actor_ref.cast(_Ended(returncode))

    def _kill_process(self) -> None:
        process = self._process
        if process is not None and not self._gone.is_set():
            _close(process.stdin)
            process.kill()


def _close(stream: IO[bytes] | None) -> None:
    """Close a pipe whose other end may be gone."""
    if stream is None:
        return
    try:
        stream.close()
    except OSError:
        return
