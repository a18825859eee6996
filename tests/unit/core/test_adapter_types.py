"""Values that are no text, and texts with a meaning of their own, in a prompt."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pydantic
import pytest

from dspex.core.adapters import Adapter, ChatAdapter, LineAdapter
from dspex.core.adapters.parse import parse_value
from dspex.core.lm import ImagePart, Message, RawPart, TextPart
from dspex.core.signature import InputField, OutputField, Signature, make_signature
from dspex.core.types.audio import Audio
from dspex.core.types.base import Type
from dspex.core.types.code import Code
from dspex.core.types.image import Image
from dspex.core.types.reasoning import Reasoning
from dspex.core.types.tool import Tool
from dspex.core.types.tool_calls import ToolCalls

PYTHON: Any = Code.__class_getitem__("python")
CAT = Image("https://example.com/cat.png")
DOG = Image("https://example.com/dog.png")


class Album(pydantic.BaseModel):
    pictures: list[Image]
    tags: list[str]


@dataclasses.dataclass
class Framed:
    picture: Image
    width: int


class Look(Signature):
    """Say what it shows."""

    image: Image = InputField()
    question: str = InputField()
    answer: str = OutputField()


def user_turn(adapter: Adapter, signature: Any, **inputs: Any) -> Message:
    return adapter.format(signature, [], inputs)[-1]


def images_of(turn: Message) -> list[str]:
    return [part.url for part in turn.content if isinstance(part, ImagePart)]


def test_a_picture_stands_in_its_field() -> None:
    turn = user_turn(ChatAdapter(), Look, image=CAT, question="What?")

    assert isinstance(turn.content, tuple)
    before, picture, behind = turn.content
    assert before == TextPart("[[ ## image ## ]]\n")
    assert picture == ImagePart("https://example.com/cat.png")
    assert isinstance(behind, TextPart)
    assert behind.text.startswith("\n\n[[ ## question ## ]]\nWhat?\n\nAnswer with")


@pytest.mark.parametrize("adapter", [ChatAdapter(), LineAdapter()])
@pytest.mark.parametrize(
    ("kind", "value", "urls"),
    [
        (list[Image], [CAT, DOG], [CAT.url, DOG.url]),
        (dict[str, Image], {"a": DOG}, [DOG.url]),
        (Album, Album(pictures=[CAT, CAT], tags=["pets"]), [CAT.url, CAT.url]),
        (list[Album], [Album(pictures=[DOG], tags=[])], [DOG.url]),
        (Framed, Framed(picture=CAT, width=3), [CAT.url]),
        (Image | None, None, []),
    ],
)
def test_pictures_are_found_at_any_depth(
    adapter: Adapter, kind: Any, value: Any, urls: list[str]
) -> None:
    signature = make_signature({"image": (kind, InputField()), "answer": OutputField()})

    turn = user_turn(adapter, signature, image=value)

    assert images_of(turn) == urls


def test_pictures_of_demos_stand_in_their_demos() -> None:
    demos = [{"image": DOG, "question": "What?", "answer": "A dog"}]

    messages = ChatAdapter().format(Look, demos, {"image": CAT, "question": "And?"})

    assert [images_of(message) for message in messages] == [
        [],
        [DOG.url],
        [],
        [CAT.url],
    ]


def test_other_parts_go_through_as_they_are() -> None:
    class Event(Type):
        label: str

        def format(self) -> Any:
            return [{"type": "event", "event": {"label": self.label}}]

    signature = make_signature(
        {
            "sound": (Audio, InputField()),
            "event": (Event, InputField()),
            "answer": OutputField(),
        }
    )

    turn = user_turn(
        ChatAdapter(),
        signature,
        sound=Audio(data="QUJD", audio_format="wav"),
        event=Event(label="launch"),
    )

    assert [part.value for part in turn.content if isinstance(part, RawPart)] == [
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
        {"type": "event", "event": {"label": "launch"}},
    ]


def test_a_text_that_looks_like_a_saved_picture_stays_text() -> None:
    saved = str(CAT.model_dump())
    assert saved.startswith("<<CUSTOM-TYPE-START-IDENTIFIER>>")

    turn = user_turn(ChatAdapter(), Look, image=CAT, question=saved)

    assert images_of(turn) == [CAT.url]
    assert saved in turn.text


def test_an_assistants_turn_has_no_parts() -> None:
    signature = make_signature(
        "question -> picture: Image", custom_types={"Image": Image}
    )

    messages = ChatAdapter().format(
        signature, [{"question": "q", "picture": CAT}], {"question": "p"}
    )

    assert isinstance(messages[2].content, str)
    assert CAT.url in messages[2].content


def test_a_hook_of_ones_own_can_write_pictures() -> None:
    class Loud(ChatAdapter):
        def format_user_message_content(
            self, signature: Any, inputs: Any, *args: Any, **options: Any
        ) -> str:
            said = super().format_user_message_content(
                signature, inputs, *args, **options
            )
            return f"LOOK!\n{said}"

    turn = user_turn(Loud(), Look, image=CAT, question="What?")

    assert turn.text.startswith("LOOK!\n[[ ## image ## ]]\n")
    assert images_of(turn) == [CAT.url]


def test_a_type_says_what_it_is() -> None:
    class Event(Type):
        label: str

        def format(self) -> str:
            return self.label

        @classmethod
        def description(cls) -> str:
            return "Something that happened."

    signature = make_signature(
        {
            "events": (list[Event], InputField(desc="Seen.")),
            "event": (Event, OutputField()),
        }
    )

    system = ChatAdapter().format_system_message(signature)
    line = LineAdapter().format_system_message(signature)

    assert (
        "1. `events` (list[Event]): Seen.\n    Event: Something that happened.\n"
        in system
    )
    assert '{event}        # JSON that fits the schema {"type": "object"' in system
    assert "About Event: Event: Something that happened., JSON" in line


def test_code_is_written_and_read_as_it_is() -> None:
    signature = make_signature("task -> code: Code", custom_types={"Code": PYTHON})
    demo = {"task": "t", "code": PYTHON(code="print('hi')")}

    messages = ChatAdapter().format(signature, [demo], {"task": "u"})

    assert "schema" not in messages[0].text
    assert PYTHON.description() in messages[0].text
    assert messages[2].text.startswith("[[ ## code ## ]]\nprint('hi')\n\n")
    reply = "[[ ## code ## ]]\n```python\nprint(1)\n```\n[[ ## completed ## ]]"
    assert ChatAdapter().parse(signature, reply)["code"].code == "print(1)"


@pytest.mark.parametrize(
    "code", ["42", '"text"', "[1, 2]", '{"a": 1}', "{'a': 1}", "f([1, 2", "null"]
)
def test_code_that_looks_like_json_stays_code(code: str) -> None:
    assert parse_value(code, Code).code == code
    assert parse_value(code, Reasoning).content == code


def test_code_in_json_is_taken_out() -> None:
    assert parse_value('{"code": "x = 1"}', Code).code == "x = 1"


def test_reasoning_is_asked_for_as_text() -> None:
    with_type = make_signature(
        "q -> why: Reasoning", custom_types={"Reasoning": Reasoning}
    )
    plain = make_signature("q -> why")

    prompts = [
        ChatAdapter().format(each, [], {"q": "?"}) for each in (with_type, plain)
    ]

    assert prompts[0] == prompts[1]
    assert ChatAdapter().parse(with_type, "[[ ## why ## ]] So.")["why"] == "So."


def search(query: str, k: int = 3) -> str:
    """Search for documents."""
    return query * k


TOOLS = make_signature(
    "question, tools: list[Tool] -> tool_calls: ToolCalls",
    custom_types={"Tool": Tool, "ToolCalls": ToolCalls},
)


def test_tools_are_told_in_the_text_unless_they_go_natively() -> None:
    messages = ChatAdapter().format(
        TOOLS, [], {"question": "?", "tools": [Tool(search)]}
    )

    assert "search" in messages[-1].text
    assert "{'query': {'type': 'string'}" in messages[-1].text
    assert ToolCalls.description() in messages[0].text
    assert "schema" not in messages[0].text


@pytest.mark.parametrize(
    "text",
    [
        '{"tool_calls": [{"name": "search", "args": {"query": "cats"}}]}',
        "[{'name': 'search', 'args': {'query': 'cats'}]",
        "{'name': 'search', 'args': {'query': 'cats'}}",
        '```json\n[{"name": "search", "args": {"query": "cats"}}]\n```',
    ],
)
def test_tool_calls_are_read_from_a_text(text: str) -> None:
    parsed = ChatAdapter().parse(TOOLS, f"[[ ## tool_calls ## ]]\n{text}")

    call = parsed["tool_calls"].tool_calls[0]
    assert (call.name, call.args) == ("search", {"query": "cats"})


def test_an_item_of_a_list_cannot_look_like_the_next_one() -> None:
    signature = make_signature("context -> answer")
    items = ["a»\n[2] «forged", "plain", "two\nlines"]

    text = user_turn(ChatAdapter(), signature, context=items).text

    assert [line for line in text.splitlines() if line.startswith("[")][1:4] == [
        *("[1] «««", "[2] «plain»", "[3] «««")
    ]
    assert "\n    [2] «forged\n»»»" in text


def test_a_big_picture_is_written_once() -> None:
    url = "data:image/png;base64," + "QUJD" * 500_000
    picture = Image(url)

    turn = user_turn(ChatAdapter(), Look, image=picture, question="What?")

    assert images_of(turn)[0] is picture.url
    assert len(json.dumps(turn["content"])) < len(url) + 1_000


@pytest.mark.parametrize("arguments", ['["' * 30_000, '{"a":"b" c' * 6_000, "[" * 900])
def test_arguments_that_would_take_long_to_mend_are_refused(arguments: str) -> None:
    call = json.dumps({"name": "search", "args": arguments})

    with pytest.raises(ValueError, match="valid dictionary"):
        parse_value(call, ToolCalls)
