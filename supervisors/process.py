"""An operating-system process as a child of a supervisor.

Its standard input is a lifeline: it closes when this process dies by any means, and a
small guard, or the program itself, then ends it. Its output is read all the time and
the last lines are kept. It is stopped by closing its input, then `SIGTERM`, then
`SIGKILL`, the signals to its whole process group. For POSIX systems.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from supervisors._callbacks import Stop
from supervisors._future import ReplyFuture
from supervisors._output import OutputTail
from supervisors._running import RunningProcess
from supervisors._threads import THREADS
from supervisors.actor import Actor
from supervisors.exits import KILLED, NORMAL, ExitReason, Failed
from supervisors.process_spec import CannotRun, NotReady, ProcessEnded, ProcessSpec
from supervisors.readiness import ReadyProbe, ask, keep_asking, waiting_for
from supervisors.ref import Ref


class _Run:
    """One run of the program. `announced` belongs to the actor's thread."""

    def __init__(self, due: float) -> None:
        self.due = due
        """Until when it must be ready, on the tree's clock."""
        self.process: RunningProcess | None = None
        self.ready: ReplyFuture[Any] = ReplyFuture()
        self.announced = False


@dataclass(frozen=True, slots=True)
class _Settled:
    """The process is ready, or will never be. Cast by whoever found out."""

    run: _Run


@dataclass(frozen=True, slots=True)
class _Ended:
    """The process has ended. Cast by the thread that watches it."""

    run: _Run
    returncode: int


@dataclass(frozen=True, slots=True)
class _ReadyTimeout:
    """It should be ready by now. Sent by a timer."""

    run: _Run


class ProcessActor(Actor):
    """Runs one process, and ends when that ends by itself.

    Exit code 0 is the reason `normal`, so a transient child that has done its work is
    not started again; every other end is `Failed(ProcessEnded(...))`. An end before it
    was ready is a failure with any code.

    A subclass may also stop the process for a while (`stop_process`) and start it anew
    (`start_process`).
    """

    def __init__(self, spec: ProcessSpec) -> None:
        super().__init__()
        self._spec = spec
        self._run: _Run | None = None
        self._output = OutputTail(spec.kept_lines, spec.kept_bytes)
        self.life.output = self._output.lines
        self.life.process_id = self._pid_now
        # A kill runs no clean-up of ours, and must not leave the process behind.
        self.life.before_end(self._kill_process)

    def on_ready(self, value: Any) -> None:
        """The process is ready; `value` is what `ProcessSpec.ready` said, or `None`."""

    @property
    def pid(self) -> int | None:
        """The program's process id, while there is a process."""
        process = None if self._run is None else self._run.process
        return None if process is None else process.started.get()

    def _pid_now(self) -> int | None:
        """As `pid`, for other threads: waits for nothing."""
        run = self._run
        process = None if run is None else run.process
        if process is None or not process.started.done() or process.started.failed():
            return None
        return cast("int", process.started.get())

    def on_start(self) -> None:
        """Start the process, and wait until it is ready, as the spec says."""
        self.start_process()
        if self._run is not None and self._spec.started_when == "ready":
            self._wait_until_ready(self._run)

    def start_process(self) -> None:
        """Start the process, unless it runs. Does not wait until it is ready.

        Raises:
            Stop: The program cannot be run.
        """
        if self._run is not None:
            return
        spec, clock = self._spec, self.surroundings.clock
        # Its time runs from here on: it may speak before this thread goes on.
        self._run = run = _Run(clock.monotonic() + spec.ready_timeout)
        self.send_after(spec.ready_timeout, _ReadyTimeout(run))
        run.ready.on_done(lambda _: self.actor_ref.cast(_Settled(run)))
        if spec.ready is None:
            # Before it runs: it may end before this thread gets to say so.
            run.ready.resolve(None)
        try:
            run.process = self._open(run)
            if self.life.over():
                # Killed while it was being started: its killer saw none yet.
                self._kill_process(KILLED)
            run.process.started.get()
        except OSError as error:
            self._run = None
            term = CannotRun(spec.argv[0], error.strerror or str(error))
            raise Stop(Failed(term)) from error
        if isinstance(spec.ready, ReadyProbe):
            probe = spec.ready
            THREADS.run(lambda: keep_asking(probe, run.ready, clock))

    def stop_process(self) -> None:
        """Stop the process in three steps, if it runs, and wait until it is gone."""
        run = self._run
        if run is None or run.process is None:
            return
        run.process.stop()
        # Only now: until here a kill of this actor must find the process.
        self._run = None

    def on_receive(self, message: object) -> Any:
        """Take note of what the process does; older ones are of no interest."""
        match message:
            case _Settled(run) if run is self._run:
                self._announce(run)
            case _Ended(run, returncode) if run is self._run:
                raise Stop(self._reason_of(returncode))
            case _ReadyTimeout(run) if run is self._run and not run.ready.done():
                raise Stop(self._not_ready())
            case _Settled() | _Ended() | _ReadyTimeout():
                return None
            case _:
                return super().on_receive(message)
        return None

    def on_end(self, reason: ExitReason) -> None:
        """Stop the process."""
        del reason
        self.stop_process()

    def _open(self, run: _Run) -> RunningProcess:
        ready = self._spec.ready

        def on_line(line: str) -> None:
            if callable(ready) and not run.ready.done():
                ask(run.ready, lambda: ready(line))

        def on_end(returncode: int) -> None:
            run.ready.reject(Stop(self._failed(returncode)))
            self.actor_ref.cast(_Ended(run, returncode))

        return RunningProcess(self._spec, self._output, on_line, on_end)

    def _wait_until_ready(self, run: _Run) -> None:
        try:
            clock = self.surroundings.clock
            with waiting_for(run.ready, clock) as wait:
                if not wait(run.due - clock.monotonic()):
                    raise Stop(self._not_ready())
            self._announce(run)
        except BaseException:
            self.stop_process()
            raise

    def _announce(self, run: _Run) -> None:
        if not run.announced:
            run.announced = True
            # Raises when it will never be ready, or when the question itself did.
            self.on_ready(run.ready.get())

    def _reason_of(self, returncode: int) -> ExitReason:
        return NORMAL if returncode == 0 else self._failed(returncode)

    def _failed(self, returncode: int) -> Failed:
        return Failed(ProcessEnded(returncode, self._output.lines()))

    def _not_ready(self) -> Failed:
        return Failed(NotReady(self._spec.ready_timeout, self._output.lines()))

    def _kill_process(self, reason: ExitReason) -> None:
        del reason
        run = self._run
        if run is not None and run.process is not None:
            run.process.kill()


def output_of(ref: Ref[Any]) -> tuple[str, ...]:
    """The last lines of a process actor's output, both streams, oldest first.

    The actor is not asked, so this works also when it is stuck, and when it has ended.
    For an actor without a process it is empty.
    """
    lines = ref.life.output
    return () if lines is None else tuple(lines())
