from __future__ import annotations

import dataclasses
import enum
import logging
from typing import Any, Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.errors import MissingInputError, UnexpectedInputError
from dspex.core.inputs import checked_inputs
from dspex.core.signature import InputField, OutputField, Signature, make_signature
from dspex.core.types.code import Code
from dspex.core.types.file import File
from dspex.core.types.image import Image
from dspex.core.types.reasoning import Reasoning

ADDRESS = "https://example.com/dog.png"


class Person(pydantic.BaseModel):
    name: str


@dataclasses.dataclass
class Point:
    x: int


class Mood(enum.Enum):
    GOOD = "good"


def signature_with(annotation: Any) -> type[Signature]:
    return make_signature({"a": (annotation, InputField()), "b": OutputField()})


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 3),
        (float, 3),
        (str, "x"),
        (str, ["x", "y"]),
        (bool, True),
        (list[str], ["x"]),
        (list[int], []),
        (dict[str, int], {"x": 1}),
        (tuple[str, int, bool], ("x", 1, True)),
        (tuple[int, ...], (1, 2)),
        (Literal["x", 1], 1),
        (Literal["x"] | None, None),
        (Person, Person(name="x")),
        (Person, {"name": "x"}),
        (list[Person], [Person(name="x")]),
        (Point, Point(x=1)),
        (Mood, Mood.GOOD),
        (Image, Image(ADDRESS)),
        (Image | None, Image(ADDRESS)),
        (list[Image], [Image(ADDRESS)]),
        (dict[str, list[Image]], {"x": [Image(ADDRESS)]}),
        (Code, Code(code="SELECT 1")),
        (Reasoning, "x"),
        (Any, object()),
        (object, 3),
    ],
)
def test_a_value_of_its_fields_type_passes_in_silence(
    annotation: Any, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        row = checked_inputs(signature_with(annotation), {"a": value})

    assert row == {"a": value}
    assert caplog.records == []


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, "x", "int"),
        (str, 3, "str"),
        (list[int], ["1"], "list[int]"),
        (list[str], "x", "list[str]"),
        (dict[str, int], {1: 1}, "dict[str, int]"),
        (tuple[str, int], ("x",), "tuple[str, int]"),
        (tuple[int, ...], ("x",), "tuple[int, ...]"),
        (Literal["x", "y"], "z", "Literal['x', 'y']"),
        (Literal["x"] | None, "z", "Literal['x']"),
        (Person, {"nom": "x"}, "Person"),
        (Mood, "good", "Mood"),
        (Image, ADDRESS, "Image"),
        (Image | None, ADDRESS, "Image"),
        (Image, {"url": ADDRESS}, "Image"),
        (list[Image], [Image(ADDRESS), ADDRESS], "list[Image]"),
        (dict[str, list[Image]], {"x": [ADDRESS]}, "dict[str, list[Image]]"),
        (tuple[Image, int], (b"GIF8", 1), "tuple[Image, int]"),
        (File, b"%PDF-", "File"),
        (Code, "SELECT 1", "Code"),
    ],
)
def test_a_value_of_another_type_is_logged_and_sent_as_it_is(
    annotation: Any, value: Any, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        row = checked_inputs(signature_with(annotation), {"a": value})

    assert row == {"a": value}
    assert f"Type mismatch for field 'a': expected {expected}" in caplog.text


def test_nothing_is_logged_when_nobody_wants_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        checked_inputs(signature_with(int), {"a": "x"}, warn=False)

    assert caplog.records == []


class Untyped(Signature):
    """An input without a type, as a class."""

    a = InputField()
    b = OutputField()


@pytest.mark.parametrize("signature", [Untyped, make_signature("a -> b")])
def test_an_input_without_a_type_takes_anything(
    signature: type[Signature], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        checked_inputs(signature, {"a": 3})

    assert caplog.records == []


def test_an_input_that_gets_a_type_later_is_checked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    typed = make_signature("a -> b").with_updated_fields("a", int)

    with caplog.at_level(logging.WARNING):
        checked_inputs(typed, {"a": "x"})

    assert "expected int" in caplog.text


def test_a_text_without_types_equals_one_that_writes_them() -> None:
    assert make_signature("a -> b").equals(make_signature("a: str -> b: str"))


def test_an_input_that_may_be_none_may_be_left_out() -> None:
    signature = make_signature("a: str | None, c: str -> b")

    assert checked_inputs(signature, {"c": "x"}) == {"c": "x"}
    with pytest.raises(MissingInputError, match="lacks 'c'"):
        checked_inputs(signature, {})


def test_a_default_is_made_anew_for_each_call() -> None:
    signature = make_signature(
        {"a": (list[str], InputField(default_factory=list)), "b": OutputField()}
    )

    first, second = checked_inputs(signature, {}), checked_inputs(signature, {})

    assert first == second == {"a": []}
    assert first["a"] is not second["a"]


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
def test_a_call_passes_exactly_when_it_gives_all_inputs_and_no_other(
    wanted: set[str], given: set[str]
) -> None:
    signature = make_signature(f"{', '.join(sorted(wanted))} -> out")
    call = dict.fromkeys(given, "x")

    if given - wanted:
        with pytest.raises(UnexpectedInputError) as unexpected:
            checked_inputs(signature, call)
        assert set(unexpected.value.unexpected) == given - wanted
    elif wanted - given:
        with pytest.raises(MissingInputError) as missing:
            checked_inputs(signature, call)
        assert set(missing.value.missing) == wanted - given
    else:
        assert list(checked_inputs(signature, call)) == sorted(wanted)
