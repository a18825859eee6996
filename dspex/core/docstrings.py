"""Docstrings, read from the source where `python -OO` has dropped them.

A signature's docstring is its task and a tool's is what a model is told of it, so
without them a program would ask something else than what was written.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import warnings
from typing import Any


def are_dropped() -> bool:
    """Say whether this Python drops docstrings."""
    return sys.flags.optimize >= 2


def written_docstring(made: Any) -> str | None:
    """Return the docstring of a class or function as its source has it.

    Args:
        made: What a `class` or `def` statement made.

    Returns:
        It, or `None` where none is written. Where the source is not to be found, as of
        what was given to `python -c`, there is a warning as well.
    """
    try:
        source = textwrap.dedent(inspect.getsource(made))
    except (OSError, TypeError):
        warnings.warn(
            f"python -OO drops docstrings, and the source of {made.__qualname__!r} is "
            "not to be found; what its docstring says is not told to the model. Give "
            "it as text, with with_instructions(...) or Tool(..., desc=...), or run "
            "without -OO.",
            stacklevel=4,
        )
        return None
    return _first_docstring(source)


def _first_docstring(source: str) -> str | None:
    try:
        [statement, *_] = ast.parse(source).body
    except (SyntaxError, ValueError):  # a lambda in the middle of a call
        return None
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return ast.get_docstring(statement, clean=False)
    return None
