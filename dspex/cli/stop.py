"""`dspex stop`: end a run that goes on, in order."""

from __future__ import annotations

import click

from dspex.cli.completing import live_names
from dspex.cli.console import json_option, show, show_json, traceback_option
from dspex.cli.processes import asked, pid_option, the_run


@click.command()
@click.argument("run", shell_complete=live_names)
@pid_option
@json_option
@traceback_option
def stop(run: str, pid: int | None, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """End a RUN now, in order. What was measured is kept, and whoever waits gets it.

    An evaluation's result is not complete then. A study ends as with Ctrl-C. Both can
    go on later, where they are recorded.

    \b
      dspex stop first
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    found = the_run(run, pid)
    told = asked(found, "stop")
    if as_json:
        show_json({"pid": found.process.pid, **told})
        return
    state, progress = told["state"], told["progress"]
    show(f"{run} in process {found.process.pid}, {state}: {progress}")
