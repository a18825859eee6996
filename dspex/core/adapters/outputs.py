"""How the raw texts of a reply become the values of a signature's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from dspex.core.adapters.demos import allows_none
from dspex.core.adapters.parse import parse_value
from dspex.core.errors import AdapterParseError
from dspex.core.signature import Signature
from dspex.core.types.tool_calls import ToolCalls


def read_outputs(
    adapter_name: str,
    signature: type[Signature],
    texts: Mapping[str, Any],
    completion: str,
) -> dict[str, Any]:
    """Turn what was found for each output into its value.

    Args:
        adapter_name: The adapter's class, for the error.
        signature: Whose outputs these are.
        texts: The text found for each output, or a value that is only checked; an
            absent one gets its default, or `None` where the type allows it.
        completion: The whole reply, for the error.

    Raises:
        AdapterParseError: When an output is missing or has another type.
    """
    values: dict[str, Any] = {}
    problems = []
    for name, field in signature.output_fields.items():
        try:
            values[name] = _value_of(name, field, texts)
        except ValueError as error:
            problems.append(f"{name!r} {_reason(error)}")
    if problems:
        raise AdapterParseError(
            adapter_name=adapter_name,
            signature=signature,
            lm_response=completion,
            message="; ".join(problems),
            parsed_result=values,
        )
    return values


def fallback_value(field: FieldInfo) -> Any:
    """Return what an output is when nothing came for it.

    Raises:
        ValueError: When it has no default and cannot be `None`.
    """
    if not field.is_required():
        return field.get_default(call_default_factory=True, validated_data={})
    if allows_none(field.annotation):
        return None
    raise ValueError("is missing")


def _value_of(name: str, field: FieldInfo, texts: Mapping[str, Any]) -> Any:
    if name in texts:
        value = parse_value(texts[name], field.annotation, tuple(field.metadata))
        # What came of a call is for the program to say; a model would make it up.
        return value.without_results() if isinstance(value, ToolCalls) else value
    return fallback_value(field)


def _reason(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    said = first["msg"][:1].lower() + first["msg"][1:]
    return f"does not fit ({where}: {said})" if where else f"does not fit ({said})"
