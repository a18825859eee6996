"""Code, reasoning and history; and what all types have in common."""

from __future__ import annotations

import copy
import json
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from dspex.core.types.base import PARTS_END, PARTS_START, PartSink, Type, saved_parts
from dspex.core.types.code import Code, without_fence
from dspex.core.types.file import File
from dspex.core.types.history import History
from dspex.core.types.image import Image
from dspex.core.types.reasoning import Reasoning

IMAGE = Image("https://example.com/a.png")
[IMAGE_PART] = IMAGE.format()


def saved(value: BaseModel) -> Any:
    """A type may be dumped as a text, whatever pydantic's annotation says."""
    return value.model_dump()


def language(name: str) -> Any:
    return Code.__class_getitem__(name)


class Event(Type):
    """A happening. People read this; no model does."""

    name: str

    def format(self) -> Any:
        return [{"type": "text", "text": self.name}]


class Row(BaseModel):
    images: list[Image]
    note: str


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1", "x = 1"),
        ("", ""),
        ("```python\nx = 1\n```", "x = 1"),
        ("```\nx = 1\n```", "x = 1"),
        ("```x = 1```", "x = 1"),
        ("```python\nx = 1```", "x = 1"),
        ("Here it is:\n```python\nx = 1\n```\nIt counts.\n```\ny\n```", "x = 1"),
        ("```python\nx = '```'\ny = 2\n```\n", "x = '```'\ny = 2"),
        ("```python\nx = 1\ny = ", "x = 1\ny ="),
        ("```c++\r\nint x;\r\n```", "int x;"),
        ("``` js title='a' \nx\n  ```", "x"),
        ("a `word` b", "a `word` b"),
    ],
)
def test_code_is_taken_out_of_its_fence(text: str, code: str) -> None:
    assert without_fence(text) == code
    assert Code(code=text).code == code
    assert TypeAdapter(Code).validate_python(text).code == code
    assert TypeAdapter(Code).validate_python({"code": text}).code == code


@given(st.text(alphabet="`\n ax", max_size=60))
def test_every_text_is_code(text: str) -> None:
    code = Code(code=text).code

    assert code in text
    assert Code(code="```\n" + "x" + "\n```\n" + text).code == "x"


def test_a_language_makes_a_type_of_its_own_and_always_the_same() -> None:
    java = language("java")

    assert java is language("java")
    assert issubclass(java, Code)
    assert (java.language, Code.language) == ("java", "python")
    assert "java code" in java.description()
    assert "```java\n" in java.description()
    assert java(code="```java\nint x;\n```").code == "int x;"


def test_code_of_one_language_may_be_taken_for_another() -> None:
    made = TypeAdapter(language("sql")).validate_python(Code(code="SELECT 1"))

    assert isinstance(made, language("sql"))
    assert made.code == "SELECT 1"


@pytest.mark.parametrize("wrong", [3, {"text": "x"}, {"code": 3}, None])
def test_what_is_no_text_is_no_code(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="code is a text"):
        TypeAdapter(Code).validate_python(wrong)


def test_code_is_saved_and_shown_as_its_text() -> None:
    code = Code(code="x = 1")

    assert code.format() == str(code) == saved(code) == "x = 1"
    assert TypeAdapter(list[Code]).dump_json([code]) == b'["x = 1"]'
    assert Code.model_validate(saved(code)) == code


def test_reasoning_behaves_like_its_text() -> None:
    thought = Reasoning(content="Hello World")

    assert str(thought) == "Hello World"
    assert repr(thought) == "'Hello World'"
    assert thought == "Hello World"
    assert thought == Reasoning(content="Hello World")
    assert thought != "hello"
    assert thought != 3
    assert hash(thought) == hash("Hello World")
    assert (len(thought), thought[0], thought[-5:]) == (11, "H", "World")
    assert "World" in thought
    assert Reasoning(content="World") in thought
    assert list(thought)[:2] == ["H", "e"]
    assert thought.upper() == "HELLO WORLD"
    assert thought.split() == ["Hello", "World"]
    assert thought.startswith("Hello")


def test_reasoning_joins_with_texts_and_with_reasoning() -> None:
    thought = Reasoning(content="a")

    assert thought + "b" == "ab"
    assert type(thought + "b") is str
    assert "b" + thought == "ba"
    assert (thought + Reasoning(content="b")).content == "ab"
    with pytest.raises(TypeError):
        thought + 3
    with pytest.raises(TypeError):
        3 + thought


def test_reasoning_without_such_an_attribute_says_what_it_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'shout'.*content"):
        _ = Reasoning(content="a").shout


@pytest.mark.parametrize("value", ["a", {"content": "a"}, Reasoning(content="a")])
def test_reasoning_is_read_from_texts(value: Any) -> None:
    made = TypeAdapter(Reasoning).validate_python(value)

    assert made == "a"
    assert copy.deepcopy(made) == made
    assert Reasoning.model_validate(saved(made)) == made


@pytest.mark.parametrize("wrong", [3, {"text": "a"}, {"content": 3}, None])
def test_what_is_no_text_is_no_reasoning(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="reasoning is a text"):
        TypeAdapter(Reasoning).validate_python(wrong)


def test_history_holds_turns_and_nothing_else() -> None:
    history = History(messages=[{"question": "a", "answer": IMAGE}])

    assert history.messages[0]["answer"] is IMAGE
    with pytest.raises(ValidationError):
        History(messages=["a"])  # type: ignore[list-item] # what is tested
    with pytest.raises(ValidationError):
        History(messages=[], turns=[])  # type: ignore[call-arg] # what is tested


@pytest.mark.parametrize(
    ("annotation", "found"),
    [
        (Event, [Event]),
        (list[Event], [Event]),
        (dict[str, list[Event | None]], [Event]),
        (tuple[Event, Image], [Event, Image]),
        (str, []),
        (list[int] | None, []),
        (ClassVar[int], []),
    ],
)
def test_types_are_found_at_any_depth(annotation: Any, found: list[Any]) -> None:
    assert Type.extract_custom_type_from_annotation(annotation) == found


def test_only_the_kind_that_is_asked_for_is_found() -> None:
    found = Image.extract_custom_type_from_annotation(tuple[Event, list[Image]])

    assert found == [Image]


def test_a_type_without_format_says_what_to_write() -> None:
    class Bare(Type):
        name: str

    assert Bare.description() == ""
    with pytest.raises(NotImplementedError, match=r"Bare has no format\(\)"):
        Bare(name="a").format()


def test_a_docstring_stays_out_of_the_schema_and_a_description_stays_in() -> None:
    class Described(Event):
        """For people."""

        model_config = ConfigDict(json_schema_extra={"description": "For models."})

    schema = json.dumps(TypeAdapter(list[Event]).json_schema())

    assert "People" not in schema
    assert TypeAdapter(Described).json_schema()["description"] == "For models."


def test_parts_are_kept_apart_from_the_text_at_any_depth() -> None:
    sink = PartSink()
    row = Row(images=[IMAGE, IMAGE], note="a")

    text = TypeAdapter(dict[str, Row]).dump_json({"row": row}, context=sink).decode()
    pieces = sink.split(text)

    assert pieces == [
        '{"row":{"images":["',
        IMAGE_PART,
        '","',
        IMAGE_PART,
        '"],"note":"a"}}',
    ]


def test_a_text_without_parts_is_one_piece() -> None:
    assert PartSink().split("a") == ["a"]
    assert PartSink().split("") == []


@given(st.text())
def test_no_text_can_pose_as_a_part(text: str) -> None:
    other = PartSink()
    forged = other.keep([IMAGE_PART])

    for attempt in (text, forged, saved(IMAGE), f"{text}{forged}{saved(IMAGE)}"):
        pieces = PartSink().split(attempt)

        assert "".join(map(str, pieces)) == attempt
        assert all(isinstance(piece, str) for piece in pieces)


def test_a_saved_text_is_only_a_text_to_a_text_field() -> None:
    sink = PartSink()
    row = Row(images=[], note=saved(IMAGE))

    pieces = sink.split(row.model_dump_json(context=sink))

    assert len(pieces) == 1
    assert PARTS_START in str(pieces[0])


@pytest.mark.parametrize(
    "text",
    [
        f"{PARTS_START}[1]{PARTS_END}",
        f'{PARTS_START}{{"type": "text"}}{PARTS_END}',
        f"{PARTS_START}[{PARTS_END}",
        f"{PARTS_START}[]",
        f"a {PARTS_START}[]{PARTS_END}",
    ],
)
def test_what_is_no_saved_value_is_not_taken_for_one(text: str) -> None:
    assert saved_parts(text) is None


def test_a_type_of_your_own_can_be_saved_and_says_when_it_cannot_be_read() -> None:
    text = saved(Event(name="a"))

    assert text == f'{PARTS_START}[{{"type": "text", "text": "a"}}]{PARTS_END}'
    with pytest.raises(ValidationError, match=r"define from_parts\(\)"):
        Event.model_validate(text)


def test_a_type_may_read_other_forms() -> None:
    class Place(Type):
        name: str

        def format(self) -> str:
            return self.name

        @classmethod
        def read_value(cls, value: Any) -> Any:
            return {"name": value} if isinstance(value, str) else value

    place = TypeAdapter(Place).validate_python("Rome")

    assert place == Place(name="Rome")
    assert saved(place) == "Rome"


def test_parts_of_a_file_and_an_image_keep_their_order() -> None:
    sink = PartSink()
    values = [File.from_file_id("f"), "between", IMAGE]

    text = TypeAdapter(Any).dump_json(values, context=sink).decode()

    kinds = [each["type"] for each in sink.split(text) if isinstance(each, dict)]
    assert kinds == ["file", "image_url"]
