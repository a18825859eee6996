"""`dspex purge`: delete what dspex keeps on disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import click

from dspex.cli.console import Exit, Failure, show, traceback_option
from dspex.cli.units import size_text
from dspex.cli.where import Kept, kept
from dspex.core.home import home


@click.command()
@click.option(
    "--cache", "names", flag_value="cache", multiple=True, help="The answers."
)
@click.option(
    "--runs", "names", flag_value="runs", multiple=True, help="The records of runs."
)
@click.option(
    "--models", "names", flag_value="models", multiple=True, help="The weights."
)
@click.option(
    "--control", "names", flag_value="control", multiple=True, help="The sockets."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@traceback_option
def purge(names: Sequence[str], yes: bool) -> None:  # noqa: FBT001 - click passes by name
    """Delete what dspex keeps on disk, after asking: all of it, or what is named.

    Stop the programs that use it first. `dspex cache prune` and `dspex cache clear` are
    safe while they run.
    """
    _check_home()
    found = [
        each
        for each in kept(home())
        if each.path.is_dir() and (not names or each.name in names)
    ]
    if not found:
        show("there is nothing to delete")
        return
    if not yes:
        told = "\n".join(f"  {each.path} ({size_text(each.size)})" for each in found)
        click.confirm(f"{told}\nDelete these folders?", abort=True, err=True)
    for each in found:
        _delete(each)
        show(f"deleted {each.path} ({size_text(each.size)})")


def _check_home() -> None:
    """Raise when the folders below the home may well be somebody else's."""
    if home().resolve() in {Path.home().resolve(), Path(home().anchor)}:
        raise Failure(
            f"DSPEX_HOME is {str(home())!r}, and a folder of dspex's own was expected: "
            "what is called cache, runs, models or control there may be another "
            "program's. Delete what is dspex's yourself; `dspex where` lists it.",
            Exit.CONFIGURATION,
        )


def _delete(each: Kept) -> None:
    path: Path = each.path
    if path.is_symlink():
        raise Failure(
            f"{str(path)!r} is a link, and a folder of dspex was expected. Delete what "
            "it leads to yourself, if that is what you want.",
            Exit.FAILED,
        )
    shutil.rmtree(path)
