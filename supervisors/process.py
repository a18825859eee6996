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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from supervisors._callbacks import Stop
from supervisors._threads import THREADS
from supervisors.actor import Actor
from supervisors.exits import KILLED, ExitReason, Failed

LONGEST_LINE = 64 * 1024
"""Bytes of one line of output; a longer one counts as several."""

TAIL_PATIENCE = 1.0
"""Seconds to wait for the last output of a process that has ended.

It is there at once, unless a child of the process keeps the pipe open.
"""


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


class _Running:
    """One process. `ready` belongs to the actor's thread."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.gone = threading.Event()
        self.stdout_read = threading.Event()
        self.stderr_read = threading.Event()
        self.ready = False


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of standard output. Cast by its reader until the process is ready."""

    running: _Running
    text: str


@dataclass(frozen=True, slots=True)
class _Ended:
    """The process has ended. Cast by the one who waits for it."""

    running: _Running
    returncode: int


@dataclass(frozen=True, slots=True)
class _ReadyTimeout:
    """It should be ready by now. Sent by a timer."""

    running: _Running


class ProcessActor(Actor):
    """Runs one process, and ends when that ends by itself.

    A subclass may also stop the process for a while (`stop_process`) and start it anew
    (`start_process`).
    """

    def __init__(self, spec: ProcessSpec) -> None:
        super().__init__()
        self._spec = spec
        self._running: _Running | None = None
        # The readers append, so that a flood of output never fills the mailbox.
        self._output: deque[str] = deque(maxlen=spec.kept_lines)
        # A kill runs no clean-up of ours, and must not leave the process behind.
        self.life.before_end(self._kill_process)

    def on_ready(self, value: Any) -> None:
        """The process is ready; `value` is what `ProcessSpec.ready` returned."""

    @property
    def pid(self) -> int | None:
        """The process id, while there is a process."""
        return None if self._running is None else self._running.process.pid

    def on_start(self) -> None:
        """Start the process. That it runs is a start; ready comes later."""
        self.start_process()

    def start_process(self) -> None:
        """Start the process, unless it runs."""
        if self._running is not None:
            return
        spec = self._spec
        process = subprocess.Popen(  # noqa: S603 - no shell; argv is the caller's
            spec.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if spec.env is None else dict(spec.env),
            # A Ctrl-C in the terminal is for us, not for it.
            process_group=0,
        )
        self._running = running = _Running(process)
        THREADS.run(lambda: self._read_stdout(running))
        THREADS.run(lambda: self._read_stderr(running))
        THREADS.run(lambda: self._wait_for(running))
        self.send_after(spec.ready_timeout, _ReadyTimeout(running))
        if self.life.over():
            # Killed while the process was being started: its killer saw none yet.
            self._kill_process(KILLED)

    def stop_process(self) -> None:
        """Stop the process in three steps, if it runs, and wait until it is gone."""
        running = self._running
        if running is None:
            return
        grace = self._spec.stop_grace
        _close(running.process.stdin)
        if not running.gone.wait(grace):
            running.process.terminate()
        if not running.gone.wait(grace):
            running.process.kill()
        running.gone.wait()
        # Only now: until here a kill of this actor must find the process.
        self._running = None

    def on_receive(self, message: object) -> Any:
        """Take note of what the process does; older ones are of no interest."""
        match message:
            case _Line():
                self._take_line(message)
            case _Ended():
                if message.running is self._running:
                    term = ProcessEnded(message.returncode, tuple(self._output))
                    raise Stop(Failed(term))
            case _ReadyTimeout():
                if message.running is self._running and not message.running.ready:
                    seconds = self._spec.ready_timeout
                    raise Stop(Failed(f"its process was not ready after {seconds:g} s"))
            case _:
                return super().on_receive(message)
        return None

    def on_end(self, reason: ExitReason) -> None:
        """Stop the process."""
        del reason
        self.stop_process()

    def _take_line(self, line: _Line) -> None:
        running = line.running
        if running is not self._running or running.ready:
            return
        value = self._spec.ready(line.text)
        if value is not None:
            running.ready = True
            self.on_ready(value)

    def _read_stdout(self, running: _Running) -> None:
        for text in _lines(running.process.stdout):
            self._output.append(text)
            if not running.ready:
                self.actor_ref.cast(_Line(running, text))
        running.stdout_read.set()

    def _read_stderr(self, running: _Running) -> None:
        self._output.extend(_lines(running.process.stderr))
        running.stderr_read.set()

    def _wait_for(self, running: _Running) -> None:
        returncode = running.process.wait()
        running.gone.set()
        running.stdout_read.wait(TAIL_PATIENCE)
        running.stderr_read.wait(TAIL_PATIENCE)
        self.actor_ref.cast(_Ended(running, returncode))

    def _kill_process(self, reason: ExitReason) -> None:
        del reason
        running = self._running
        if running is not None and not running.gone.is_set():
            _close(running.process.stdin)
            running.process.kill()


def _lines(stream: IO[bytes] | None) -> Iterator[str]:
    """The lines of a pipe until its other end closes."""
    if stream is None:
        return
    with stream:
        while line := stream.readline(LONGEST_LINE):
            yield line.decode("utf-8", "replace").rstrip("\r\n")


def _close(stream: IO[bytes] | None) -> None:
    """Close a pipe whose other end may be gone."""
    if stream is None:
        return
    try:
        stream.close()
    except OSError:
        return
