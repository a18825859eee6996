"""Processes that run and the runs in them, for the commands that look into them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dspex.cli.completing import pids
from dspex.cli.console import Exit, Failure, say
from dspex.cli.units import columns_of
from dspex.core.home import home

if TYPE_CHECKING:
    from dspex.control.asking import Process

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class RunThere:
    """A run that goes on, and where."""

    process: Process
    """Whose it is."""
    facts: Mapping[str, Any]
    """What the process says of it."""

    @property
    def name(self) -> str:
        """The run's name."""
        return f"{self.facts['run']}"


def pid_option(command: Command) -> Command:
    """Give a command the option that chooses one of several processes."""
    option = click.option(
        "--pid",
        type=click.IntRange(min=1),
        metavar="PID",
        shell_complete=pids,
        help="The process, where there are several; `dspex ps` lists them.",
    )
    return option(command)


def processes_there(pid: int | None = None) -> list[Process]:
    """Return the processes that can be looked into, or the one of that number.

    Raises:
        Failure: There is none of that number; the text names those that are.
    """
    from dspex.control.asking import processes

    found = processes(home())
    if pid is None:
        return found
    chosen = [each for each in found if each.pid == pid]
    if not chosen:
        raise Failure(
            f"there is no process {pid} to look into; {_those(found)}.", Exit.USAGE
        )
    return chosen


def the_process(pid: int | None) -> Process:
    """Return the process of that number, or the only one there is.

    Raises:
        Failure: There is none, or there are several and no number was said.
    """
    found = processes_there(pid)
    if not found:
        raise Failure(
            f"no process with a dspex.Runtime runs that keeps its files in "
            f"{str(home())!r}; one was expected. Begin one, or set DSPEX_HOME to the "
            "folder that it uses.",
            Exit.USAGE,
        )
    if len(found) > 1:
        raise Failure(
            f"there are several processes to look into; {_those(found)}. Say which, "
            f"such as --pid {found[0].pid}.",
            Exit.USAGE,
        )
    return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The processes that can be looked into, and what they are at work on."""

    processes: Sequence[Process]
    """The processes; one that did not say on what has no facts."""
    runs: Sequence[RunThere]
    """The runs of those that answered."""

    def work_of(self, process: Process) -> list[RunThere]:
        """The runs of a process; a part of a study is no work of its own."""
        theirs = [run for run in self.runs if run.process.path == process.path]
        return [run for run in theirs if run.facts["part_of"] is None]

    @property
    def silent(self) -> list[Process]:
        """Those of which nobody knows what they are at work on."""
        return [each for each in self.processes if each.facts is None]


def look(pid: int | None = None) -> Seen:
    """Ask all processes, or the one of that number, for their runs.

    Raises:
        Failure: There is none of that number.
    """
    from dspex.control.asking import side_by_side

    answers = side_by_side(_asked_for_runs, processes_there(pid))
    seen = [each for each in answers if each is not None]
    return Seen(
        processes=[process for process, _ in seen],
        runs=[run for _, runs in seen for run in runs],
    )


def _asked_for_runs(process: Process) -> tuple[Process, list[RunThere]] | None:
    """Return a process and its runs; `None` when it has just ended."""
    from dspex.control.asking import ask
    from dspex.control.errors import ControlError, GoneError

    if process.facts is None or "runs" not in process.facts["verbs"]:
        # It does not answer, or has begun none so far.
        return process, []
    try:
        told = ask(process.path, "runs")
    except GoneError:
        return None
    except ControlError as error:
        return replace(process, facts=None, trouble=error.message), []
    return process, [RunThere(process=process, facts=facts) for facts in told]


def tell_silent(seen: Seen) -> None:
    """Say which processes did not answer, beside what the others said.

    Raises:
        Failure: No other process is at work, so nothing is known.
    """
    if not seen.silent:
        return
    told = "\n".join(f"process {each.pid}: {each.trouble}" for each in seen.silent)
    if not seen.runs:
        raise Failure(told, Exit.UNAVAILABLE)
    say(told)


def the_run(name: str, pid: int | None) -> RunThere:
    """Return the run of that name that goes on.

    Raises:
        Failure: There is none, or it goes on in several processes.
    """
    seen = look(pid)
    runs = seen.runs
    found = [run for run in runs if run.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        pids = ", ".join(str(run.process.pid) for run in found)
        raise Failure(
            f"there is a run {name!r} in several processes: {pids}. Say which, such "
            f"as --pid {found[0].process.pid}.",
            Exit.USAGE,
        )
    if seen.silent:
        pids = ", ".join(str(each.pid) for each in seen.silent)
        raise Failure(
            f"no run {name!r} was found, and these processes do not answer: {pids}. "
            "Try again when they do; `dspex ps` tells.",
            Exit.UNAVAILABLE,
        )
    known = ", ".join(repr(run.name) for run in runs)
    at_work = f"at work are: {known}" if known else "no run is at work"
    raise Failure(
        f"no process works on a run {name!r}; {at_work}. Name one of those; "
        "`dspex runs` lists what is recorded.",
        Exit.USAGE,
    )


def asked(run: RunThere, verb: str) -> Any:
    """Ask a run's process something of the run.

    Raises:
        Failure: It says no: the run has just ended, or is a part of a study.
        ControlError: The process does not answer.
    """
    from dspex.control.asking import ask
    from dspex.control.errors import RefusedError

    try:
        return ask(run.process.path, verb, {"run": run.name})
    except RefusedError as error:
        code = Exit.USAGE if error.code in _THEIRS else Exit.FAILED
        raise Failure(error.message, code) from error


_THEIRS = frozenset({"no_such_run", "part_of_study"})
"""Refusals that whoever asks can mend by asking something else."""


def _those(found: Sequence[Process]) -> str:
    if not found:
        return "there is none at all"
    told = (f"{each.pid} ({program_of(each)})" for each in found)
    return f"there is: {', '.join(told)}"


def program_of(process: Process) -> str:
    """Return what a process is called."""
    return "does not answer" if process.facts is None else process.facts["program"]


def rows(table: Sequence[Sequence[str]]) -> str:
    """Return a table whose columns stand below one another."""
    widths = [max(map(columns_of, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell}{' ' * (width - columns_of(cell))}"
            for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in table
    )
