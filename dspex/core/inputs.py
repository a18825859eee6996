"""The inputs of one call to a predictor: complete, known, and of their types.

What depends only on the signature is worked out once for each signature.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.fields import FieldInfo

from dspex.core.adapters.demos import allows_none
from dspex.core.errors import MissingInputError, UnexpectedInputError
from dspex.core.fields import UNTYPED_KEY, extra_of
from dspex.core.foreign import refuse_dspy
from dspex.core.signature import Signature
from dspex.core.type_names import type_name
from dspex.core.types.base import Type
from dspex.core.types.reasoning import Reasoning

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Input:
    """What a call needs to know of one input."""

    field: FieldInfo
    """The field."""
    has_default: bool
    """Whether the input may be left out, for its default."""
    may_lack: bool
    """Whether it may be left out without one, because it may be `None`."""
    is_typed: bool
    """Whether somebody gave it a type, so that a value can be of another."""


# Invariant: a signature's fields never change; every operation makes another class.
_known: WeakKeyDictionary[type[Signature], dict[str, _Input]] = WeakKeyDictionary()


def checked_inputs(
    signature: type[Signature], inputs: Mapping[str, Any], *, warn: bool = True
) -> dict[str, Any]:
    """Return the inputs in the signature's order, defaults filled in.

    An input that may be `None` and is not given stays away, as in DSPy.

    Args:
        signature: What is asked.
        inputs: What was given.
        warn: Whether a value of another type than its field's is logged as a warning.

    Raises:
        MissingInputError: An input without default is not given.
        UnexpectedInputError: A name is no input.
        ConfigurationError: A value is an object of DSPy.
    """
    known = _known.get(signature)
    if known is None:
        known = _known[signature] = _inputs_of(signature)
    unexpected = tuple(name for name in inputs if name not in known)
    if unexpected:
        raise _unexpected(signature, unexpected)
    row: dict[str, Any] = {}
    missing = []
    for name, one in known.items():
        if name in inputs:
            row[name] = inputs[name]
            refuse_dspy(row[name], name)
            if warn and one.is_typed:
                _check_type(name, row[name], one.field.annotation)
        elif one.has_default:
            row[name] = one.field.get_default(
                call_default_factory=True, validated_data={}
            )
        elif not one.may_lack:
            missing.append(name)
    if missing:
        raise _missing(signature, tuple(missing))
    return row


def no_positional(signature: type[Signature], count: int) -> MissingInputError:
    """Return the error of a call whose inputs have no names."""
    names = tuple(signature.input_fields)
    return MissingInputError(
        f"{count} positional arguments were given to a predictor; it takes its inputs "
        f"by name: {_listed(names)}. Write it as {_example_call(names)}.",
        missing=names,
    )


def _inputs_of(signature: type[Signature]) -> dict[str, _Input]:
    return {
        name: _Input(
            field=field,
            has_default=not field.is_required(),
            may_lack=allows_none(field.annotation),
            # The mark stays when an operation gives the field a type later on.
            is_typed=field.annotation is not str or UNTYPED_KEY not in extra_of(field),
        )
        for name, field in signature.input_fields.items()
    }


def _check_type(name: str, value: Any, annotation: Any) -> None:
    """Log a warning when a value is not of its field's type."""
    # The usual cases, without pydantic.
    if value is None or annotation is Any or type(value) is annotation:
        return
    # A list of texts for a text is shown as a list, as in DSPy.
    if annotation is str and isinstance(value, list):
        annotation = list[str]
    if not _fits(value, annotation):
        for number, part in enumerate(value if isinstance(value, list) else ()):
            refuse_dspy(part, f"{name}[{number}]")
        _logger.warning(
            "Type mismatch for field %r: expected %s by the signature, and a %s was "
            "given. It is sent as it is; change the value or the field's type.",
            name,
            type_name(annotation),
            type(value).__name__,
        )


def _fits(value: Any, annotation: Any) -> bool:
    try:
        checker, has_types = _checker(annotation), _has_types(annotation)
    except TypeError:
        # The type has no hash, so it cannot be looked up.
        return True
    if checker is None:
        return True
    try:
        made = checker.validate_python(value, strict=True)
    except (ValidationError, RecursionError):
        return False
    return not (has_types and _is_converted(made, value))


def _is_converted(made: Any, value: Any) -> bool:
    """Say whether a `Type` was made of what will be written as something else.

    An address is sent as text, also where a picture could be made of it.
    """
    match made:
        case Reasoning():
            return not isinstance(value, str | Reasoning)
        case Type():
            return not isinstance(value, Type)
        case list() | tuple():
            return any(map(_is_converted, made, value))
        case dict():
            return any(_is_converted(one, value[key]) for key, one in made.items())
    return False


@lru_cache(maxsize=1024)
def _has_types(annotation: Any) -> bool:
    return bool(Type.extract_custom_type_from_annotation(annotation))


@lru_cache(maxsize=1024)
def _checker(annotation: Any) -> TypeAdapter[Any] | None:
    """Return what tells a type's values; `None` when pydantic cannot."""
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:
        pass  # A model or dataclass brings a configuration of its own.
    except PydanticSchemaGenerationError:
        return None
    try:
        return TypeAdapter(annotation)
    except (PydanticUserError, PydanticSchemaGenerationError):
        return None


def _missing(signature: type[Signature], missing: tuple[str, ...]) -> MissingInputError:
    names = tuple(signature.input_fields)
    return MissingInputError(
        f"the call lacks {_listed(missing)}; {signature.signature!r} needs all of "
        f"{_listed(names)}. Write it as {_example_call(names)}.",
        missing=missing,
    )


def _unexpected(
    signature: type[Signature], unexpected: tuple[str, ...]
) -> UnexpectedInputError:
    names = tuple(signature.input_fields)
    close = difflib.get_close_matches(unexpected[0], names, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else "Leave the others out."
    return UnexpectedInputError(
        f"{_listed(unexpected)} is no input; the inputs of {signature.signature!r} "
        f"are {_listed(names)}. {hint}",
        unexpected=unexpected,
        known=names,
    )


def _example_call(names: Iterable[str]) -> str:
    return f"predict({', '.join(f'{name}=...' for name in names)})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
