"""Example: fields, inputs and labels, equality and hashing."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from pydantic import BaseModel

from dspex.core.errors import DataError
from dspex.core.example import Example


class Point(BaseModel):
    x: int


@pytest.fixture
def peru() -> Example:
    return Example(country="Peru", capital="Lima").with_inputs("country")


def test_fields_are_read_as_attributes_and_as_items(peru: Example) -> None:
    assert (peru.country, peru["capital"], peru.get("river")) == ("Peru", "Lima", None)


def test_a_base_gives_its_fields_and_its_inputs(peru: Example) -> None:
    derived = Example(peru, capital="Cusco", river="Rimac")

    assert derived.toDict() == {"country": "Peru", "capital": "Cusco", "river": "Rimac"}
    assert derived.inputs().keys() == ["country"]
    assert peru.capital == "Lima"


@pytest.mark.parametrize("name", ["self", "keys", "items", "first name"])
def test_any_text_may_name_a_field(name: str) -> None:
    example = Example({name: 1})

    assert example[name] == 1
    fields: dict[str, Any] = {name: 1}
    assert Example(**fields) == example


def test_a_base_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(DataError, match="cannot start from 'Peru'"):
        Example("Peru")  # type: ignore[arg-type] # the mistake under test


def test_inputs_and_labels_share_the_fields_between_them(peru: Example) -> None:
    assert peru.inputs() == Example(country="Peru")
    assert peru.labels() == Example(capital="Lima")
    assert peru.inputs().inputs() == peru.inputs()


def test_with_inputs_returns_a_copy() -> None:
    plain = Example(country="Peru")
    plain.with_inputs("country")

    with pytest.raises(ValueError, match="with_inputs") as caught:
        plain.inputs()

    assert isinstance(caught.value, DataError)


def test_labels_are_unknown_as_long_as_inputs_are() -> None:
    with pytest.raises(DataError, match="the labels of this example are not known"):
        Example(country="Peru").labels()


def test_copy_and_without_leave_the_original_alone(peru: Example) -> None:
    assert peru.copy(capital="Cusco").capital == "Cusco"
    assert "capital" not in peru.without("capital", "river")
    assert peru.capital == "Lima"


def test_to_dict_goes_all_the_way_down() -> None:
    nested = Example(a=[Example(b=1), {"c": Point(x=2)}], d=(Point(x=3),))

    assert nested.toDict() == {"a": [{"b": 1}, {"c": {"x": 2}}], "d": [{"x": 3}]}


def test_dspy_fields_are_kept_but_not_shown() -> None:
    example = Example(a=1, dspy_uuid="x")

    assert (example.keys(), example.values(), example.items(), len(example)) == (
        ["a"],
        [1],
        [("a", 1)],
        1,
    )
    assert list(example) == ["a"]
    assert example.keys(include_dspy=True) == ["a", "dspy_uuid"]
    assert "dspy_uuid" in example
    assert example.dspy_uuid == "x"


def test_it_unpacks_like_a_mapping(peru: Example) -> None:
    assert dict(**peru) == dict(peru) == {"country": "Peru", "capital": "Lima"}


def test_fields_can_be_set_and_deleted() -> None:
    example = Example(a=1, b=2, c=3)

    example.a = 10
    example["d"] = 4
    del example.b
    del example["c"]

    assert example.toDict() == {"a": 10, "d": 4}


def test_setting_a_methods_name_points_to_the_item_form(peru: Example) -> None:
    with pytest.raises(AttributeError, match=r"Write example\['keys'\]"):
        peru.keys = 1  # type: ignore[method-assign,assignment] # the mistake under test


def test_an_absent_field_is_named_with_those_there_are(peru: Example) -> None:
    with pytest.raises(AttributeError, match=r"no field 'river'.*'country', 'capital'"):
        _ = peru.river
    with pytest.raises(AttributeError, match="no field 'river'"):
        del peru.river
    with pytest.raises(KeyError, match="no field 'river'"):
        _ = peru["river"]
    with pytest.raises(KeyError, match="no field 'river'"):
        del peru["river"]
    assert not hasattr(peru, "river")


def test_equality_is_that_of_the_fields(peru: Example) -> None:
    assert peru == Example(capital="Lima", country="Peru")
    assert peru != Example(country="Peru")
    assert peru != {"country": "Peru", "capital": "Lima"}


def test_equal_examples_have_equal_hashes_whatever_they_hold() -> None:
    one = Example(a=[1, {"b": {2, 3}}], p=Point(x=1), e=Example(c=[4]))
    other = Example(e=Example(c=[4]), p=Point(x=1), a=[1.0, {"b": {3, 2}}])

    assert one == other
    assert len({one, other}) == 1


def test_it_can_be_copied_deeply() -> None:
    original = Example(a=[1]).with_inputs("a")

    copied = copy.deepcopy(original)
    copied.a.append(2)

    assert original.a == [1]
    assert copied.inputs().a == [1, 2]


def test_its_repr_is_dspys(peru: Example) -> None:
    shown = "Example({'country': 'Peru', 'capital': 'Lima'}) (input_keys={'country'})"

    assert repr(peru) == str(peru) == shown
    assert repr(Example(a=1, dspy_uuid="x")) == "Example({'a': 1}) (input_keys=None)"
    assert repr(Example(a=1).with_inputs()) == "Example({'a': 1}) (input_keys=set())"
    both = "Example({'b': 1, 'a': 2}) (input_keys={'a', 'b'})"
    assert repr(Example(b=1, a=2).with_inputs("b", "a")) == both


def test_a_field_may_be_called_base(peru: Example) -> None:
    copied = peru.copy(base="Andes")

    assert copied.base == "Andes"
    assert copied.inputs() == peru.inputs()


def test_the_base_may_go_by_name_as_in_dspy(peru: Example) -> None:
    assert Example(base=peru, river="Rimac").river == "Rimac"
    assert Example(base={"a": 1}) == Example(a=1)
