"""Classes and functions by their names, on both sides of the line.

What a name stands for must be the same thing in a process that starts afresh: it is
found by importing its module. The script a person started (`__main__`) is run once more
there under another name, so that what stands under `if __name__ == "__main__"` is not.
"""

from __future__ import annotations

import importlib
import inspect
import runpy
import sys
import types
from pathlib import Path
from typing import Any, Final, Literal

from dspex.core.errors import ConfigurationError, DataError

MAIN: Final = "__main__"
RERUN: Final = "__mp_main__"
"""What `__main__` is called where it is run once more; multiprocessing's word, for
which libraries look."""


class NamesHere:
    """Finds what names stand for in this process.

    Args:
        may_import: Whether a module is imported for it. What another process says is
            looked up only among the modules that are there.
    """

    def __init__(self, *, may_import: bool) -> None:
        self._may_import = may_import

    def find(self, name: str) -> Any:
        """Return the class or function called `module:name`.

        Raises:
            DataError: There is none.
        """
        home, _, qualified = name.partition(":")
        try:
            found: Any = self._module(home)
            for part in qualified.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError, ValueError) as error:
            raise DataError(
                f"there is no {name!r} here: {error}; a class or function that an "
                "import finds was expected. Write it at the top level of a module."
            ) from error
        return found

    def _module(self, home: str) -> types.ModuleType:
        if home in {MAIN, RERUN}:
            return sys.modules[MAIN]
        if self._may_import:
            return importlib.import_module(home)
        if home not in sys.modules:
            raise ImportError(f"no module {home!r} is in use")
        return sys.modules[home]


def check_name(name: str, meant: Any = None) -> None:
    """Refuse a name that would not be found in a fresh process, or means another thing.

    Args:
        name: The name of a class or function.
        meant: What it is to stand for; `None` for whatever it stands for here.

    Raises:
        ConfigurationError: It says what to do.
    """
    home, _, qualified = name.partition(":")
    if "<" in qualified:
        raise ConfigurationError(
            f"{name!r} was made inside a function or is a lambda; work in another "
            "process is found by its name, at the top level of a module. Write it "
            "there as a def or a class, or leave isolate='process' out."
        )
    if home == MAIN and how_to_run_main() is None:
        raise ConfigurationError(
            f"{qualified!r} was typed into a notebook or a prompt; another process has "
            "no such thing and finds only what stands in a file. Write it into a "
            "module, such as my_task.py, and import it from there."
        )
    try:
        found = NamesHere(may_import=True).find(name)
    except DataError as error:
        raise ConfigurationError(str(error)) from error
    if meant is not None and inspect.unwrap(found) is not inspect.unwrap(meant):
        raise ConfigurationError(
            f"the name {name!r} stands for something else than what was passed; "
            "another process would find the wrong one. Give each its own name."
        )


def how_to_run_main() -> dict[Literal["module", "path"], str] | None:
    """Say how the script of this process can be run once more, if it can be."""
    main = sys.modules[MAIN]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return {"module": spec.name}
    path = getattr(main, "__file__", None)
    if path is None or not Path(path).is_file():
        return None
    return {"path": str(Path(path).resolve())}


def run_main(how: dict[Literal["module", "path"], str]) -> None:
    """Run a script as `RERUN` and let `__main__` mean it, in a process started afresh.

    Raises:
        Exception: What the script raises.
    """
    module = types.ModuleType(RERUN)
    # Before it runs: its classes look for their module there.
    sys.modules[RERUN] = module
    if "module" in how:
        # The program of a package runs whatever it is called, so it is left alone.
        if how["module"].endswith(f".{MAIN}"):
            return
        content = runpy.run_module(how["module"], run_name=RERUN, alter_sys=True)
    else:
        content = runpy.run_path(how["path"], run_name=RERUN)
    vars(module).update(content)
    sys.modules[MAIN] = sys.modules[RERUN] = module
