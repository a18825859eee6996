"""How a process is run, and the reasons why one ended or did not start."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from supervisors.errors import ConfigError
from supervisors.readiness import ReadyProbe

ReadyLine = Callable[[str], Any]
"""Given each line of standard output, until it says something but `None` or `False`.

It is called in the order of the lines, on the thread that reads them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """How to run a process, know that it is ready, and stop it.

    Example:
        >>> spec = ProcessSpec(argv=("sleep", "60"))
        >>> spec.ready is None, spec.started_when
        (True, 'ready')
    """

    argv: tuple[str, ...]
    """The program, as a path or a name on `PATH`, and its arguments. No shell."""
    ready: ReadyLine | ReadyProbe | None = None
    """What tells that it is ready: a line of standard output, a probe, or nothing.

    With `None` it is ready as soon as it runs.
    """
    started_when: Literal["ready", "running"] = "ready"
    """When the actor's start is done, so that its supervisor starts the next child.

    With `running`, readiness comes later, and missing it ends the actor.
    """
    ready_timeout: float = 15.0
    """Seconds until it must be ready.

    Together with both graces it must stay below the `start_timeout` of the child's
    `ChildSpec` (30): else that ends the start, and its error knows no output.
    """
    env: Mapping[str, str] | None = field(default=None, repr=False)
    """The whole environment; `None` inherits ours. Never shown: it may hold a key."""
    pass_fds: tuple[int, ...] = ()
    """Descriptors of ours that the program has too, under the same numbers.

    They must be open when it starts; closing them here is up to you.
    """
    watches_stdin: bool = False
    """Whether the program ends by itself when its standard input closes.

    Then it needs no guard, which saves a small process and some milliseconds. Of a
    program that says so and does not do it, an orphan stays when we are killed.
    """
    stdin_grace: float = 1.0
    """Seconds it may take to end after its input closed, before `SIGTERM`."""
    term_grace: float = 3.0
    """Seconds it may take to end after `SIGTERM`, before `SIGKILL`.

    Together with `stdin_grace` it must stay below the `shutdown` of the child's
    `ChildSpec` (5), which kills at once.
    """
    kept_lines: int = 100
    """Lines of output kept, of both streams together."""
    kept_bytes: int = 64 * 1024
    """Bytes of output kept, of both streams together."""

    def __post_init__(self) -> None:
        argv: object = self.argv
        if not isinstance(argv, tuple) or not argv or not argv[0]:
            msg = (
                f"a process spec has argv={argv!r}; expected a program and its "
                "arguments, each a word of its own, in a tuple. "
                "Pass argv=('program', 'argument')."
            )
            raise ConfigError(msg)
        for name in ("ready_timeout", "stdin_grace", "term_grace"):
            seconds = getattr(self, name)
            if not 0 <= seconds < math.inf:
                msg = (
                    f"{name} is {seconds}; it is a number of seconds. Pass 0 for no "
                    "time at all, or a positive, finite number."
                )
                raise ConfigError(msg)
        for name in ("kept_lines", "kept_bytes"):
            kept = getattr(self, name)
            if kept < 1:
                msg = (
                    f"{name} is {kept}; it bounds the output that errors show. "
                    "Pass a positive number."
                )
                raise ConfigError(msg)


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
        return f"its process ended {how}{_last_words(self.output)}"


@dataclass(frozen=True, slots=True)
class NotReady:
    """The term of the exit reason when the process was not ready in time."""

    seconds: float
    """The `ready_timeout` it had."""
    output: tuple[str, ...]
    """Its last lines, both streams, as they came."""

    def __str__(self) -> str:
        return (
            f"its process was not ready within {self.seconds:g} s"
            f"{_last_words(self.output)}; give it a longer ready_timeout if it needs "
            "one"
        )


@dataclass(frozen=True, slots=True)
class CannotRun:
    """The term of the exit reason when the program could not be started at all."""

    program: str
    """The first word of `ProcessSpec.argv`."""
    why: str
    """What the operating system said."""

    def __str__(self) -> str:
        return (
            f"the program {self.program!r} cannot be run ({self.why}); expected an "
            "executable file. Give its path, or its name on PATH, as the first word of "
            "argv"
        )


def _last_words(output: tuple[str, ...]) -> str:
    last = next((line for line in reversed(output) if line.strip()), None)
    return f", last saying: {last}" if last else ""
