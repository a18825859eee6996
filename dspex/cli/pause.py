"""`dspex pause`: begin nothing more of a run that goes on."""

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
def pause(run: str, pid: int | None, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Begin no further example of a RUN; those that are at work go on.

    `dspex resume RUN` begins again. It stays paused until then, or until its program
    ends.

    \b
      dspex pause first
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    found = the_run(run, pid)
    told = asked(found, "pause")
    if as_json:
        show_json({"pid": found.process.pid, **told})
        return
    state, progress = told["state"], told["progress"]
    show(f"{run} in process {found.process.pid}, {state}: {progress}")
