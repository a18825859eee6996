"""Fields of a signature: `InputField`, `OutputField`, and what they carry.

A field is pydantic's own `FieldInfo`. What only a signature needs (description,
prefix, which side it stands on) lives in `json_schema_extra`, under DSPy's keys, so
that code written for DSPy reads it in the same place.
"""

from __future__ import annotations

import copy
import re
import warnings
from typing import Any, Final, Literal

from pydantic import Field
from pydantic.fields import FieldInfo

from dspex.core.errors import SignatureError

Side = Literal["input", "output"]
"""Which side of the arrow a field stands on."""

SIDE_KEY: Final = "__dspy_field_type"
"""Where a field keeps its side. DSPy's key, because people's code reads it."""

UNTYPED_KEY: Final = "IS_TYPE_UNDEFINED"
"""Where an input says that nobody gave it a type. DSPy's key."""

EXTRA_KEYS: Final = frozenset(
    {"desc", "prefix", "format", "parser", SIDE_KEY, UNTYPED_KEY}
)
"""Arguments of a field that pydantic does not know."""

WITHOUT_EFFECT: Final = frozenset({"format", "parser"})
"""Arguments that DSPy once had, which are taken and warned of."""

CONSTRAINTS: Final = {
    "gt": "greater than",
    "ge": "greater than or equal to",
    "lt": "less than",
    "le": "less than or equal to",
    "min_length": "minimum length",
    "max_length": "maximum length",
    "multiple_of": "multiple of",
    "allow_inf_nan": "infinity and NaN allowed",
}
"""Pydantic's constraints, in words for the prompt."""


class FieldDeclarationError(SignatureError, TypeError):
    """A field of a signature class is not declared as input or output.

    It is a `TypeError` too, because DSPy raises one here.
    """


def InputField(**options: Any) -> Any:  # noqa: N802 - DSPy's name
    """Declare an input of a signature class.

    Args:
        options: `desc` (what the field means, for the model), `prefix` (its label in
            line prompts), and whatever `pydantic.Field` takes. With a default, the
            input may be left out of a call.
    """
    return _field("input", options)


def OutputField(**options: Any) -> Any:  # noqa: N802 - DSPy's name
    """Declare an output of a signature class.

    Args:
        options: As for `InputField`. Constraints (`ge=`, `max_length=`, ...) are told
            to the model and checked on its answer.
    """
    return _field("output", options)


def _field(side: Side, options: dict[str, Any]) -> Any:
    for name in WITHOUT_EFFECT & options.keys():
        warnings.warn(
            f"{name}= of a field has no effect, as in DSPy; it is taken so that old "
            "programs run. Leave it out.",
            DeprecationWarning,
            stacklevel=3,
        )
    extra = {key: value for key, value in options.items() if key in EXTRA_KEYS}
    given = {key: value for key, value in options.items() if key not in EXTRA_KEYS}
    if "description" in given:
        extra.setdefault("desc", given["description"])
    if constraints := _constraints_in_words(given):
        extra["constraints"] = constraints
    extra |= given.pop("json_schema_extra", None) or {}
    return Field(json_schema_extra={**extra, SIDE_KEY: side}, **given)


def _constraints_in_words(options: dict[str, Any]) -> str:
    known = [(words, options.get(name)) for name, words in CONSTRAINTS.items()]
    return ", ".join(f"{words}: {bound}" for words, bound in known if bound is not None)


def extra_of(field: FieldInfo) -> dict[str, Any]:
    """Return what the signature keeps in a field; empty for a foreign field."""
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def side_of(field: FieldInfo) -> Side | None:
    """Return the side a field was declared on, or `None` when it was not."""
    return extra_of(field).get(SIDE_KEY)


def description_of(name: str, field: FieldInfo) -> str:
    """Return what the user said about a field, or an empty text.

    `${name}` is DSPy's stand-in for "nothing said", so it counts as nothing.
    """
    said = str(extra_of(field).get("desc") or "")
    return "" if said == f"${{{name}}}" else said


def completed(name: str, field: FieldInfo) -> FieldInfo:
    """Return a copy of a field that has a prefix and a description."""
    defaults = {"prefix": f"{infer_prefix(name)}:", "desc": f"${{{name}}}"}
    whole = copy.copy(field)
    whole.json_schema_extra = {**defaults, **extra_of(field)}
    return whole


def updated(field: FieldInfo, changes: dict[str, Any]) -> FieldInfo:
    """Return a copy of a field with some of its extra keys replaced."""
    changed = copy.copy(field)
    changed.json_schema_extra = {**extra_of(field), **changes}
    return changed


def infer_prefix(name: str) -> str:
    """Return the words of an attribute's name, each with a capital.

    Example:
        >>> infer_prefix("question_text"), infer_prefix("isHTTPSecure2")
        ('Question Text', 'Is HTTP Secure 2')
    """
    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", spaced)
    spaced = re.sub(r"([^\W\d_])(\d)", r"\1_\2", spaced)
    spaced = re.sub(r"(\d)([^\W\d_])", r"\1_\2", spaced)
    words = (word for word in spaced.split("_") if word)
    return " ".join(word if word.isupper() else word.capitalize() for word in words)
