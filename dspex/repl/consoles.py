"""Who reads the lines of a session: IPython, or the console of the standard library."""

from __future__ import annotations

import code
import importlib.util
import rlcompleter
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from dspex.repl.awaiting import run_awaited

Names = dict[str, Any]
"""The names of a session, which its lines change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """One way to read lines and run them."""

    label: str
    """What it is, in a few words."""
    interact: Callable[[Names], None]
    """Reads and runs lines until Ctrl-D or `exit()`."""


def console(*, plain: bool) -> Console:
    """Return IPython where it is installed, else the standard console.

    Args:
        plain: Whether the standard one is wanted anyway.
    """
    if not plain and importlib.util.find_spec("IPython") is not None:
        return Console(label="IPython", interact=_in_ipython)
    hint = "" if plain else " (for IPython: pip install 'dspex[repl]')"
    return Console(label=f"standard console{hint}", interact=_in_standard_console)


def _in_ipython(names: Names) -> None:
    from IPython import start_ipython

    runner = f"{run_awaited.__module__}.{run_awaited.__name__}"
    # The user's own profile holds. Our banner was shown, and Ctrl-D means it.
    options = ["--no-banner", "--no-confirm-exit"]
    start_ipython(
        argv=[*options, f"--InteractiveShell.loop_runner={runner}"], user_ns=names
    )


def _in_standard_console(names: Names) -> None:
    main = ModuleType("__main__")
    main.__dict__.update(names)
    with _as_main(main), _completion(main.__dict__):
        code.interact(banner="", local=main.__dict__, exitmsg="")


@contextmanager
def _as_main(main: ModuleType) -> Iterator[None]:
    """Let what is defined in the session be found by its module, as in a script."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = main
    try:
        yield
    finally:
        sys.modules["__main__"] = before


@contextmanager
def _completion(names: Names) -> Iterator[None]:
    """Have TAB complete names and attributes, where the platform can."""
    try:
        import readline
    except ImportError:  # Windows has none
        yield
        return
    before = readline.get_completer()
    readline.set_completer(rlcompleter.Completer(names).complete)
    is_libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind(
        "bind ^I rl_complete" if is_libedit else "tab: complete",
    )
    try:
        yield
    finally:
        readline.set_completer(before)
