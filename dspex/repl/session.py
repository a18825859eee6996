"""A session: a tree that runs, names at hand, and nothing left at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import dspex
from dspex.core.home import home
from dspex.evaluate.running.live import live_runs
from dspex.repl.consoles import Console
from dspex.repl.namespace import banner, namespace
from dspex.runtime.config import Config
from dspex.runtime.runtime import current_runtime

LEFT_WITHIN: Final = 10.0
"""Seconds that a run which still goes on may take to end in order."""


def hold_session(
    console: Console,
    *,
    loaded: Mapping[str, Any],
    model: object | None,
    config: Config,
    say: Callable[[str], None],
) -> None:
    """Start the tree, run what is typed, and end what runs and the tree.

    The tree is the default one of the process, so threads that are started in the
    session see it as well. A Ctrl-C reaches the line that runs, and never the tree:
    its actors have threads of their own.

    Args:
        console: Who reads the lines.
        loaded: Names beside the common ones.
        model: The language model that was configured, for the banner.
        config: What the tree is started with; one that a loaded module has started
            already takes of it what `Runtime.reconfigure` does.
        say: Shows the banner.

    Raises:
        SystemExit: The session was left with `exit(3)`, which the standard console has.
    """
    runtime = current_runtime()
    if runtime.state == "not started":
        runtime.config = config
        runtime.start()
    else:
        runtime.reconfigure(config)
    try:
        where = runtime.config.home or home()
        say(banner(console=console.label, model=model, loaded=loaded, home=where))
        console.interact(namespace(loaded))
    finally:
        _end_runs()
        dspex.shutdown()


def _end_runs() -> None:
    """End in order what was begun and goes on, so that it can be resumed."""
    for run in live_runs():
        # What belongs to a study is ended with it.
        if run.part_of is None:
            run.stop(LEFT_WITHIN)
