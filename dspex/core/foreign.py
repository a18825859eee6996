"""Tells DSPy's own objects from ours, so that a forgotten import is found at once."""

from __future__ import annotations

import sys
from typing import Any, get_args
from weakref import WeakKeyDictionary

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
        if _is_dspys(kind)
        else f"the import of dspy in {kind.__module__!r}, where it is defined"
    )
    raise ConfigurationError(
        f"{what} is DSPy's own {origin.__module__}.{origin.__qualname__}; dspex works "
        f"with its own classes of the same names. Change {where}: write "
        f"dspex.{origin.__name__} for dspy.{origin.__name__}."
    )


def refuse_dspy_type(annotation: Any, what: str) -> None:
    """Refuse a type that is made of a class of DSPy, such as `list[dspy.Image]`.

    Args:
        annotation: The type.
        what: What it is the type of.

    Raises:
        ConfigurationError: It is; the text names the import that is left.
    """
    if isinstance(annotation, type):
        refuse_dspy(annotation, what)
    for part in get_args(annotation):
        refuse_dspy_type(part, what)


# A signature is a class, and many are made and forgotten: so none is held here.
_known: WeakKeyDictionary[type, type | None] = WeakKeyDictionary()


def _origin(kind: type) -> type | None:
    """Return the nearest class of DSPy that a class is made of."""
    try:
        return _known[kind]
    except KeyError:
        origin = _known[kind] = _found_origin(kind)
        return origin


def _found_origin(kind: type) -> type | None:
    """Look for it.

    One that DSPy's module has under its name comes first: a signature made of a text
    is of a class that was made at that moment, and nobody can import it.
    """
    bases = [base for base in kind.__mro__ if _is_dspys(base)]
    return next((base for base in bases if _is_importable(base)), (*bases, None)[0])


def _is_importable(kind: type) -> bool:
    module = sys.modules.get(kind.__module__)
    return getattr(module, kind.__name__, None) is kind


def _is_dspys(kind: type) -> bool:
    module = kind.__module__
    return module == _PACKAGE or module.startswith(f"{_PACKAGE}.")
