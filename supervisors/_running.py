"""One operating-system process with all that belongs to it, from start to reaping.

One thread per process reads its output and its end. Nobody else reaps it, and its
number names it, and its group, until then.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import cast

from supervisors import _guard
from supervisors._future import ReplyFuture
from supervisors._mailbox import remaining
from supervisors._output import LineCutter, OutputTail
from supervisors._threads import THREADS
from supervisors.clock import SYSTEM_CLOCK
from supervisors.process_spec import ProcessSpec

TAIL_PATIENCE = 1.0
"""Seconds to wait for the last output of a process that has ended.

It is there at once, unless a process that left the group keeps the pipe open.
"""

READ_AT_ONCE = 64 * 1024
"""Bytes read in one go."""


class GuardError(OSError):
    """The guard ended before it had started its program."""


class RunningProcess:
    """A process, its guard if it has one, and the thread that watches both.

    Args:
        spec: How to run it.
        output: Where its output is kept.
        on_line: Called with each line of standard output, on the watching thread.
        on_end: Called once with the return code, on the watching thread, when the
            process is reaped and its last output is kept.

    Raises:
        OSError: The program could not be started.
    """

    def __init__(
        self,
        spec: ProcessSpec,
        output: OutputTail,
        on_line: Callable[[str], None],
        on_end: Callable[[int], None],
    ) -> None:
        self._spec = spec
        self._output = output
        self._on_line = on_line
        self._on_end = on_end
        self.started: ReplyFuture[int] = ReplyFuture()
        """The program's process id, or the `OSError` that kept it from running."""
        self.gone = threading.Event()
        """Set when the process has been reaped."""
        self._read = threading.Event()
        # Protects the process's number: no signal is sent once it may be another's.
        self._lock = threading.Lock()
        self._reported: int | None = None
        self._lifeline: FileIO | None = None
        # Without waitid() an end cannot be seen before it is reaped, but by a guard.
        if spec.watches_stdin and hasattr(os, "waitid"):
            self._start_alone()
        else:
            self._start_guarded()
        # With `bufsize=0` all three are plain files.
        self.stdin = cast("FileIO", self._process.stdin)
        """The writing end of its standard input."""
        _ALL.add(self)
        THREADS.run(self._watch)

    def signal(self, number: int) -> None:
        """Send a signal to the process and all others of its group."""
        with self._lock:
            if not self.gone.is_set():
                self._signal(number)

    def kill(self) -> None:
        """End the whole group at once; the watching thread reaps it."""
        self.signal(signal.SIGKILL)

    def stop(self) -> None:
        """Close its input, then `SIGTERM`, then `SIGKILL`.

        Returns when it is gone and its last output is kept.
        """
        self.stdin.close()
        if not self.gone.wait(self._spec.stdin_grace):
            self.signal(signal.SIGTERM)
            if not self.gone.wait(self._spec.term_grace):
                self.kill()
        self._read.wait()

    def leave_to_parent(self) -> None:
        """In a forked child: close what would keep the process from seeing us die."""
        self.stdin.close()
        if self._lifeline is not None:
            self._lifeline.close()

    def _signal(self, number: int) -> None:
        # macOS refuses when all of the group have ended and wait to be reaped.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    # Starting.

    def _start_alone(self) -> None:
        self._process = self._open(self._spec.argv)
        self.started.resolve(self._process.pid)
        reading, writing = os.pipe()
        self._end = reading
        process = self._process

        def wait() -> None:
            with contextlib.suppress(ChildProcessError):
                # It stays unreaped, so its number stays taken.
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            os.close(writing)

        THREADS.run(wait)

    def _start_guarded(self) -> None:
        if not sys.executable:
            msg = (
                "sys.executable names no Python to run the guard with; set it, or run "
                "a program that ends when its input closes, with watches_stdin=True"
            )
            raise GuardError(msg)
        spec = self._spec
        environment = os.environ if spec.env is None else spec.env
        watched, lifeline = os.pipe()
        self._end, report = os.pipe()
        self._lifeline = FileIO(lifeline, "w")
        try:
            guard = (sys.executable, "-I", "-S", str(Path(_guard.__file__).resolve()))
            ends = (str(watched), str(report))
            graces = (str(spec.stdin_grace), str(spec.term_grace))
            keeps_locale = "yes" if "LC_CTYPE" in environment else "no"
            command = (*guard, *ends, *graces, keeps_locale, *spec.argv)
            self._process = self._open(command, (watched, report))
        except BaseException:
            self._lifeline.close()
            os.close(self._end)
            raise
        finally:
            os.close(watched)
            os.close(report)

    def _open(
        self, command: tuple[str, ...], fds: tuple[int, ...] = ()
    ) -> subprocess.Popen[bytes]:
        env = self._spec.env
        return subprocess.Popen(  # noqa: S603 - no shell; argv is the caller's
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=None if env is None else dict(env),
            # A Ctrl-C in the terminal is for us, not for it.
            process_group=0,
            pass_fds=(*fds, *self._spec.pass_fds),
        )

    # Watching, on a thread of its own.

    def _watch(self) -> None:
        with (
            self._process as process,
            FileIO(self._end) as end,
            selectors.DefaultSelector() as selector,
        ):
            for pipe, take in (
                (cast("FileIO", process.stdout), self._take_output),
                (cast("FileIO", process.stderr), self._output.add),
                (end, self._take_report),
            ):
                selector.register(pipe, selectors.EVENT_READ, _Lines(take))
            self._read_all(selector, end)
        self._read.set()
        reported = self._reported
        self._on_end(process.returncode if reported is None else reported)

    def _read_all(self, selector: selectors.BaseSelector, end: FileIO) -> None:
        """Read the output until the process has gone, and what is left of it then."""
        pipes = selector.get_map()
        while end in pipes:
            self._read_once(selector, None)
        self._reap()
        deadline = SYSTEM_CLOCK.monotonic() + TAIL_PATIENCE
        while pipes and (left := remaining(deadline)):
            self._read_once(selector, left)
        for key in pipes.values():
            key.data.finish()

    def _read_once(
        self, selector: selectors.BaseSelector, timeout: float | None
    ) -> None:
        for key, _ in selector.select(timeout):
            chunk = os.read(key.fd, READ_AT_ONCE)
            if chunk:
                key.data.take(chunk)
            else:
                key.data.finish()
                selector.unregister(key.fileobj)

    def _take_output(self, line: bytes) -> None:
        self._on_line(self._output.add(line))

    def _take_report(self, line: bytes) -> None:
        word, _, number = line.partition(b" ")
        match word:
            case b"started":
                self.started.resolve(int(number))
            case b"refused":
                error = OSError(int(number), os.strerror(int(number)))
                self.started.reject(error)
            case _:
                self._reported = int(number)

    def _reap(self) -> None:
        with self._lock:
            # What is left of the group ends too; also all of it, when the guard was
            # killed. Only then is the number given back.
            self._signal(signal.SIGKILL)
            self._process.wait()
            self.gone.set()
        self.started.reject(GuardError("the guard that was to start it has ended"))
        if self._lifeline is not None:
            self._lifeline.close()


class _Lines:
    """Cuts one pipe into lines and hands them on."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._cutter = LineCutter()
        self._take = take

    def take(self, chunk: bytes) -> None:
        for line in self._cutter.feed(chunk):
            self._take(line)

    def finish(self) -> None:
        for line in self._cutter.finish():
            self._take(line)


_ALL: weakref.WeakSet[RunningProcess] = weakref.WeakSet()
"""Those whose pipes a fork copies."""


def _leave_all_to_parent() -> None:
    for running in tuple(_ALL):
        running.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_parent)
