"""`dspex cache export` and `dspex cache import`: answers from machine to machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

import click

from dspex.cli.cache_file import open_cache
from dspex.cli.console import (
    Exit,
    Failure,
    json_option,
    say,
    show,
    show_json,
    traceback_option,
)


@click.command("export")
@click.argument(
    "file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True)
)
@traceback_option
def export_(file: Path) -> None:
    """Write all answers to FILE as JSON Lines, prompts included; - is standard output.

    A new FILE can be read by you only; one that is there is not overwritten.
    """
    from dspex.cache.exchange import export_lines

    count = 0
    with open_cache() as database, _new_file(file) as out:
        for line in export_lines(database):
            out.write(f"{line}\n")
            count += 1
    say(f"wrote {count:,} answers")


@click.command("import")
@click.argument(
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True),
)
@json_option
@traceback_option
def import_(file: Path, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Add the answers in FILE, a JSON Lines file of `dspex cache export`.

    Every line is checked and its key computed. Answers that are there already stay as
    they are. Whoever made the FILE decides what later calls are answered: import only
    files of people you trust. The exit code is 65 when a line was no answer.
    """
    from dspex.cache.exchange import import_lines

    # What is no UTF-8 is the fault of its line alone, and told with it.
    with (
        open_cache() as database,
        click.open_file(str(file), encoding="utf-8", errors="surrogateescape") as lines,
    ):
        done = import_lines(database, _lines(lines))
    if as_json:
        show_json(asdict(done))
    else:
        show(f"added {done.added:,} answers; {done.known:,} were there already")
    if done.faulty:
        told = "\n".join(done.faults)
        raise Failure(
            f"{done.faulty:,} lines are no answers and were left out:\n{told}",
            Exit.BAD_DATA,
        )


@contextmanager
def _new_file(path: Path) -> Iterator[IO[str]]:
    if str(path) == "-":
        yield sys.stdout
        return
    try:
        # Prompts and answers are nobody else's business.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Failure(
            f"{str(path)!r} cannot be made: {error.strerror}; a new file was expected. "
            "Name another one.",
            Exit.FAILED,
        ) from error
    with open(handle, "w", encoding="utf-8") as out:  # noqa: PTH123 - it is open already
        yield out


def _lines(file: IO[str]) -> Iterator[str]:
    """The lines of a file, each read to a bounded length."""
    from dspex.cache.exchange import LONGEST_LINE

    while line := file.readline(LONGEST_LINE + 1):
        yield line
