"""Who reads the lines of a session: IPython, or the console of the standard library."""

from __future__ import annotations

import code
import importlib.util
import os
import rlcompleter
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
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
    """Return IPython where it is installed and somebody types, else the standard one.

    Args:
        plain: Whether the standard one is wanted anyway.
    """
    if not plain and _is_typed() and importlib.util.find_spec("IPython") is not None:
        return Console(label="IPython", interact=_in_ipython)
    hint = (
        "" if plain or not _is_typed() else " (for IPython: pip install 'dspex[repl]')"
    )
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
    with _as_main(main), _completion(main.__dict__), _prompts():
        if _is_typed():
            _run_startup_file(main.__dict__)
        code.interact(banner="", local=main.__dict__, exitmsg="")


def _is_typed() -> bool:
    """Whether lines come from somebody at a terminal, and not from a file or a pipe."""
    return sys.stdin is not None and sys.stdin.isatty()


@contextmanager
def _prompts() -> Iterator[None]:
    """Leave out the prompts where nobody reads them: what is printed is the output."""
    if _is_typed():
        yield
        return
    before = {name: getattr(sys, name, None) for name in ("ps1", "ps2")}
    sys.ps1 = sys.ps2 = ""
    try:
        yield
    finally:
        for name, prompt in before.items():
            if prompt is None:
                delattr(sys, name)
            else:
                setattr(sys, name, prompt)


def _run_startup_file(names: Names) -> None:
    """Run what the user has every session of Python begin with, as IPython does.

    Whatever is wrong with it is shown, and the session begins.
    """
    path = os.environ.get("PYTHONSTARTUP")
    if not path:
        return
    try:
        source = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        traceback.print_exc()
        return
    if code.InteractiveInterpreter(names).runsource(source, path, "exec"):
        sys.stderr.write(f"{path}: this ends in the middle of a statement\n")


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
