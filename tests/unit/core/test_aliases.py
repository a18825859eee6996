"""Models whose fields have an alias: what an adapter shows, it reads again."""

from __future__ import annotations

import json
from typing import Annotated, Any, Generic, TypeVar

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from dspex.core.adapters import (
    Adapter,
    ChatAdapter,
    JSONAdapter,
    LineAdapter,
    XMLAdapter,
)
from dspex.core.example import Example
from dspex.core.fields import InputField, OutputField
from dspex.core.signature import make_signature
from dspex.programs import Predict
from dspex.programs.saving.demos import typed_value

T = TypeVar("T")


class Alias(BaseModel):
    people: int = Field(alias="inhabitants")


class Defaulted(BaseModel):
    people: int = Field(default=0, validation_alias="inhabitants")


class Written(BaseModel):
    people: int = Field(serialization_alias="inhabitants")


class BothWays(BaseModel):
    people: int = Field(validation_alias="read", serialization_alias="written")


class Choices(BaseModel):
    people: int = Field(validation_alias=AliasChoices("inhabitants", "people"))


class ByName(BaseModel):
    model_config = ConfigDict(populate_by_name=True, extra="forbid")
    people: int = Field(alias="inhabitants")


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    many_people: int
    sister_city: Alias | None = None


class Tree(BaseModel):
    leaves: list[Tree] = Field(default_factory=list, alias="children")


class Boxed(BaseModel, Generic[T]):
    inside: T = Field(alias="content")


class Cities(RootModel[list[Alias]]):
    pass


@dataclass
class Point:
    x: int = Field(alias="left")


class Row(TypedDict):
    people: Annotated[int, Field(alias="inhabitants")]


ALIAS = Alias(inhabitants=9)
VALUES: list[tuple[Any, Any]] = [
    (Alias, ALIAS),
    (Defaulted, Defaulted.model_validate({"inhabitants": 9})),
    (Written, Written(people=9)),
    (BothWays, BothWays.model_validate({"read": 9})),
    (Choices, Choices.model_validate({"inhabitants": 9})),
    (ByName, ByName.model_validate({"people": 9})),
    (Camel, Camel.model_validate({"manyPeople": 9, "sisterCity": ALIAS})),
    (Tree, Tree(children=[Tree(children=[Tree()])])),
    (Boxed[Alias], Boxed[Alias](content=ALIAS)),
    (Cities, Cities([ALIAS])),
    (Point, Point(left=1)),
    (Row, {"people": 9}),
    (Alias | None, ALIAS),
    (Written | Alias, Written(people=9)),
    (list[Alias], [ALIAS, ALIAS]),
    (dict[str, list[Alias]], {"people": [ALIAS]}),
    (tuple[Alias, Written], (ALIAS, Written(people=9))),
    (Annotated[Alias, "a note"], ALIAS),
]
ADAPTERS = [ChatAdapter(), JSONAdapter(), XMLAdapter(), LineAdapter()]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda one: one.name)
@pytest.mark.parametrize(("annotation", "value"), VALUES, ids=str)
def test_a_value_that_is_shown_is_read_again(
    adapter: Adapter, annotation: Any, value: Any
) -> None:
    signature = make_signature(
        {"q": (str, InputField()), "a": (annotation, OutputField())}
    )
    demo = {"q": "?", "a": value}

    turns = adapter.format(signature, [demo], {"q": "!"})

    shown = next(turn.text for turn in turns if turn.role == "assistant")
    assert adapter.parse(signature, shown) == {"a": value}


@pytest.mark.parametrize(("annotation", "value"), VALUES, ids=str)
def test_a_demo_comes_back_from_a_file(annotation: Any, value: Any) -> None:
    signature = make_signature(
        {"q": (annotation, InputField()), "a": (str, OutputField())}
    )
    saved = Predict(signature)
    saved.demos = [Example(q=value, a="yes")]

    state = json.loads(json.dumps(saved.dump_state()))
    loaded = Predict(signature).load_state(state)

    assert loaded.demos == [{"q": value, "a": "yes"}]
    assert type(loaded.demos[0]["q"]) is type(value)


def test_a_demo_as_a_mapping_is_shown_in_the_words_of_the_schema() -> None:
    signature = make_signature({"q": (str, InputField()), "a": (Alias, OutputField())})
    demos = [{"q": "1", "a": {"people": 9}}, {"q": "2", "a": {"inhabitants": 9}}]

    turns = JSONAdapter().format(signature, demos, {"q": "!"})

    shown = [json.loads(turn.text) for turn in turns if turn.role == "assistant"]
    assert shown == [{"a": {"inhabitants": 9}}] * 2


def test_a_value_by_name_and_by_alias_loses_neither() -> None:
    field = make_signature({"q": (Alias, InputField()), "a": OutputField()}).fields["q"]
    value = {"people": 1, "inhabitants": 2}

    assert typed_value(field, value) == value
