"""`dspex migrate`: what a DSPy program has to change, as a diff."""

from __future__ import annotations

from pathlib import Path

import click

from dspex.cli.console import (
    Exit,
    json_option,
    say,
    show,
    show_json,
    traceback_option,
)
from dspex.migrate.files import FileChange, changed_file, programs_below


@click.command()
@click.argument(
    "paths",
    metavar="PATH...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
)
@click.option(
    "--write",
    is_flag=True,
    help="Change the files, each whole or not at all; without it nothing is written.",
)
@json_option
@traceback_option
def migrate(paths: tuple[Path, ...], write: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Show how a DSPy program becomes a dspex program.

    PATH is a file of Python, a notebook, or a folder of them. The change is printed as
    a unified diff. Names of DSPy that dspex has not are told on standard error, each
    with its place and what to use instead; the exit code is 1 then. No program is run.
    """
    files = dict.fromkeys(file for path in paths for file in programs_below(path))
    changes = [changed_file(path) for path in files]
    changed = [change for change in changes if change.is_changed]
    if write:
        for change in changed:
            change.write()
    if as_json:
        show_json(_as_json(changes, written=write))
    else:
        _tell(changes, written=write)
    if any(change.notes for change in changes):
        raise click.exceptions.Exit(Exit.FAILED)


def _tell(changes: list[FileChange], *, written: bool) -> None:
    for change in changes:
        if change.is_changed:
            show(change.diff().removesuffix("\n"))
    for change in changes:
        for note in change.notes:
            say(f"{change.path}:{note.place}: {note.text}")
    changed = sum(change.is_changed for change in changes)
    left = sum(len(change.notes) for change in changes)
    done = "changed" if written else "to change (--write does it)"
    say(f"Files {done}: {changed} of {len(changes)}. Places to look at: {left}.")


def _as_json(changes: list[FileChange], *, written: bool) -> dict[str, object]:
    return {
        "written": written,
        "files": [
            {
                "path": str(change.path),
                "changed": change.is_changed,
                "diff": change.diff(),
                "notes": [
                    {
                        "cell": note.cell or None,
                        "line": note.line,
                        "name": note.name,
                        "text": note.text,
                    }
                    for note in change.notes
                ],
            }
            for change in changes
        ],
    }
