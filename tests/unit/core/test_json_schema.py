"""Outputs as a JSON schema: strict for providers, bounded for grammars."""

from __future__ import annotations

import enum
import json
from datetime import datetime
from typing import Annotated, Any, Literal

import pydantic
import pytest

from dspex.core.adapters.json_schema import Bounds, output_schema
from dspex.core.signature import (
    InputField,
    OutputField,
    Signature,
    make_signature,
)

BOUNDS = Bounds(text=100, items=5)


class Mood(enum.Enum):
    GOOD = "good"
    ZERO = 0


class Author(pydantic.BaseModel):
    name: str = "nobody"
    born: int | None = pydantic.Field(default=None, description="the year", ge=1000)


class Book(pydantic.BaseModel):
    title: Annotated[str, pydantic.Field(max_length=40)]
    by: Author = pydantic.Field(default=Author(), description="who wrote it")
    tags: list[str] = []


class Tree(pydantic.BaseModel):
    label: str
    branches: list[Tree] = []


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]


Pet = Annotated[Cat | Dog, pydantic.Field(discriminator="kind")]


def signature_of(annotation: Any, **options: Any) -> type[Signature]:
    return make_signature(
        {
            "question": (str, InputField()),
            "answer": (annotation, OutputField(**options)),
        }
    )


def answer_schema(
    annotation: Any, bounds: Bounds | None = None, **options: Any
) -> dict[str, Any]:
    schema = output_schema(signature_of(annotation, **options), bounds)
    assert schema is not None
    answer: dict[str, Any] = schema["properties"]["answer"]
    return answer


def parts(schema: Any) -> list[dict[str, Any]]:
    """Every object inside a schema, itself included."""
    if isinstance(schema, list):
        return [part for item in schema for part in parts(item)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(part for item in schema.values() for part in parts(item))]


def test_only_the_outputs_are_in_it_and_all_are_required() -> None:
    schema = output_schema(
        make_signature("question, context -> reasoning, answer: int")
    )

    assert schema == {
        "type": "object",
        "properties": {"reasoning": {"type": "string"}, "answer": {"type": "integer"}},
        "required": ["reasoning", "answer"],
        "additionalProperties": False,
    }


def test_what_the_user_said_of_an_output_is_its_description() -> None:
    schema = answer_schema(str, desc="one word")

    assert schema == {"type": "string", "description": "one word"}


def test_every_object_of_a_strict_schema_is_closed() -> None:
    schema = output_schema(signature_of(list[Book]))

    objects = [part for part in parts(schema) if part.get("type") == "object"]
    assert len(objects) == 3
    for part in objects:
        assert part["additionalProperties"] is False
        assert part["required"] == list(part["properties"])


@pytest.mark.parametrize(
    "annotation",
    [
        list[Book],
        Pet,
        set[int],
        datetime,
        Annotated[int, pydantic.Field(ge=1, multiple_of=2)],
        Annotated[str, pydantic.Field(max_length=3, pattern="^a")],
        Annotated[list[str], pydantic.Field(min_length=1, max_length=3)],
    ],
    ids=str,
)
def test_a_strict_schema_has_no_word_that_some_provider_refuses(
    annotation: Any,
) -> None:
    schema = output_schema(signature_of(annotation))

    allowed = {
        *("type", "properties", "required", "additionalProperties", "items"),
        *("anyOf", "enum", "const", "description", "$defs", "$ref"),
    }
    names = {"answer", "title", "by", "tags", "name", "born", "kind"}
    names |= {"Book", "Author", "Cat", "Dog"}
    used = {key for part in parts(schema) for key in part} - names
    assert used <= allowed
    for part in parts(schema):
        assert "$ref" not in part or len(part) == 1


def test_choices_of_several_types_are_given_their_types() -> None:
    expected = [
        {"type": "string", "enum": ["yes"]},
        {"type": "integer", "enum": [3]},
    ]

    assert answer_schema(Literal["yes", 3]) == {"anyOf": expected}


def test_an_enum_is_its_values() -> None:
    schema = output_schema(signature_of(Mood))

    assert schema is not None
    assert schema["$defs"]["Mood"]["anyOf"] == [
        {"type": "string", "enum": ["good"]},
        {"type": "integer", "enum": [0]},
    ]


@pytest.mark.parametrize(
    "annotation",
    [Any, dict[str, int], list[Any], dict[str, Any] | None, tuple[int, str], Tree],
    ids=str,
)
def test_an_open_or_recursive_type_has_no_strict_schema(annotation: Any) -> None:
    assert output_schema(signature_of(annotation)) is None
    assert output_schema(signature_of(annotation), BOUNDS) is not None


def test_a_type_no_schema_describes_has_none_of_either_kind() -> None:
    class Opaque:
        pass

    assert output_schema(signature_of(Opaque)) is None
    assert output_schema(signature_of(Opaque), BOUNDS) is None


def test_in_a_bounded_schema_every_text_and_list_ends() -> None:
    schema = output_schema(signature_of(list[Book]), BOUNDS)

    texts = [part for part in parts(schema) if part.get("type") == "string"]
    lists = [part for part in parts(schema) if part.get("type") == "array"]
    assert [part["maxLength"] for part in texts] == [100, 40, 100]
    assert [part["maxItems"] for part in lists] == [5, 5]


def test_the_users_own_limits_hold_where_they_are_lower() -> None:
    assert answer_schema(str, BOUNDS, max_length=7)["maxLength"] == 7
    assert answer_schema(str, BOUNDS, max_length=700)["maxLength"] == 100
    assert answer_schema(str, BOUNDS, min_length=200)["maxLength"] == 200
    assert answer_schema(list[int], BOUNDS, max_length=2)["maxItems"] == 2


def test_a_text_that_ends_by_itself_gets_no_length() -> None:
    assert answer_schema(datetime, BOUNDS) == {"type": "string", "format": "date-time"}
    assert answer_schema(Literal["a", "b"], BOUNDS) == {
        "type": "string",
        "enum": ["a", "b"],
    }


def test_a_bounded_schema_keeps_open_objects_open() -> None:
    assert answer_schema(dict[str, str], BOUNDS) == {
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": 100},
    }
    assert answer_schema(Any, BOUNDS) == {}


@pytest.mark.parametrize("bounds", [None, BOUNDS])
def test_a_schema_is_made_once_for_a_signature_and_is_json(
    bounds: Bounds | None,
) -> None:
    signature = signature_of(list[Book])

    first = output_schema(signature, bounds)

    assert output_schema(signature, bounds) is first
    assert json.loads(json.dumps(first)) == first
