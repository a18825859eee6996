"""`dspex why`: why runs that go on are not finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from dspex.cli.completing import live_names
from dspex.cli.console import json_option, show, show_json, traceback_option
from dspex.cli.processes import (
    RunThere,
    asked,
    look,
    pid_option,
    tell_silent,
    the_run,
)


@click.command()
@click.argument("run", required=False, shell_complete=live_names)
@pid_option
@json_option
@traceback_option
def why(run: str | None, pid: int | None, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Say what each open example of a RUN waits for; of all runs, without its name.

    No worker is asked, so it answers while all of them hang; an actor that should have
    answered and did not is named.

    \b
      dspex why first
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    found: Sequence[RunThere]
    if run is None:
        seen = look(pid)
        tell_silent(seen)
        found = seen.runs
    else:
        found = [the_run(run, pid)]
    told = [{"pid": each.process.pid, **asked(each, "why")} for each in found]
    if as_json:
        show_json(told)
    elif told:
        show("\n".join(line for each in told for line in _lines(each)))
    else:
        show("no run is at work")


def _lines(told: dict[str, Any]) -> Iterator[str]:
    yield f"{told['run']} in process {told['pid']}, {told['state']}: {told['progress']}"
    for waiting in told["waiting"]:
        yield f"  {waiting['text']}"
    for name in told["silent"]:
        yield f"  {name} did not answer"
