"""`dspex export`: the rows of a recorded run, or of a study, as a file."""

from __future__ import annotations

from pathlib import Path

import click

from dspex.cli import targets
from dspex.cli.completing import run_names
from dspex.cli.console import say, traceback_option
from dspex.cli.studies import study_named


@click.command()
@click.argument("run", shell_complete=run_names)
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    callback=targets.rows_file,
    metavar="FILE",
    help="A .csv file for spreadsheets, or a .jsonl file for programs; one that is "
    "there is replaced.",
)
@click.option(
    "--raw",
    is_flag=True,
    help="Leave texts in a .csv file as they are, also what a spreadsheet takes for a "
    "formula.",
)
@traceback_option
def export(run: str, output: Path, raw: bool) -> None:  # noqa: FBT001 - click passes by name
    """Write the rows of the recorded RUN to a file, whole or not at all.

    Of an optimiser's study, a row is a candidate.

    \b
      dspex export first -o first.csv
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    from dspex.evaluate.results.recorded import load_run

    targets.save_rows(study_named(run) or load_run(run), output, raw=raw)
    say(f"wrote {output}")
