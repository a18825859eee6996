"""Reaching a part of a program by its name, such as `steps[0].predict`."""

from __future__ import annotations

import ast
from typing import Any

from dspex.core.errors import ConfigurationError

_NO_NAME = "it is not made of attributes, indices and keys"


def set_attribute_by_name(program: Any, name: str, value: Any) -> None:
    """Put a value where a name leads, as `named_parameters` writes names.

    Args:
        program: Where the name begins.
        name: Attributes, indices and keys: `find`, `steps[0].predict`, `by['k'].find`.
        value: What to put there.

    Raises:
        ConfigurationError: It is no such name, or leads nowhere.

    Example:
        >>> from types import SimpleNamespace
        >>> program = SimpleNamespace(steps=[SimpleNamespace(predict=None)])
        >>> set_attribute_by_name(program, "steps[0].predict", 3)
        >>> program.steps[0].predict
        3
    """
    try:
        match ast.parse(name, mode="eval").body:
            case ast.Name(id=attribute):
                setattr(program, attribute, value)
            case ast.Attribute(value=holder, attr=attribute):
                setattr(_reached(program, holder), attribute, value)
            case ast.Subscript(value=holder, slice=key):
                _reached(program, holder)[ast.literal_eval(key)] = value
            case _:
                raise ValueError(_NO_NAME)
    except (SyntaxError, ValueError, AttributeError, LookupError, TypeError) as error:
        raise ConfigurationError(
            f"{name!r} leads nowhere in a {type(program).__name__}: {error}. Write it "
            "as named_parameters() does, such as 'steps[0].predict'."
        ) from error


def _reached(program: Any, node: ast.expr) -> Any:
    match node:
        case ast.Name(id=attribute):
            return getattr(program, attribute)
        case ast.Attribute(value=holder, attr=attribute):
            return getattr(_reached(program, holder), attribute)
        case ast.Subscript(value=holder, slice=key):
            return _reached(program, holder)[ast.literal_eval(key)]
    raise ValueError(_NO_NAME)
