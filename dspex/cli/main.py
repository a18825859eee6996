"""The command `dspex`."""

from __future__ import annotations

import click

import dspex
from dspex.cli.cache import cache
from dspex.cli.compare import compare
from dspex.cli.completion import completion
from dspex.cli.config import config
from dspex.cli.configured import ConfiguredCommands
from dspex.cli.console import traceback_option
from dspex.cli.demo import demo
from dspex.cli.doctor import doctor
from dspex.cli.evaluate import evaluate
from dspex.cli.export import export
from dspex.cli.migrate import migrate
from dspex.cli.pause import pause
from dspex.cli.predict import predict
from dspex.cli.ps import ps
from dspex.cli.purge import purge
from dspex.cli.repl import repl
from dspex.cli.report import report
from dspex.cli.resume import resume
from dspex.cli.runs import runs
from dspex.cli.serve import serve
from dspex.cli.show import show_run
from dspex.cli.stop import stop
from dspex.cli.top import top
from dspex.cli.tree import tree
from dspex.cli.where import where
from dspex.cli.why import why


@click.group(
    cls=ConfiguredCommands,
    commands=[
        demo,
        predict,
        serve,
        repl,
        evaluate,
        runs,
        show_run,
        compare,
        report,
        export,
        resume,
        ps,
        top,
        tree,
        why,
        pause,
        stop,
        cache,
        config,
        doctor,
        completion,
        migrate,
        where,
        purge,
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.version_option(
    dspex.__version__, prog_name="dspex", message="%(prog)s %(version)s"
)
@traceback_option
def main() -> None:
    """Ask, measure and improve programs of language-model calls.

    Results go to standard output, all other words to standard error. Exit codes: 0 all
    well, 1 failed or below --fail-under, 2 usage, 65 bad data, 69 a model or a process
    that does not answer, 70 a mistake of dspex, 74 a record that cannot be written or
    was taken over, 75 a run that somebody else works on, 78 configuration, 130 Ctrl-C.
    """
