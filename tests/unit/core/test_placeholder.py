from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from dspex.core.fields import InputField, OutputField
from dspex.core.placeholder import placeholder_outputs
from dspex.core.signature import Signature


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Person(BaseModel):
    name: str
    age: int = Field(ge=18)
    nickname: str = "none"


class Tree(BaseModel):
    label: str
    left: Tree | None
    others: list[Tree]


def placeholder(annotation: Any) -> Any:
    class Asked(Signature):
        """Answer."""

        question: str = InputField()
        answer: annotation = OutputField()

    return placeholder_outputs(Asked)["answer"]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, "placeholder"),
        (int, 1),
        (float, 1.0),
        (bool, False),
        (Literal["yes", "no"], "yes"),
        (Colour, Colour.RED),
        (int | None, 1),
        (None | str, "placeholder"),
        (list[int], [1]),
        (list, []),
        (tuple[int, str], (1, "placeholder")),
        (tuple[int, ...], (1,)),
        (dict[str, float], {"placeholder": 1.0}),
        (set[str], {"placeholder"}),
        (Annotated[int, Field(ge=3)], 1),
        (Any, "placeholder"),
        (object, "placeholder"),
    ],
)
def test_placeholder_has_the_type_that_was_asked_for(
    annotation: Any, expected: Any
) -> None:
    made = placeholder(annotation)

    assert made == expected
    assert type(made) is type(expected)


def test_models_are_filled_and_their_defaults_kept() -> None:
    person = placeholder(Person)

    assert isinstance(person, Person)
    assert (person.name, person.nickname) == ("placeholder", "none")


def test_model_that_holds_itself_ends_somewhere() -> None:
    tree, depth = placeholder(Tree), 0

    node: Tree | None = tree
    while node is not None:
        node, depth = node.left, depth + 1

    assert isinstance(tree, Tree)
    assert 1 < depth < 10


def test_default_of_an_output_is_its_placeholder() -> None:
    class Asked(Signature):
        """Answer."""

        question: str = InputField()
        answer: str = OutputField(default="unknown")

    assert placeholder_outputs(Asked) == {"answer": "unknown"}
