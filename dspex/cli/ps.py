"""`dspex ps`: the processes that can be looked into."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dspex.cli.console import json_option, say, show, show_json, traceback_option
from dspex.cli.processes import (
    RunThere,
    Seen,
    look,
    program_of,
    rows,
)
from dspex.core.spoken import duration

if TYPE_CHECKING:
    from dspex.control.asking import Process

HEADING = ("pid", "program", "for", "runs", "folder")


@click.command()
@json_option
@traceback_option
def ps(as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """List the processes with a runtime, and how many runs they are at work on.

    Those are shown that are yours and keep their files in the same DSPEX_HOME. One
    that is stopped, or in which some code holds Python's lock, does not answer.

    \b
      dspex ps
      dspex ps --json
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    seen = look()
    found, runs = seen.processes, seen.runs
    if as_json:
        show_json([_plain(process, runs) for process in found])
    elif found:
        show(rows([HEADING, *(_cells(process, seen) for process in found)]))
        for each in seen.silent:
            say(f"process {each.pid}: {each.trouble}")
    else:
        show("no process with a runtime runs")


def _of(process: Process, runs: Sequence[RunThere]) -> list[RunThere]:
    return [run for run in runs if run.process.path == process.path]


def _plain(process: Process, runs: Sequence[RunThere]) -> dict[str, Any]:
    facts = process.facts
    return {
        "pid": process.pid,
        "answers": facts is not None,
        "program": None if facts is None else facts["program"],
        "folder": None if facts is None else facts["folder"],
        "since": None if facts is None else facts["since"],
        "trees": None if facts is None else facts["trees"],
        "threads": None if facts is None else facts["threads"],
        "python": None if facts is None else facts["python"],
        "runs": [dict(run.facts) for run in _of(process, runs)],
        "socket": str(process.path),
        "trouble": process.trouble,
    }


def _cells(process: Process, seen: Seen) -> tuple[str, ...]:
    if process.facts is None:
        return f"{process.pid}", program_of(process), "-", "-", "-"
    states = Counter(f"{run.facts['state']}" for run in seen.work_of(process))
    told = ", ".join(f"{many} {state}" for state, many in states.items())
    return (
        f"{process.pid}",
        program_of(process),
        duration(max(0.0, time.time() - process.facts["since"])),
        told or "-",
        process.facts["folder"] or "-",
    )
