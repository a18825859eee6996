"""`dspex report`: a recorded run as a page to look at."""

from __future__ import annotations

from pathlib import Path

import click

from dspex.cli import targets
from dspex.cli.completing import run_names
from dspex.cli.console import say, traceback_option, writing
from dspex.cli.studies import study_named


@click.command()
@click.argument("run", shell_complete=run_names)
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    callback=targets.page,
    metavar="FILE.html",
    help="Where the page goes; a file that is there is replaced.",
)
@click.option("--title", metavar="TEXT", help="What stands above it.  [default: RUN]")
@click.option(
    "--rows",
    type=click.IntRange(min=0),
    default=1_000,
    show_default=True,
    metavar="N",
    help="Show N rows, the worst first; of a study N candidates, the best first.",
)
@traceback_option
def report(run: str, output: Path, title: str | None, rows: int) -> None:
    """Write the recorded RUN as one HTML file: drawings, failures, rows.

    Of an optimiser's study it shows the scores, the candidates and the winner.

    It reaches for nothing outside, so it can be sent by mail or kept with a build.

    \b
      dspex report first -o first.html
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    from dspex.evaluate.results.recorded import load_run

    study = study_named(run)
    if study is not None:
        with writing(str(output)):
            study.report(output, title=title or run, candidates=rows)
    else:
        result = load_run(run)
        with writing(str(output)):
            result.report(output, title=title or run, rows=rows)
    say(f"wrote {output}")
