"""`Type`: the base of values that a model gets as more than text.

A type says how it is written for a model (`format`): as a text, as JSON, or as content
parts in OpenAI's words (a picture, a file). Parts cannot stand inside of a text, so
whoever writes a message gives `PartSink` along, which keeps the parts and leaves a
placeholder that nobody can guess. Without one a value serialises between DSPy's two
markers, which is how DSPy saves it.
"""

from __future__ import annotations

import inspect
import json
import os
import typing
from typing import Any, Final

from pydantic import BaseModel, SerializationInfo, model_serializer, model_validator

PARTS_START: Final = "<<CUSTOM-TYPE-START-IDENTIFIER>>"
"""What DSPy writes before the JSON of content parts, in saved programs."""

PARTS_END: Final = "<<CUSTOM-TYPE-END-IDENTIFIER>>"
"""What DSPy writes behind it."""

ContentPart = dict[str, Any]
"""One part of a message in OpenAI's words: `{"type": "image_url", ...}`."""


class ByFields:
    """Has values written by their fields, as a schema tells them, and not as parts.

    Pass it as `context` to pydantic, like a `PartSink`.
    """


class PartSink:
    """Keeps the content parts of one message while its text is written.

    Pass it as `context` to pydantic's `dump_python` or `dump_json`, at any depth of
    lists, mappings and models, and split the finished text.

    Example:
        >>> from pydantic import TypeAdapter
        >>> from dspex.core.types.image import Image
        >>> sink = PartSink()
        >>> rows = [Image("https://example.com/a.png")]
        >>> text = TypeAdapter(list[Image]).dump_json(rows, context=sink).decode()
        >>> [type(piece).__name__ for piece in sink.split(text)]
        ['str', 'dict', 'str']
    """

    def __init__(self) -> None:
        self._mark = ""
        self._kept: list[list[ContentPart]] = []

    def __len__(self) -> int:
        """Return how many values it keeps the parts of."""
        return len(self._kept)

    def keep(self, parts: list[ContentPart]) -> str:
        """Keep the parts of one value; return what stands for them in the text."""
        if not self._mark:
            # No input and no model can write a placeholder, because nobody knows the
            # mark before the text is written. Most texts need none.
            self._mark = f"part-{os.urandom(16).hex()}-"
        self._kept.append(parts)
        return f"{self._mark}{len(self._kept) - 1};"

    def split(self, text: str) -> list[str | ContentPart]:
        """Return a text as its pieces, with the parts where they were kept."""
        first, *rest = text.split(self._mark) if self._mark else [text]
        pieces: list[str | ContentPart] = [first]
        for piece in rest:
            number, _, behind = piece.partition(";")
            pieces += [*self._kept[int(number)], behind]
        return [piece for piece in pieces if piece != ""]


class Type(BaseModel):
    """Base of your own types for fields.

    When to use it: the model should get a value as something other than its JSON, such
    as a picture. When not: a pydantic model or a dataclass is written as JSON already.

    Example:
        >>> class Place(Type):
        ...     name: str
        ...
        ...     def format(self):
        ...         return f"the place {self.name}"
        >>> Place(name="Rome").model_dump()
        'the place Rome'
    """

    def format(self) -> Any:
        """Return what the model gets.

        Returns:
            A text, a JSON value that is no list, or a list of content parts in
            OpenAI's words.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no format(); a Type says there what a model "
            "gets of it. Define it, and return a text or a list of content parts."
        )

    @classmethod
    def description(cls) -> str:
        """Return what a model should know of the type; empty for nothing."""
        return ""

    @classmethod
    def extract_custom_type_from_annotation(cls, annotation: Any) -> list[Any]:
        """Return all classes of this kind that an annotation names, at any depth."""
        if inspect.isclass(annotation) and not typing.get_args(annotation):
            return [annotation] if issubclass(annotation, cls) else []
        return [
            found
            for argument in typing.get_args(annotation)
            for found in cls.extract_custom_type_from_annotation(argument)
        ]

    @classmethod
    def read_value(cls, value: Any) -> Any:
        """Return what pydantic is to check for a value: a mapping of its fields.

        Override it for other forms a person or a model may write. It must not read a
        file or the network: what it gets may come from a model.

        Args:
            value: Whatever stands for a value: a text, a mapping. An instance of the
                type itself is taken as it is.

        Raises:
            ValueError: When nothing can be made of it.
        """
        return value

    @classmethod
    def from_parts(cls, parts: list[ContentPart]) -> Any:
        """Return what `read_value` takes for the content parts `format()` gave.

        It lets a saved value be read again. The plain base cannot do it.

        Raises:
            ValueError: When the parts are none of this type.
        """
        raise ValueError(
            f"{len(parts)} content parts are no {cls.__name__}; expected its fields. "
            "Give the value itself, or define from_parts()."
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> Any:
        """Leave the docstring out: it is for people, and a prompt would carry it."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        if cls.__doc__ and schema.get("description") == inspect.cleandoc(cls.__doc__):
            del schema["description"]
        return schema

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, str) and (parts := saved_parts(value)) is not None:
            return cls.read_value(cls.from_parts(parts))
        # Some versions of pydantic ask about an instance too, others take it as it is.
        return value if isinstance(value, cls) else cls.read_value(value)

    @model_serializer(mode="plain")
    def serialize_model(self, info: SerializationInfo) -> Any:
        """Return the type as it is written: its text, its JSON, or its parts."""
        shown = self.format()
        if not isinstance(shown, list):
            return shown
        if isinstance(info.context, PartSink):
            return info.context.keep(shown)
        if isinstance(info.context, ByFields):
            return dict(self)
        return f"{PARTS_START}{json.dumps(shown, ensure_ascii=False)}{PARTS_END}"


def saved_parts(text: str) -> list[ContentPart] | None:
    """Return the content parts of a whole text that was saved, or `None`."""
    if not (text.startswith(PARTS_START) and text.endswith(PARTS_END)):
        return None
    try:
        parts = json.loads(text.removeprefix(PARTS_START).removesuffix(PARTS_END))
    except ValueError:
        return None
    is_parts = isinstance(parts, list) and all(isinstance(one, dict) for one in parts)
    return parts if is_parts else None
