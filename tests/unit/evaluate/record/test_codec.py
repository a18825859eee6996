"""Values in a record: back as they were, or in part and saying so; never an error."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import math
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import hypothesis
import hypothesis.strategies as st
import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

import dspex
from dspex.client.secrets import Secret
from dspex.core.prediction import Completions
from dspex.core.types.code import Code
from dspex.core.types.tool_calls import ToolCalls
from dspex.evaluate.record import codec
from dspex.evaluate.record.codec import MARK, decode, encode
from dspex.evaluate.record.unkept import Unkept
from tests.corpus import PICTURES, TEXTS

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.dates()
    | st.datetimes(timezones=st.just(dt.UTC) | st.none())
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.complex_numbers(allow_nan=False)
)
HASHABLE = SCALARS | st.tuples(SCALARS, st.frozensets(SCALARS, max_size=2))
VALUES = st.recursive(
    SCALARS | st.sets(HASHABLE, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.dictionaries(st.sampled_from([MARK, "a", "b"]), inner, max_size=3)
    ),
    max_leaves=8,
)
FEW = hypothesis.settings(max_examples=50, deadline=None)


LIMA = {"name": "Lima", "near": {"sea": 1.5}, "extra": 1}


class Colour(enum.Enum):
    RED = "red"


class Weight(enum.IntEnum):
    HEAVY = 3


class City(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str
    near: dict[str, float] = {}


@dataclass
class Box:
    size: int
    inside: Any = field(default=None, repr=False)


class Plain:
    def __init__(self) -> None:
        self.name = "Lima"
        self.api_key = "sk-very-secret"
        self._hidden = "sk-hidden"


class Hostile:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment] # so that nothing can be done with it


class Word(str):
    __slots__ = ()


class Pair(NamedTuple):
    left: int
    right: tuple[int, int]


def back(value: Any) -> Any:
    text = encode(value)
    assert text.isascii()
    json.loads(text)
    return decode(text)


@FEW
@hypothesis.given(VALUES)
def test_what_dspex_knows_comes_back_as_it_was(value: Any) -> None:
    again = back(value)

    assert again == value
    assert type(again) is type(value)
    assert repr(type(again)) == repr(type(value))


@FEW
@hypothesis.given(st.dictionaries(st.text(), VALUES, max_size=3), st.booleans())
def test_examples_and_predictions_come_back_as_they_were(
    fields: dict[str, Any],
    knows_inputs: bool,
) -> None:
    example = dspex.Example(fields)
    if knows_inputs:
        example = example.with_inputs(*list(fields)[:1])
    prediction = dspex.Prediction(fields)
    prediction.set_lm_usage({"m": {"prompt_tokens": 3}})

    again = back({"example": example, "prediction": prediction})

    assert again["example"] == example
    assert again["example"]._input_keys == example._input_keys
    assert again["prediction"] == prediction
    assert type(again["prediction"]) is dspex.Prediction
    assert again["prediction"].get_lm_usage() == {"m": {"prompt_tokens": 3}}


@FEW
@hypothesis.given(VALUES)
def test_what_was_read_is_written_the_same(value: Any) -> None:
    text = encode(value)

    assert encode(decode(text)) == text


@pytest.mark.parametrize(
    "text", [*TEXTS.values(), "\ud800", "a\udfff", "\ud83d\ude00", "\U0001f600"]
)
def test_every_text_comes_back_as_it_was(text: str) -> None:
    assert back(text) == text
    assert back({text: [text]}) == {text: [text]}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=list(PICTURES))
def test_pictures_come_back_as_they_were(picture: Any) -> None:
    shown = picture()

    assert back(shown) == shown


@pytest.mark.parametrize(
    "value",
    [
        dspex.Image("https://example.com/a.png"),
        dspex.History(messages=[{"question": "a", "answer": ("b", 1)}]),
        dspex.Code(code="x = 1"),
        Code.__class_getitem__("sql")(code="SELECT 1"),
        dspex.File(file_data="data:text/plain;base64,YQ==", filename="a.txt"),
        dspex.Audio(data="UklGRg==", audio_format="wav"),
        dspex.Reasoning(content="since"),
        ToolCalls.from_dict_list([{"name": "add", "args": {"x": 1}}]),
        Completions({"answer": ["a", "b"]}),
        math.inf,
        -math.inf,
        -0.0,
        decimal.Decimal("1.10"),
        uuid.UUID(int=7),
        Path("a/b"),
        bytearray(b"ab"),
        dt.datetime(2026, 10, 25, 2, 30, fold=1),  # noqa: DTZ001 - one without a zone
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_of_known_types_come_back_as_they_were(value: Any) -> None:
    again = back([value])[0]

    assert again == value
    assert type(again) is type(value)
    assert repr(again) == repr(value)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_of_more_digits_than_python_reads_comes_back(sign: int) -> None:
    value = sign * 7**9_000

    assert back(value) == value


def test_nan_comes_back_as_nan() -> None:
    assert math.isnan(back(math.nan))


def test_a_prediction_of_several_answers_keeps_them() -> None:
    prediction = dspex.Prediction.from_completions({"answer": ["Lima", "Cusco"]})

    again = back(prediction)

    assert again == prediction
    assert again.completions == prediction.completions


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (City.model_validate(LIMA), LIMA),
        (Box(size=2, inside={1, 2}), {"size": 2, "inside": {1, 2}}),
        (Plain(), {"name": "Lima", "api_key": "***"}),
        (Pair(1, (2, 3)), {"left": 1, "right": (2, 3)}),
        (Colour.RED, "red"),
        (Weight.HEAVY, 3),
        (Word("abc"), "abc"),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (deque([1, 2]), [1, 2]),
        (MappingProxyType({"a": 1}), {"a": 1}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_come_back_as_what_they_hold_and_say_so(
    value: Any, kept: Any
) -> None:
    again = back(value)

    assert isinstance(again, Unkept)
    assert type(value).__name__ in again.type_name
    assert "as recorded" in repr(again)
    assert again.value == kept
    assert back(again) == again


@pytest.mark.parametrize(
    "value",
    [
        object(),
        len,
        dt.date,
        math,
        ValueError("no"),
        iter([1]),
        (n for n in [1]),
        range(3),
        Hostile,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_nothing_readable_comes_back_as_its_type(value: Any) -> None:
    again = back({"a": value})["a"]

    assert isinstance(again, Unkept)
    assert again.type_name
    assert " at 0x" not in again.text


def test_a_value_that_lets_nobody_look_at_it_comes_back_as_its_type() -> None:
    again = back({"a": [Hostile()], "b": {"inside": Box(size=1, inside=Hostile())}})

    assert again["a"][0].type_name.endswith("Hostile")
    assert again["b"]["inside"].inside.type_name.endswith("Hostile")


def test_fields_of_what_comes_back_in_part_read_as_they_did() -> None:
    again = back(City.model_validate(LIMA))

    assert (again.name, again["name"], again.extra) == ("Lima", "Lima", 1)
    with pytest.raises(AttributeError, match="no field 'mayor'"):
        _ = again.mayor


def test_an_iterator_is_not_used_up() -> None:
    items = iter([1, 2])

    encode(items)

    assert list(items) == [1, 2]


@pytest.mark.parametrize(
    "value",
    [SecretStr("sk-very-secret"), Secret("sk-very-secret"), Plain()],
    ids=lambda value: type(value).__name__,
)
def test_no_secret_is_written(value: Any) -> None:
    text = encode([value, {"inside": value}])

    assert "sk-" not in text


def test_the_settings_of_a_model_are_not_written() -> None:
    model = dspex.LM("openai/gpt-4o-mini", api_key="sk-very-secret")

    assert "sk-" not in encode({"lm": model, "program": dspex.Predict("a -> b")})


def test_a_value_that_holds_itself_ends_there() -> None:
    value: dict[str, Any] = {"name": "loop"}
    value["self"] = [value]

    again = back(value)

    assert again["name"] == "loop"
    assert again["self"][0].why == "it holds itself"


def test_a_value_that_is_held_twice_is_kept_twice() -> None:
    shared = [1]

    assert back([shared, shared]) == [[1], [1]]


def test_a_very_deep_value_is_kept_to_a_depth() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]

    again = back({"deep": value, "beside": 1})

    assert again["beside"] == 1
    depth = 0
    inside = again["deep"]
    while isinstance(inside, list):
        inside, depth = inside[0], depth + 1
    assert depth == codec.DEEPEST - 1
    assert inside.why == "nested too deeply"


def test_a_value_that_grows_when_it_is_written_out_is_cut() -> None:
    value: list[Any] = [1]
    for _ in range(60):
        value = [value, value]

    text = encode(value)

    assert "too large" in text
    assert len(text) < 100 * codec.MOST_NODES


def test_of_a_very_long_text_the_beginning_is_kept() -> None:
    text = "x" * (codec.MOST_CHARACTERS + 1)

    again = back({"long": text, "short": 1})

    assert (again["long"].why, again["short"]) == ("too large", 1)
    assert again["long"].text.startswith("'xxx")


def test_a_large_value_that_fits_is_kept_whole() -> None:
    value = {"rows": list(range(200_000)), "text": "é" * 1_000_000}

    assert back(value) == value


def test_sets_are_written_in_one_order() -> None:
    backwards = {f"w{number}" for number in range(50, 0, -1)}

    assert encode(backwards) == encode({f"w{number}" for number in range(1, 51)})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "NaN",
        '{"$dspex": "date", "value": "never"}',
        '{"$dspex": "date"}',
        '{"$dspex": "tuple", "items": 3}',
        '{"$dspex": "type", "name": "os.system", "fields": {}}',
        '{"$dspex": "Prediction", "fields": {}, "completions": {"a": [], "b": [1]}}',
        "[" * 100_000,
    ],
)
def test_a_text_that_no_record_holds_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(text)


def test_what_a_newer_dspex_wrote_says_so() -> None:
    again = decode('{"$dspex": "hologram", "value": 3}')

    assert isinstance(again, Unkept)
    assert again.why == "a newer dspex wrote it"
