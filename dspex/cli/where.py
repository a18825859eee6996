"""`dspex where`: every folder and file that dspex writes, its size, what it is for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from dspex.cli.console import json_option, show, show_json, traceback_option
from dspex.cli.units import size_text
from dspex.core.home import home

PURPOSES = {
    "cache": "answers of language models, so that equal calls are paid once",
    "runs": "records of evaluations, from which they go on",
    "models": "weights of local models, put together once",
    "control": "sockets through which `dspex ps` and its like look into processes",
}
"""The folders of dspex, and what is in each."""

MOST_SHOWN: Final = 20
"""Files of a folder that are shown, its largest where there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One folder."""

    name: str
    """Its name below the home."""
    path: Path
    """Where it is."""
    size: int
    """Bytes of the files in it; 0 when it is not there."""
    files: int
    """How many there are."""
    purpose: str
    """What it is for."""


def kept(where: Path) -> Iterator[Kept]:
    """Yield every folder dspex writes below its home, whether it is there or not."""
    for name, purpose in PURPOSES.items():
        sizes = [size for _, size in files_in(where / name)]
        yield Kept(
            name=name,
            path=where / name,
            size=sum(sizes),
            files=len(sizes),
            purpose=purpose,
        )
    yield from _elsewhere(where)


def _elsewhere(where: Path) -> Iterator[Kept]:
    """Yield the folder of the sockets whose paths would be too long in the home."""
    from dspex.control.place import FOLDER, IS_POSSIBLE, folders

    if not IS_POSSIBLE:
        return
    _, short = folders(where)
    if short.is_dir():
        count = sum(1 for _ in files_in(short))
        yield Kept(
            name=FOLDER,
            path=short,
            size=0,
            files=count,
            purpose=f"the same, in {short}",
        )


def files_in(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield the files below a folder with their sizes; links are not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_socket()):
            continue
        try:
            yield path, path.stat().st_size
        except FileNotFoundError:
            # A program that runs has just deleted it.
            continue


@click.command()
@json_option
@traceback_option
def where(as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Show what dspex keeps on disk: where, how much, and what it is for.

    Everything lies in one folder: DSPEX_HOME, or `dspex` in the platform's folder for
    user data. Besides, a socket is in /tmp while a program runs whose home is not to be
    written or has a long name.
    """
    found = list(kept(home()))
    if as_json:
        folders = [
            {
                "name": each.name,
                "path": str(each.path),
                "bytes": each.size,
                "files": each.files,
                "purpose": each.purpose,
            }
            for each in found
        ]
        show_json({"home": str(home()), "folders": folders})
        return
    show(str(home()))
    for each in found:
        show(f"  {each.name:<7} {size_text(each.size):>9}  {each.purpose}")
        files = list(files_in(each.path))
        if len(files) > MOST_SHOWN:
            files.sort(key=lambda file: file[1], reverse=True)
        for path, size in files[:MOST_SHOWN]:
            show(f"    {size_text(size):>13}  {path.relative_to(each.path)}")
        if left := files[MOST_SHOWN:]:
            size = sum(size for _, size in left)
            show(f"    {size_text(size):>13}  in {len(left):,} smaller files")
