"""One child process, as the parent holds it: started, given examples, ended.

It belongs to one thread at a time, which alone listens to it; any thread may kill it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dspex.client.providers.model_strings import KNOWN_PROVIDERS
from dspex.evaluate.isolate.channel import Channel, ChannelClosed, Line
from dspex.evaluate.results.outcome import Stage
from dspex.evaluate.working.worker import WorkerDied
from supervisors import (
    ChildSpec,
    DynamicSupervisor,
    ExitReason,
    Failed,
    Normal,
    ProcessActor,
    ProcessEnded,
    ProcessSpec,
    Ref,
    Restart,
    Shutdown,
    output_of,
)
from supervisors.exits import KILLED
from supervisors.scope import current_scopes

ENTRY: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from dspex.evaluate.isolate.child import main; main(int(sys.argv[1]))"
)
"""What a child begins with; its modules are found where ours are."""

FROM_OUTSIDE: Final = frozenset(
    {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
)
"""Signals by which a process is ended by somebody else: a person, or a system that is
out of memory."""

STACK_SHOWN: Final = 8
"""Calls of a stack that are shown, the innermost first."""

LINES_SHOWN: Final = 8
"""Last lines of a dead child's output that its evidence shows."""

REAPED_WITHIN: Final = 10.0
"""Seconds to wait until a child that was killed is gone."""


class ChildActor(ProcessActor):
    """Runs a child; hangs up when it ends, so that whoever listens to it wakes."""

    def __init__(self, spec: ProcessSpec, channel: Channel, gone: _Gone) -> None:
        super().__init__(spec)
        self._channel = channel
        self._gone = gone
        self.life.before_end(lambda _: channel.hang_up())

    def start_process(self) -> None:
        """Start it, and let its end be waited for."""
        super().start_process()
        if self._run is not None and self._run.process is not None:
            self._gone.event = self._run.process.gone

    def on_end(self, reason: ExitReason) -> None:
        """Hang up, at which an idle child ends by itself; then stop it."""
        self._channel.hang_up()
        super().on_end(reason)


class _Gone:
    """Where the event is that tells that a process was reaped."""

    def __init__(self) -> None:
        self.event = threading.Event()


class ChildProcess:
    """A child that is alive until it is not.

    Args:
        ref: The actor that runs it.
        channel: The line to it.
        gone: Tells when it has been reaped.
    """

    def __init__(self, ref: Ref[Any], channel: Channel, gone: _Gone) -> None:
        self.channel = channel
        self._ref = ref
        self._gone = gone
        self._jobs = itertools.count(1)

    @classmethod
    def start(cls, supervisor: DynamicSupervisor, label: str) -> ChildProcess:
        """Start one; it is ready when it has said so.

        Raises:
            SupervisorError: It cannot be started.
        """
        ours, theirs = socket.socketpair()
        channel, gone = Channel(ours), _Gone()
        spec = ProcessSpec(
            argv=(
                *(sys.executable, "-c", ENTRY),
                *(str(theirs.fileno()), json.dumps(sys.path)),
            ),
            env=without_keys(os.environ),
            pass_fds=(theirs.fileno(),),
            term_grace=1.0,
        )
        try:
            ref = supervisor.start_child(
                ChildSpec(
                    id=label,
                    actor=ChildActor,
                    args=(spec, channel, gone),
                    restart=Restart.TEMPORARY,
                )
            )
        except BaseException:
            channel.close()
            raise
        finally:
            theirs.close()
        return cls(ref, channel, gone)

    def next_job(self) -> int:
        """A number for the next example it is given."""
        return next(self._jobs)

    def is_alive(self) -> bool:
        """Whether it can be given an example."""
        return self._ref.is_alive()

    def kill(self) -> None:
        """End it and all that it started, at once. Any thread may."""
        self._ref.kill()

    def dismiss(self) -> None:
        """Ask it to end; nobody waits. `ended` does."""
        self._ref.shutdown()

    def last_stack(self) -> str:
        """Where it was at its deadline, as it wrote down; empty when it could not."""
        return last_stack_in(output_of(self._ref))

    def take_note(self, line: Line) -> None:
        """Show what it printed, as its program would have here."""
        if "printed" in line:
            stream = sys.stdout if line["on"] == "stdout" else sys.stderr
            stream.write(line["printed"])

    @contextlib.contextmanager
    def death_told(self, doing: Callable[[], Stage]) -> Iterator[None]:
        """Let its death in the block be the worker's.

        Args:
            doing: In whose code it was.

        Raises:
            WorkerDied: It died.
        """
        try:
            yield
        except ChannelClosed as closed:
            raise WorkerDied(reason_of_death(self.ended(), doing())) from closed

    def ended(self) -> ExitReason | None:
        """Wait until it is gone, give its socket back, and return why it ended."""
        reason = self._ref.wait(REAPED_WITHIN)
        self._gone.event.wait(REAPED_WITHIN)
        self.channel.close()
        return reason


def last_stack_in(output: Sequence[str]) -> str:
    """Return the main thread's stack of what `faulthandler` wrote last.

    Example:
        >>> lines = ["Timeout (0:00:01)!", "Thread 0x2 (most recent call first):"]
        >>> lines += ['  File "b.py", line 2 in wait', "", "Thread 0x1 (...):"]
        >>> print(last_stack_in([*lines, '  File "a.py", line 7 in loop']))
          File "a.py", line 7 in loop
    """
    begins = [at for at, line in enumerate(output) if line.startswith("Timeout (")]
    if not begins:
        return ""
    stack: list[str] = []
    for line in output[begins[-1] + 1 :]:
        # The main thread comes last.
        if line.startswith(("Thread ", "Current thread ")):
            stack.clear()
        elif line.startswith("  File "):
            stack.append(line)
    return "\n".join(stack[:STACK_SHOWN])


@contextlib.contextmanager
def killed_with_its_work(child: ChildProcess) -> Iterator[None]:
    """While the block runs, kill the child when the work it is for is given up."""
    with contextlib.ExitStack() as watched:
        for scope in current_scopes():
            watched.enter_context(scope.on_cancel(child.kill))
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildDied:
    """The term of the reason why a worker ended: its child died."""

    stage: Stage
    """In whose code it was."""
    returncode: int
    """As `subprocess` gives it: negative for a signal."""
    output: tuple[str, ...]
    """Its last lines; of a fault, where in the code it was."""

    def __str__(self) -> str:
        number = -self.returncode
        how = (
            f"by {signal.Signals(number).name}"
            if number in set(signal.Signals)
            else f"with exit code {self.returncode}"
        )
        said = [line for line in self.output if line.strip()][-LINES_SHOWN:]
        last = f", last saying: {' | '.join(said)}" if said else ""
        place = "before its work" if self.stage == "runtime" else f"in the {self.stage}"
        return f"its process ended {how} {place}{last}"


def reason_of_death(reason: ExitReason | None, stage: Stage) -> ExitReason:
    """Say why a worker ends whose child ended for that reason.

    A signal that only somebody else sends is a death from outside; anything else that
    ends a child is the doing of what it worked on.
    """
    match reason:
        case Failed(ProcessEnded(returncode, output)):
            died = ChildDied(stage=stage, returncode=returncode, output=output)
            return Shutdown(died) if -returncode in FROM_OUTSIDE else Failed(died)
        case Normal():
            return Failed(ChildDied(stage=stage, returncode=0, output=()))
        case _:
            return KILLED


def without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the keys of providers: calls are made here."""
    keys = {known.key_variable for known in KNOWN_PROVIDERS.values()}
    return {name: value for name, value in environment.items() if name not in keys}
