"""`dspex repl`: a session with a running tree."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import click

from dspex.cli.configured import configured
from dspex.cli.console import say, traceback_option
from dspex.cli.models import ModelChoice, model_options
from dspex.cli.programs import load_attribute
from dspex.core.errors import ConfigurationError

if TYPE_CHECKING:
    from dspex.core.lm import LanguageModel


@click.command()
@click.argument("names", nargs=-1, metavar="[MODULE:NAME]...")
@model_options
@click.option(
    "--plain",
    is_flag=True,
    help="Use Python's standard console although IPython is installed.",
)
@traceback_option
def repl(
    names: tuple[str, ...],
    choice: ModelChoice,
    plain: bool,  # noqa: FBT001 - click passes by name
) -> None:
    """Open a Python session with a running tree and the common names of dspex.

    Each MODULE:NAME is imported, with the current folder looked at first, and stands in
    the session under its last name. Ctrl-C stops what runs and leaves the tree; Ctrl-D
    leaves the session and ends everything it has started.

    \b
      dspex repl --model openai/gpt-4o-mini
      dspex repl my_code:program my_code:metric
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    import dspex
    from dspex.repl.consoles import console
    from dspex.repl.leaving import left_by_signals
    from dspex.repl.session import hold_session

    loaded = {_last_name(name): load_attribute(name) for name in names}
    model = _model(choice)
    if model is not None:
        dspex.configure(lm=model)
    # A shell that starts it in the background has Ctrl-C ignored, and a session is
    # what Ctrl-C is for.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with left_by_signals():
        hold_session(
            console(plain=plain),
            loaded=loaded,
            model=dspex.settings.lm,
            config=configured().config,
            say=say,
        )


def _last_name(text: str) -> str:
    module, colon, path = text.partition(":")
    if not (module and colon and path):
        raise click.UsageError(
            f"{text!r} names nothing to load; expected MODULE:NAME, such as "
            "my_code:program. Write the module, a colon, and a name in it."
        )
    return path.rpartition(".")[2]


def _model(choice: ModelChoice) -> LanguageModel | None:
    """Return the model that was named, else the embedded one if it is installed.

    A module that was loaded may have configured one of its own, which then stays.
    """
    import dspex

    if choice.is_said:
        return choice.lm()
    if dspex.settings.lm is not None:
        return None
    try:
        return choice.lm()
    except ConfigurationError:
        # A session can begin without one; the banner says how to name it.
        return None
