"""What the metaclass of signatures does to a class: untyped fields, checks, texts."""

from __future__ import annotations

import enum
import inspect
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType
from typing import Any

from pydantic.fields import FieldInfo

from dspex.core.docstrings import are_dropped, written_docstring
from dspex.core.errors import SignatureError
from dspex.core.fields import (
    UNTYPED_KEY,
    FieldDeclarationError,
    Side,
    completed,
    extra_of,
    side_of,
)
from dspex.core.foreign import refuse_dspy_type

CALL_ARGUMENTS = frozenset({"signature", "demos", "config", "lm", "self"})
"""Names a predictor's call uses for itself, so no input can have them."""


def default_instructions(inputs: Iterable[str], outputs: Iterable[str]) -> str:
    """Return the sentence a signature without instructions gets."""
    asked = ", ".join(f"`{name}`" for name in outputs)
    given = ", ".join(f"`{name}`" for name in inputs)
    return f"Read {given} and give {asked}." if given else f"Give {asked}."


CLASS_PROPERTIES = frozenset(
    {"fields", "input_fields", "output_fields", "instructions", "signature"}
)
"""Properties of a signature class. Pydantic would take them for a field's default."""


def _reserved(cls: Any, name: str, who: str, names: Iterable[str]) -> SignatureError:
    return SignatureError(
        f"the field {name!r} of {cls.__name__} has a reserved name; {who} "
        f"{listed(sorted(names))} for themselves. Rename it, for instance to "
        f"'{name}_text'."
    )


def finish(cls: Any, *, is_written: bool) -> None:
    """Check the fields of a new class and fill in what the user left out.

    Args:
        cls: The class.
        is_written: Whether it stands somewhere as a class statement.
    """
    if is_written and cls.__doc__ is None and are_dropped():
        cls.__doc__ = written_docstring(cls)
    cls._awaits_types = not _finish_fields(cls)
    _inherit_instructions(cls)


def resolve(cls: Any) -> None:
    """Find the types that were not yet defined when the class was made.

    Raises:
        SignatureError: One is in sight nowhere.
    """
    if not cls.__dict__.get("_awaits_types", False):
        return
    # A type that a base waits for is a name of the base's module, not of this one.
    waiting = [base for base in cls.__mro__ if "_awaits_types" in vars(base)]
    modules = [sys.modules.get(base.__module__) for base in reversed(waiting)]
    names = {
        key: value
        for module in modules
        if module
        for key, value in vars(module).items()
    }
    cls.model_rebuild(force=True, raise_errors=False, _types_namespace=names)
    if not _finish_fields(cls):
        raise next(_unresolved(cls))
    cls._awaits_types = False


def _finish_fields(cls: Any) -> bool:
    """Check and complete each field; say whether the types of all are known."""
    for name, field in cls.__pydantic_fields__.items():
        if name in CLASS_PROPERTIES:
            raise _reserved(cls, name, "signatures use", CLASS_PROPERTIES)
        side = declared_side(cls.__name__, name, field)
        if side == "input" and name in CALL_ARGUMENTS:
            raise _reserved(cls, name, "predictors use", CALL_ARGUMENTS)
        _check_type(cls, name, field.annotation)
        cls.__pydantic_fields__[name] = completed(name, field)
    return next(_unresolved(cls), None) is None


def _inherit_instructions(cls: Any) -> None:
    own = cls.__dict__.get("__doc__")
    if own is None:
        # Instructions somebody wrote are kept by a subclass; a sentence we made of
        # the base's fields would be wrong about the subclass's.
        written = (base for base in cls.__mro__[1:] if base.__dict__.get("_written"))
        own = next((base.__doc__ for base in written), None)
    cls._written = own is not None
    if own is None:
        sides = sides_of(cls)
        own = default_instructions(sides.inputs, sides.outputs)
    cls.__doc__ = own


def declared_side(class_name: str, name: str, field: Any) -> Side:
    side = side_of(field) if isinstance(field, FieldInfo) else None
    if side is None:
        raise FieldDeclarationError(
            f"the field {name!r} of {class_name} is neither input nor output; each "
            f"field needs its side. Write {name}: ... = InputField() or OutputField()."
        )
    return side


def _unresolved(cls: Any) -> Iterator[SignatureError]:
    if cls.__pydantic_fields_complete__:
        return
    for name, field in cls.__pydantic_fields__.items():
        if not field._complete:  # noqa: SLF001 - pydantic has no public way to ask one field
            yield SignatureError(
                f"the type of {name!r} in {cls.__name__} is unknown: "
                f"{field.annotation!r}; it must be a name of the module, or of the "
                "enclosing function above the class. Import or define it there."
            )


_NO_TYPES = (
    *(int, float, complex, bytes, list, tuple, set, frozenset, dict, enum.Enum),
    *(FunctionType, BuiltinFunctionType),
)


def _check_type(cls: Any, name: str, annotation: Any) -> None:
    # Pydantic would say so only when the first value is checked: at an answer.
    refuse_dspy_type(annotation, f"the type of {name!r} in {cls.__name__}")
    if isinstance(annotation, _NO_TYPES):
        raise SignatureError(
            f"the type of {name!r} in {cls.__name__} is {annotation!r:.80}, which is a "
            "value; a type was expected. Write list[str] for texts, or "
            "Literal['a', 'b'] for one of two words."
        )


def check_names(class_name: str, namespace: dict[str, Any]) -> None:
    for name, value in namespace.items():
        if isinstance(value, FieldInfo):
            check_name(class_name, name)


def check_name(class_name: str, name: str) -> None:
    if not name.isidentifier() or name.startswith(("_", "dspy_", "model_config")):
        raise SignatureError(
            f"{name!r} cannot be a field of {class_name}; names are Python identifiers "
            "that start neither with '_' nor with 'dspy_'. Rename the field."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The fields of one class, sorted once."""

    made_of: dict[str, FieldInfo]
    """Pydantic's own fields; another object there means these are out of date."""
    inputs: dict[str, FieldInfo]
    """The inputs by name, in order."""
    outputs: dict[str, FieldInfo]
    """The outputs by name, in order."""
    text: str
    """The short text, without types."""


def sides_of(cls: Any) -> Sides:
    """Return the fields of a signature class by side, made at the first question.

    Their types may be unknown still; see `resolve`.
    """
    fields: dict[str, FieldInfo] = cls.__pydantic_fields__
    # A subclass finds its base's here, which were made of other fields.
    sides: Sides | None = getattr(cls, "_sides", None)
    if sides is None or sides.made_of is not fields:
        inputs = _fields_on(fields, "input")
        outputs = _fields_on(fields, "output")
        text = f"{', '.join(inputs)} -> {', '.join(outputs)}"
        sides = Sides(made_of=fields, inputs=inputs, outputs=outputs, text=text)
        cls._sides = sides
    return sides


def _fields_on(fields: dict[str, FieldInfo], side: Side) -> dict[str, FieldInfo]:
    return {name: field for name, field in fields.items() if side_of(field) == side}


def instructions_of(cls: Any) -> str:
    """Return a class's docstring without its indentation, made once per docstring."""
    written = cls.__doc__ or ""
    known: tuple[str, str] = cls.__dict__.get("_instructions", ("", ""))
    if known[0] is not written:
        known = (written, inspect.cleandoc(written))
        cls._instructions = known
    return known[1]


def type_untyped_fields(namespace: dict[str, Any]) -> None:
    """Annotate fields as `str` where the user did not, keeping the order written."""
    annotations = _annotations_of(namespace)
    fields = [name for name, value in namespace.items() if isinstance(value, FieldInfo)]
    if all(name in annotations for name in fields):
        return
    for name in fields:
        if name not in annotations and namespace[name].annotation is None:
            extra_of(namespace[name])[UNTYPED_KEY] = True
    ordered = {
        name: annotations.get(name, _own_type(namespace[name])) for name in fields
    }
    namespace["__annotations__"] = {**ordered, **annotations}


def _own_type(field: FieldInfo) -> Any:
    return str if field.annotation is None else field.annotation


def _annotations_of(namespace: dict[str, Any]) -> dict[str, Any]:
    if "__annotations__" not in namespace and sys.version_info >= (3, 14):
        import annotationlib

        annotate = annotationlib.get_annotate_from_class_namespace(namespace)
        if annotate is not None:
            lazily = annotationlib.Format.FORWARDREF
            return dict(annotationlib.call_annotate_function(annotate, lazily))
    return dict(namespace.get("__annotations__", {}))


@contextmanager
def shadowing_allowed(bases: tuple[type, ...], names: Iterable[str]) -> Iterator[None]:
    """Quiet pydantic about fields called like its own methods ("json", "copy").

    The class is what matters of a signature, so an instance's method is no loss. The
    warning filters are touched only when such a name is there, because changing them
    is not safe across threads.
    """
    public = [name for name in names if not name.startswith("_")]
    if not any(hasattr(base, name) for base in bases for name in public):
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Field name .* shadows")
        yield


def listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
