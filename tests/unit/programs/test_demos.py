"""Demos in saved programs: JSON in the file, typed values in memory."""

from __future__ import annotations

import datetime as dt
import enum
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

import dspex
from dspex.core.adapters.annotations import checker_of
from dspex.core.adapters.render import render_value
from dspex.core.errors import DataError
from dspex.core.example import Example
from dspex.core.fields import InputField, OutputField
from dspex.core.signature import make_signature
from dspex.programs import Predict
from dspex.programs.saving.demos import dump_demo, typed_value


class Colour(enum.Enum):
    RED = "red"


class Item(BaseModel):
    name: str
    bought: dt.date


@dataclass
class Point:
    x: int


DAY = dt.date(2026, 1, 2)

TYPED = [
    (int, 5),
    (bool, True),
    (float, 0.5),
    (str | None, None),
    (list[int], [1, 2]),
    (set[int], {1}),
    (tuple[int, str], (1, "a")),
    (dict[str, Item], {"a": Item(name="b", bought=DAY)}),
    (list[Item], [Item(name="a", bought=DAY)]),
    (Item | None, Item(name="a", bought=DAY)),
    (Point, Point(x=1)),
    (Colour, Colour.RED),
    (Literal["a", 1], 1),
    (dt.date, DAY),
    (dt.datetime, dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
    (dt.timedelta, dt.timedelta(seconds=90)),
    (Decimal, Decimal("0.10")),
]


@pytest.mark.parametrize(("annotation", "value"), TYPED, ids=str)
def test_a_value_comes_back_as_its_field_says(annotation: Any, value: Any) -> None:
    signature = make_signature(
        {"question": (annotation, InputField()), "answer": (str, OutputField())}
    )
    saved = Predict(signature)
    saved.demos = [Example(question=value, answer="yes")]

    state = json.loads(json.dumps(saved.dump_state()))
    loaded = Predict(signature).load_state(state)

    assert loaded.demos == [{"question": value, "answer": "yes"}]
    assert type(loaded.demos[0]["question"]) is type(value)
    assert loaded.dump_state() == state


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (bool, "yes"),
        (int, "5"),
        (int, 1.0),
        (float, 1),
        (list[float], [1, 2.5]),
        (Item, "name='a'"),
        (Item, {"name": "a"}),
        (Colour, "blue"),
        (list[int], None),
        (list[int], ["\ud800"]),
        (Any, {"a": 1}),
        (str, 5),
        (dt.date, "0"),
        (dt.datetime, "5"),
        (dt.datetime, 5),
        (dt.timedelta, 5),
        (Decimal, "1e5"),
        (set[int], [1, 1]),
        (list[dt.date], ["2026-01-02", "0"]),
        (Item, {"name": "a", "bought": "0"}),
        (Item, {"name": "a", "bought": "2026-01-02", "shop": "b"}),
    ],
)
def test_a_value_of_another_type_stays_as_it_is(annotation: Any, value: Any) -> None:
    field = make_signature({"a": (annotation, InputField()), "b": OutputField()})

    kept = typed_value(field.fields["a"], value)

    assert kept == value
    assert type(kept) is type(value)


def test_fields_that_the_signature_lacks_are_kept() -> None:
    saved = Predict("a -> b")
    saved.demos = [{"a": "1", "b": "2", "augmented": True, "dspy_uuid": "x"}]

    loaded = Predict("a -> b").load_state(saved.dump_state())

    assert loaded.demos == saved.demos


def test_examples_inside_examples_are_saved_as_mappings() -> None:
    inner = Example(q="1", dspy_split="train")

    state = dump_demo(Example(rows=[inner, {"deep": inner}]), "demo 0")

    plain = {"q": "1", "dspy_split": "train"}
    assert state == {"rows": [plain, {"deep": plain}]}


@pytest.mark.parametrize(
    "value", [object(), float("nan"), {1: float("inf")}, b"\xff", [lambda: 1]]
)
def test_what_json_cannot_hold_is_named(value: Any) -> None:
    with pytest.raises(DataError, match="demo 3, field 'a' cannot be saved"):
        dump_demo({"a": value}, "demo 3")


def test_a_demo_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(DataError, match="cannot be saved"):
        dump_demo({"a": value}, "demo 0")


JSON_VALUES = st.recursive(
    st.sampled_from(["yes", "5", "1.0", "0", "true", "red", "None", "[1]", 1, 1.0])
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
ANNOTATIONS = st.sampled_from([annotation for annotation, _ in TYPED])


@example(annotation=bool, value="yes")
@example(annotation=float, value=1)
@example(annotation=dt.date, value="0")
@example(annotation=list[Item], value=[{"name": "a", "bought": "0"}])
@given(annotation=ANNOTATIONS, value=JSON_VALUES)
def test_any_value_loads_and_is_shown_as_before(annotation: Any, value: Any) -> None:
    signature = make_signature({"a": (annotation, InputField()), "b": OutputField()})

    typed = typed_value(signature.fields["a"], value)

    assert typed is value or checker_of(annotation, ()).validate_python(typed) == typed
    if annotation != set[int]:  # a set has no order
        assert render_value(typed, annotation) == render_value(value, annotation)


def test_an_object_is_serialized_as_a_saved_program_holds_it() -> None:
    demo = {"items": [Item(name="a", bought=DAY)], "seen": (Point(x=1), Colour.RED)}

    plain = dspex.serialize_object(demo)

    assert plain == dump_demo(demo, "demo")
    assert json.loads(json.dumps(plain)) == plain
    with pytest.raises(DataError, match="cannot be saved"):
        dspex.serialize_object(object())
