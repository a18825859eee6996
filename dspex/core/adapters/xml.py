"""The adapter that writes each field between its tags, and nested values as XML.

The structure is DSPy's, the wording our own.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from dspex.core.adapters.annotations import checker_of, is_custom, short_note, type_note
from dspex.core.adapters.base import ABSENT
from dspex.core.adapters.chat import ChatAdapter, FieldInfoWithName
from dspex.core.adapters.demos import Row, is_given
from dspex.core.adapters.outputs import read_outputs
from dspex.core.adapters.render import render_value, well_formed, whole_value
from dspex.core.adapters.special import plain_type
from dspex.core.adapters.xml_text import (
    Element,
    elements,
    escaped,
    unescaped,
    without_tags,
)
from dspex.core.adapters.xml_value import XmlShape, by_name, value_to_xml
from dspex.core.errors import AdapterError, AdapterParseError
from dspex.core.fields import side_of
from dspex.core.signature import Signature


class XMLAdapter(ChatAdapter):
    """Writes each field as `<name>...</name>`, and lists and models as nested XML.

    In an answer `<` and `&` are written as `&lt;` and `&amp;`, and read back; a model
    that forgets it is understood all the same. In an input only what would be a tag of
    one of the fields is changed, so code and HTML stay as they are.

    When to use it: models that were trained on tags, and answers of several long texts
    or of nested values, where JSON's quotes are in the way. When not: where the
    provider can hold the model to a schema; `JSONAdapter` has that.

    Example:
        >>> from dspex.core.signature import Signature
        >>> reply = "<names><item>Ada</item><item>Bob</item></names>"
        >>> XMLAdapter().parse(Signature("text -> names: list[str]"), reply)
        {'names': ['Ada', 'Bob']}
    """

    name = "xml"

    def format_field_structure(self, signature: type[Signature]) -> str:
        """Return the skeleton of an exchange, with a note on each output's type."""
        return _structure(signature)

    def format_user_message_content(
        self,
        signature: type[Signature],
        inputs: Row,
        prefix: str = "",
        suffix: str = "",
        main_request: bool = False,  # noqa: FBT001, FBT002 - DSPy's order
    ) -> str:
        """Return the inputs, each between its tags."""
        names = frozenset(signature.fields)
        sections = (
            _section(name, without_tags(render_value(inputs[name], kind), names))
            for name, kind in _annotations(signature.input_fields)
            if name in inputs
        )
        reminder = self.user_message_output_requirements(signature)
        parts = [prefix, *sections, reminder if main_request else "", suffix]
        return "\n\n".join(part for part in parts if part).rstrip()

    def user_message_output_requirements(self, signature: type[Signature]) -> str:
        """Return the reminder that the last turn ends with."""
        return _reminder(signature)

    def format_assistant_message_content(
        self,
        signature: type[Signature],
        outputs: Row,
        missing_field_message: str | None = None,
    ) -> str:
        """Return the outputs, each between its tags."""
        absent = ABSENT if missing_field_message is None else missing_field_message
        return "\n\n".join(
            _written(name, field, outputs[name])
            if is_given(outputs, name, field)
            else _section(name, absent)
            for name, field in signature.output_fields.items()
        )

    def format_field_with_value(
        self, fields_with_values: Mapping[FieldInfoWithName, Any]
    ) -> str:
        """Return some values, each between the tags of its field."""
        names = frozenset(field.name for field in fields_with_values)
        return "\n\n".join(
            _written(field.name, field.info, value)
            if side_of(field.info) == "output"
            else _section(
                field.name,
                without_tags(render_value(value, field.info.annotation), names),
            )
            for field, value in fields_with_values.items()
        )

    def parse(self, signature: type[Signature], completion: str) -> dict[str, Any]:
        """Return the values between the outputs' tags.

        The first element of a name counts; of a list all count, as its items.
        """
        shapes = _shapes(signature)
        found = elements(
            well_formed(completion),
            shapes.__contains__,
            lambda name: (shape := shapes[name]) is None or shape.is_plain,
        )
        try:
            values = {
                name: _value(shapes[name], same)
                for name, same in by_name(found).items()
            }
        except ValueError as error:
            raise AdapterParseError(
                type(self).__name__, signature, completion, f"the answer {error}"
            ) from error
        return read_outputs(type(self).__name__, signature, values, completion)


def _section(name: str, text: str) -> str:
    return f"<{name}>\n{text}\n</{name}>"


def _written(name: str, field: FieldInfo, value: Any) -> str:
    """Return an output as an element."""
    if not is_nested(field.annotation):
        return _section(name, escaped(render_value(value, field.annotation)))
    try:
        plain = whole_value(value, field.annotation)
    except ValueError as error:
        raise AdapterError(
            f"a value of type {type(value).__name__} cannot be written as XML: "
            f"{error}; expected what JSON can hold. Convert it before the call."
        ) from error
    if isinstance(plain, list | dict):
        return value_to_xml(name, plain)
    return _section(name, escaped(render_value(value, field.annotation)))


def _value(shape: XmlShape | None, found: list[Element]) -> Any:
    if shape is None:
        return unescaped(found[0].inside or "")
    return shape.read(found)


def is_nested(annotation: Any) -> bool:
    """Say whether values of a type are written as nested XML."""
    kind = plain_type(annotation)
    if is_custom(kind) or any(map(is_custom, typing.get_args(kind))):
        return False
    if typing.is_typeddict(kind) or hasattr(kind, "model_fields"):
        return True
    return (typing.get_origin(kind) or kind) in _COLLECTIONS


_COLLECTIONS: Final = frozenset({list, tuple, set, frozenset, dict})


def _annotations(fields: Mapping[str, FieldInfo]) -> Iterator[tuple[str, Any]]:
    return ((name, field.annotation) for name, field in fields.items())


# A program asks the same signature again and again; its shape never changes.
@lru_cache(maxsize=256)
def _shapes(signature: type[Signature]) -> Mapping[str, XmlShape | None]:
    """Return the shape of each output; `None` for those that are plain text."""
    return {
        name: _shape_of(field) if is_nested(field.annotation) else None
        for name, field in signature.output_fields.items()
    }


def _shape_of(field: FieldInfo) -> XmlShape:
    try:
        return XmlShape(checker_of(field.annotation, ()).json_schema())
    except PydanticUserError:
        return XmlShape({})


@lru_cache(maxsize=256)
def _structure(signature: type[Signature]) -> str:
    shapes = _shapes(signature)
    inputs = [_section(name, f"{{{name}}}") for name in signature.input_fields]
    outputs = [
        shape.skeleton(name)
        if (shape := shapes[name])
        else _section(name, f"{{{name}}}{_note(field)}")
        for name, field in signature.output_fields.items()
    ]
    lead = "Each field is written between its tags, in this order and shape:"
    return "\n\n".join([lead, *inputs, *outputs])


def _note(field: FieldInfo) -> str:
    note = type_note(field.annotation)
    return f"        # {note}" if note else ""


@lru_cache(maxsize=256)
def _reminder(signature: type[Signature]) -> str:
    if not signature.output_fields:
        return ""
    shapes = _shapes(signature)
    tags = ", then ".join(
        f"`{shape.skeleton(name) if (shape := shapes[name]) else f'<{name}>'}`"
        + (f" ({note})" if (note := _short_note(signature, name)) else "")
        for name in signature.output_fields
    )
    return f"Answer with {tags}; close each tag, and write `<` in a text as `&lt;`."


def _short_note(signature: type[Signature], name: str) -> str:
    if _shapes(signature)[name] is not None:
        return ""
    return short_note(signature.output_fields[name].annotation)
