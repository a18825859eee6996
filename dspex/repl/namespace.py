"""What the first line of a session can name, and what the session says of itself."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import dspex
from dspex.core.safe_text import safe_text

COMMON: Final = (
    "ChainOfThought",
    "Evaluate",
    "Example",
    "InputField",
    "LM",
    "OutputField",
    "Predict",
    "Program",
    "Signature",
    "compare",
    "configure",
    "load",
    "status",
)
"""Names of `dspex` that stand in a session without it."""


def namespace(loaded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names of a session; what was loaded for it wins over ours.

    Example:
        >>> names = namespace({"capital": len})
        >>> names["dspex"].Predict is names["Predict"], names["capital"]
        (True, <built-in function len>)
    """
    common = {name: getattr(dspex, name) for name in COMMON}
    return {"dspex": dspex, **common, **loaded}


def banner(
    *, console: str, model: object | None, loaded: Iterable[str], home: Path
) -> str:
    """Return what is said before the first line.

    Args:
        console: Who reads the lines, in a few words.
        model: The language model; `None` when there is none yet.
        loaded: What the session was given beside the common names.
        home: Where files go.
    """
    told = 'none yet: configure(lm=LM("openai/gpt-4o-mini"))'
    lines = [
        f"dspex {dspex.__version__}, Python {platform.python_version()}, {console}",
        f"  model  {told if model is None else repr(model)}",
        f"  names  {', '.join(['dspex', *COMMON, *loaded])}",
        f"  files  {home}",
        "print(status()) shows what runs. Ctrl-C stops the work, Ctrl-D leaves.",
    ]
    return "\n".join(safe_text(line, keep="") for line in lines)
