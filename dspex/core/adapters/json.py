"""The adapter for typed outputs: the answer is one JSON object.

Inputs are written as by `ChatAdapter`; the structure is DSPy's, the wording our own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from pydantic.fields import FieldInfo

from dspex.core.adapters.annotations import is_text_type, type_note
from dspex.core.adapters.base import ABSENT, NOTHING
from dspex.core.adapters.chat import ChatAdapter, FieldInfoWithName
from dspex.core.adapters.demos import Row, is_given
from dspex.core.adapters.json_schema import output_schema
from dspex.core.adapters.json_text import found_object
from dspex.core.adapters.outputs import read_outputs
from dspex.core.adapters.reading import Asked
from dspex.core.adapters.render import (
    render_value,
    well_formed,
    whole_value,
)
from dspex.core.errors import AdapterError
from dspex.core.lm import LanguageModel
from dspex.core.signature import Signature
from dspex.core.type_names import type_name

SCHEMA_NAME: Final = "outputs"
"""What a provider is told the schema is called."""


class JSONAdapter(ChatAdapter):
    r"""Asks for one JSON object with all outputs.

    Where the model can be held to a schema, one made of the signature is sent with the
    call (`response_format`); where it can only be held to JSON, or an output is of an
    open type such as `dict`, that is asked for; otherwise the prompt alone says it. A
    `response_format` of your own wins, and `response_format=None` sends none.

    When to use it: outputs that are lists, models or numbers; and small models, which
    keep to a schema when they cannot leave it. When not: long texts and code, which
    models write better without JSON's quotes.

    Args:
        callbacks: Objects that want to hear of this adapter's work.
        use_native_function_calling: Whether tools go to the provider as tools, where
            the model can call functions. Such a call has no schema besides: not every
            provider takes both.
        parallel_tool_calls: As for every `Adapter`.

    Example:
        >>> from dspex.core.signature import Signature
        >>> reply = 'Here it is:\n{"capital": "Lima", "people": 10}'
        >>> JSONAdapter().parse(Signature("country -> capital, people: int"), reply)
        {'capital': 'Lima', 'people': 10}
    """

    name = "json"

    def __init__(
        self,
        callbacks: Sequence[Any] | None = None,
        use_native_function_calling: bool = True,  # noqa: FBT001, FBT002 - DSPy's order
        parallel_tool_calls: bool | None = None,  # noqa: FBT001 - DSPy's order
    ) -> None:
        super().__init__(
            callbacks,
            use_native_function_calling,
            parallel_tool_calls=parallel_tool_calls,
        )

    def ask(
        self,
        signature: type[Signature],
        demos: Sequence[Row],
        inputs: Row,
        model: LanguageModel,
        config: Mapping[str, Any] = NOTHING,
    ) -> Asked:
        """Write one call; see `Adapter.ask`."""
        asked = super().ask(signature, demos, inputs, model, config)
        if "response_format" in asked.settings or "tools" in asked.settings:
            return asked
        form = response_format(asked.shown, model)
        if form is None or model.dump_state().get("response_format") is not None:
            return asked
        return replace(asked, settings={"response_format": form, **asked.settings})

    def format_field_structure(self, signature: type[Signature]) -> str:
        """Return the skeleton of an exchange, with a note on each output's type."""
        return _structure(signature)

    def user_message_output_requirements(self, signature: type[Signature]) -> str:
        """Return the reminder that the last turn ends with."""
        return _reminder(signature)

    def format_assistant_message_content(
        self,
        signature: type[Signature],
        outputs: Row,
        missing_field_message: str | None = None,
    ) -> str:
        """Return the outputs as a JSON object."""
        absent = ABSENT if missing_field_message is None else missing_field_message
        return _object(signature.output_fields, outputs, absent)

    def format_field_with_value(
        self, fields_with_values: Mapping[FieldInfoWithName, Any], role: str = "user"
    ) -> str:
        """Return some values: under headers for the user, as JSON for the assistant."""
        if role == "user":
            return super().format_field_with_value(fields_with_values)
        fields = {field.name: field.info for field in fields_with_values}
        row = {field.name: value for field, value in fields_with_values.items()}
        return _object(fields, row, ABSENT)

    def parse(self, signature: type[Signature], completion: str) -> dict[str, Any]:
        """Return the values of the object; prose and code fences do not matter."""
        fields = signature.output_fields
        found = found_object(completion, fields)
        values = {
            name: _as_text(value, fields[name])
            for name, value in found.items()
            if name in fields and not (value is None and fields[name].annotation is str)
        }
        return read_outputs(type(self).__name__, signature, values, completion)


def response_format(
    signature: type[Signature], model: LanguageModel
) -> dict[str, Any] | None:
    """Return the strictest form a model can be held to, in OpenAI's words.

    Returns:
        A JSON schema, or any JSON object, or `None` when it can be held to neither.
    """
    if not signature.output_fields:
        return None
    schema = None
    if getattr(model, "supports_response_schema", False):
        schema = output_schema(signature, getattr(model, "schema_bounds", None))
    if schema is not None:
        named = {"name": SCHEMA_NAME, "strict": True, "schema": schema}
        return {"type": "json_schema", "json_schema": named}
    if getattr(model, "supports_json_object", False):
        return {"type": "json_object"}
    return None


def _object(fields: Mapping[str, FieldInfo], row: Row, absent: str) -> str:
    values = {
        name: _plain(row[name], field) if is_given(row, name, field) else absent
        for name, field in fields.items()
    }
    text = well_formed(json.dumps(values, indent=2, ensure_ascii=False))
    # JSON can spell a header's first bracket otherwise, so no value looks like one.
    return re.sub(r"\[\[(?=\s*##)", r"\\u005b[", text)


def _plain(value: Any, field: FieldInfo) -> Any:
    if field.annotation is str:
        return render_value(value, str)
    try:
        return whole_value(value, field.annotation)
    except ValueError as error:
        raise AdapterError(
            f"a value of type {type(value).__name__} cannot be written as JSON: "
            f"{error}; expected what JSON can hold. Convert it before the call."
        ) from error


def _as_text(value: Any, field: FieldInfo) -> Any:
    """Return what a text output is when the model wrote something else."""
    if field.annotation is str and isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return value


# A program asks the same signature again and again; its description never changes.
@lru_cache(maxsize=256)
def _structure(signature: type[Signature]) -> str:
    inputs = [f"[[ ## {name} ## ]]\n{{{name}}}" for name in signature.input_fields]
    last = len(signature.output_fields)
    lines = [
        f"  {_place(name, field)}{',' if number < last else ''}{_note(field)}"
        for number, (name, field) in enumerate(signature.output_fields.items(), 1)
    ]
    parts = [
        *(["Each input is written under its header:", *inputs] if inputs else []),
        "The answer is one JSON object of this shape:",
        "\n".join(["{", *lines, "}"]),
    ]
    return "\n\n".join(parts)


def _place(name: str, field: FieldInfo) -> str:
    value = f"{{{name}}}"
    return (
        f'"{name}": "{value}"' if _is_text(field.annotation) else f'"{name}": {value}'
    )


def _is_text(annotation: Any) -> bool:
    return annotation is str or is_text_type(annotation)


def _note(field: FieldInfo) -> str:
    note = "true or false" if field.annotation is bool else type_note(field.annotation)
    return f"        # {note}" if note else ""


@lru_cache(maxsize=256)
def _reminder(signature: type[Signature]) -> str:
    keys = ", then ".join(
        f"`{name}`" + ("" if _is_text(kind) else f" ({type_name(kind)})")
        for name, kind in (
            (name, field.annotation) for name, field in signature.output_fields.items()
        )
    )
    return f"Answer with one JSON object that has {keys}."
