"""Tells DSPy's own objects from ours, so that a forgotten import is found at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from dspex.core.errors import ConfigurationError

_PACKAGE = "dspy"


def refuse_dspy(value: Any, what: str) -> None:
    """Refuse an object, or a class, that comes from the package `dspy`.

    Args:
        value: What was handed over.
        what: What it was handed over as, such as "lm" or "devset[3]".

    Raises:
        ConfigurationError: It does; the text names the import that is left.

    Example:
        >>> refuse_dspy("openai/gpt-4o-mini", "lm")
    """
    kind = value if isinstance(value, type) else type(value)
    origin = _origin(kind)
    if origin is None:
        return
    where = (
        "the import of dspy where it is made"
        if kind is origin
        else f"the import of dspy in {kind.__module__!r}, where it is defined"
    )
    raise ConfigurationError(
        f"{what} is DSPy's own {origin.__module__}.{origin.__qualname__}; dspex works "
        f"with its own classes of the same names. Change {where}: write "
        f"dspex.{origin.__name__} for dspy.{origin.__name__}."
    )


@lru_cache(maxsize=1024)
def _origin(kind: type) -> type | None:
    """Return the nearest class of DSPy that a class is made of."""
    return next((base for base in kind.__mro__ if _is_dspys(base)), None)


def _is_dspys(kind: type) -> bool:
    module = kind.__module__
    return module == _PACKAGE or module.startswith(f"{_PACKAGE}.")
