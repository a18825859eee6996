"""Signatures: what a program takes and gives, as a text or as a class.

The class itself is the value. Every operation (`prepend`, `with_instructions`, ...)
returns a new class and leaves the old one alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, create_model
from pydantic.fields import FieldInfo

from dspex.core._signature_class import (
    check_name,
    check_names,
    declared_side,
    finish,
    instructions_of,
    listed,
    resolve,
    shadowing_allowed,
    sides_of,
    type_untyped_fields,
)
from dspex.core._signature_text import TextField, parse_text
from dspex.core.errors import SignatureError
from dspex.core.fields import (
    UNTYPED_KEY,
    InputField,
    OutputField,
    extra_of,
    infer_prefix,
    updated,
)
from dspex.core.foreign import refuse_dspy

__all__ = [
    "InputField",
    "OutputField",
    "Signature",
    "SignatureMeta",
    "ensure_signature",
    "infer_prefix",
    "make_signature",
]

FieldsLike = Mapping[str, FieldInfo | tuple[Any, FieldInfo]]
"""Fields by name, each with or without a type."""


if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


class SignatureMeta(ModelMetaclass):
    """Makes signature classes: checks their fields, gives them their properties."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        **kwargs: Any,
    ) -> Any:
        """Make a signature class; a field without a type is a `str`."""
        type_untyped_fields(namespace)
        check_names(name, namespace)
        with shadowing_allowed(bases, namespace):
            cls: Any = super().__new__(mcs, name, bases, namespace, **kwargs)
        if not cls.__pydantic_fields_complete__:
            # Types of a function's own scope, under `from __future__ import
            # annotations`: pydantic looks in the scope of the class statement.
            cls.model_rebuild(raise_errors=False, _parent_namespace_depth=3)
        if bases != (BaseModel,):
            # Only a class statement says how the class is called from outside.
            finish(cls, is_written="__qualname__" in namespace)
        return cls

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """`Signature(...)` makes a signature; calling one makes a row of values."""
        if cls is Signature:
            return make_signature(*args, **kwargs)
        return super().__call__(*args, **kwargs)

    @property
    def instructions(cls) -> str:
        """What the model is told to do."""
        return instructions_of(cls)

    @instructions.setter
    def instructions(cls, instructions: str) -> None:
        cls.__doc__ = instructions

    # Each answer is a new dict, so that changing it changes no signature.
    @property
    def fields(cls) -> dict[str, FieldInfo]:
        """All fields by name, inputs first."""
        resolve(cls)
        sides = sides_of(cls)
        return {**sides.inputs, **sides.outputs}

    @property
    def input_fields(cls) -> dict[str, FieldInfo]:
        """The inputs by name, in order."""
        resolve(cls)
        return dict(sides_of(cls).inputs)

    @property
    def output_fields(cls) -> dict[str, FieldInfo]:
        """The outputs by name, in order."""
        resolve(cls)
        return dict(sides_of(cls).outputs)

    @property
    def signature(cls) -> str:
        """The short text, without types: `question -> answer`."""
        return sides_of(cls).text

    def __dir__(cls) -> list[str]:
        """What TAB shows; Python itself leaves the properties of a class out."""
        shown = ("fields", "input_fields", "instructions", "output_fields", "signature")
        return sorted({*super().__dir__(), *shown})

    def __repr__(cls) -> str:
        sides = sides_of(cls)
        fields = {**sides.inputs, **sides.outputs}
        lines = [
            f"{cls.__name__}({cls.signature}",
            f"    instructions={cls.instructions!r}",
            *(f"    {name} = Field({field})" for name, field in fields.items()),
        ]
        return "\n".join([*lines, ")"])


class Signature(BaseModel, metaclass=SignatureMeta):  # noqa: D101 - see below
    # No docstring: signatures without one would inherit it as their instructions.
    model_config = ConfigDict(
        arbitrary_types_allowed=True, defer_build=True, protected_namespaces=()
    )

    @classmethod
    def with_instructions(cls, instructions: str) -> type[Signature]:
        """Return this signature with other instructions."""
        return _remade(cls, cls.fields, instructions)

    @classmethod
    def append_instructions(cls, instructions: str) -> type[Signature]:
        """Return this signature with a paragraph added to its instructions."""
        parts = (cls.instructions, inspect.cleandoc(instructions))
        return cls.with_instructions("\n\n".join(part for part in parts if part))

    @classmethod
    def with_updated_fields(
        cls, name: str, type_: Any = None, **extra: Any
    ) -> type[Signature]:
        """Return this signature with one field changed.

        Args:
            name: The field.
            type_: Its new type; `None` keeps the old one.
            extra: New `desc`, `prefix` or other keys of its `json_schema_extra`.

        Raises:
            SignatureError: When there is no such field.
        """
        fields = cls.fields
        if name not in fields:
            raise SignatureError(
                f"no field {name!r} in {cls.signature!r}; its fields are: "
                f"{listed(fields)}. Pass one of them."
            )
        field = updated(fields[name], extra)
        typed = field.annotation if type_ is None else type_
        return _remade(cls, {**fields, name: (typed, field)}, cls.instructions)

    @classmethod
    def prepend(cls, name: str, field: Any, type_: Any = None) -> type[Signature]:
        """Return this signature with a field added first on its side."""
        return cls.insert(0, name, field, type_)

    @classmethod
    def append(cls, name: str, field: Any, type_: Any = None) -> type[Signature]:
        """Return this signature with a field added last on its side."""
        return cls.insert(-1, name, field, type_)

    @classmethod
    def insert(
        cls, index: int, name: str, field: Any, type_: Any = None
    ) -> type[Signature]:
        """Return this signature with a field added.

        Args:
            index: Where among the fields of its own side; -1 is behind the last.
            name: The new field. An old one of the same name is replaced.
            field: An `InputField()` or `OutputField()`.
            type_: Its type; `None` means the field's own, or else `str`.

        Raises:
            SignatureError: When the index is out of range or the field has no side.
        """
        side = declared_side(cls.__name__, name, field)
        sides: dict[str, dict[str, Any]] = {
            "input": cls.input_fields,
            "output": cls.output_fields,
        }
        for fields in sides.values():
            fields.pop(name, None)
        placed: list[tuple[str, Any]] = list(sides[side].items())
        at = index if index >= 0 else len(placed) + index + 1
        if not 0 <= at <= len(placed):
            raise SignatureError(
                f"index {index} is outside the {side} fields; they are "
                f"{len(placed)}: {listed(sides[side])}. Use 0 to {len(placed)}, or -1."
            )
        placed.insert(at, (name, (type_ or field.annotation, field)))
        sides[side] = dict(placed)
        return _remade(cls, {**sides["input"], **sides["output"]}, cls.instructions)

    @classmethod
    def delete(cls, name: str) -> type[Signature]:
        """Return this signature without a field; an absent name is fine."""
        fields = cls.fields
        fields.pop(name, None)
        return _remade(cls, fields, cls.instructions)

    @classmethod
    def equals(cls, other: Any) -> bool:
        """Say whether another signature has equal instructions and fields."""
        if not isinstance(other, SignatureMeta):
            return False
        return cls.instructions == other.instructions and _essence(cls) == _essence(
            other
        )

    @classmethod
    def dump_state(cls) -> dict[str, Any]:
        """Return what an optimiser may change, as JSON values in DSPy's shape."""
        shown = [extra_of(field) for field in cls.fields.values()]
        return {
            "instructions": cls.instructions,
            "fields": [
                {"prefix": extra["prefix"], "description": extra["desc"]}
                for extra in shown
            ],
        }

    @classmethod
    def load_state(cls, state: Mapping[str, Any]) -> type[Signature]:
        """Return this signature with the texts of a state that was dumped.

        Raises:
            SignatureError: When the state has another number of fields.
        """
        fields = cls.fields
        saved = state["fields"]
        if len(saved) != len(fields):
            raise SignatureError(
                f"the state has {len(saved)} fields; {cls.signature!r} has "
                f"{len(fields)}. Load it into a program of the same signature."
            )
        changed = {
            name: updated(
                field, {"prefix": texts["prefix"], "desc": texts["description"]}
            )
            for (name, field), texts in zip(fields.items(), saved, strict=True)
        }
        return _remade(cls, changed, state["instructions"])


def make_signature(
    signature: str | FieldsLike,
    instructions: str | None = None,
    signature_name: str = "StringSignature",
    custom_types: Mapping[str, Any] | None = None,
) -> type[Signature]:
    """Make a signature of a text or of fields by name.

    Args:
        signature: `"country -> capital"`, types allowed (`"a: list[int] -> b: bool"`),
            or a mapping of names to fields, or to (type, field).
        instructions: What to do; a plain sentence about the fields when left out.
        signature_name: The name of the new class.
        custom_types: Your own types by the names the text uses. A name that is not
            among them, and is none of Python's own types, is looked for among the
            types your function or module can see, outward through its callers.

    Raises:
        SignatureError: When the text or the mapping is no signature.

    Example:
        >>> make_signature("country, k: int -> capitals: list[str]").signature
        'country, k -> capitals'
    """
    fields = (
        _fields_of_text(signature, custom_types or {})
        if isinstance(signature, str)
        else _checked_fields(signature)
    )
    return _made(signature_name, fields, instructions)


def ensure_signature(
    signature: str | type[Signature], instructions: str | None = None
) -> type[Signature]:
    """Return a signature class for a class or a text."""
    if isinstance(signature, str):
        return make_signature(signature, instructions)
    refuse_dspy(signature, "signature")
    if not isinstance(signature, SignatureMeta):
        raise SignatureError(
            f"{signature!r} is no signature; expected a text or a Signature class. "
            "Write it as 'question -> answer'."
        )
    resolve(signature)
    if instructions is None:
        return signature
    return signature.with_instructions(instructions)


def _fields_of_text(text: str, custom_types: Mapping[str, Any]) -> dict[str, Any]:
    sides = parse_text(text, custom_types)
    _check_distinct(sides.inputs, sides.outputs)
    inputs = {field.name: (field.annotation, _input(field)) for field in sides.inputs}
    outputs = {field.name: (field.annotation, OutputField()) for field in sides.outputs}
    return {**inputs, **outputs}


def _input(field: TextField) -> Any:
    """Return an input of a text; one without a type takes any value."""
    return InputField() if field.annotation else InputField(**{UNTYPED_KEY: True})


def _check_distinct(
    inputs: tuple[TextField, ...], outputs: tuple[TextField, ...]
) -> None:
    names = [field.name for field in (*inputs, *outputs)]
    for name in names:
        if names.count(name) > 1:
            raise SignatureError(
                f"the name {name!r} stands twice in the signature; all inputs and "
                "outputs need distinct names. Rename one of them."
            )


def _checked_fields(fields: Any) -> dict[str, Any]:
    if not isinstance(fields, Mapping):
        raise SignatureError(
            f"{fields!r} is no signature; expected a text or a mapping of fields. "
            "Write it as 'question -> answer'."
        )
    for name, given in fields.items():
        field = given[1] if isinstance(given, tuple) and len(given) == 2 else given
        if not isinstance(name, str) or not isinstance(field, FieldInfo):
            raise SignatureError(
                f"{name!r}: {given!r} is no field; expected a name with an "
                "InputField() or OutputField(), or with (type, field)."
            )
    return dict(fields)


def _remade(
    old: type[Signature], fields: Mapping[str, Any], instructions: str
) -> type[Signature]:
    return _made(old.__name__, fields, instructions)


def _made(
    class_name: str, fields: Mapping[str, Any], instructions: str | None
) -> type[Signature]:
    typed = {name: _typed(given) for name, given in fields.items()}
    for name in typed:
        check_name(class_name, name)
    make = cast("Any", create_model)
    with shadowing_allowed((Signature,), typed):
        made = make(class_name, __base__=Signature, **typed)
    if instructions is not None:
        # Not through create_model(): it takes an empty text for none at all, and
        # refuses a text with half a character.
        made.__doc__ = instructions
        made._written = True  # noqa: SLF001 - our own mark on our own class
    return cast("type[Signature]", made)


def _typed(given: FieldInfo | tuple[Any, FieldInfo]) -> tuple[Any, FieldInfo]:
    annotation, field = given if isinstance(given, tuple) else (given.annotation, given)
    return (str if annotation is None else annotation), field


def _essence(cls: Any) -> list[tuple[Any, ...]]:
    return [
        (name, field.annotation, field.metadata, _said(field))
        for name, field in cls.fields.items()
    ]


def _said(field: FieldInfo) -> dict[str, Any]:
    """Return what a field says; that `str` was not written out says nothing."""
    return {key: v for key, v in extra_of(field).items() if key != UNTYPED_KEY}
