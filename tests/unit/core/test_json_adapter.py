"""The JSON adapter: one object as the answer, held to a schema where that can be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pydantic
import pytest

import dspex
from dspex.core.adapters import JSONAdapter, adapter_named
from dspex.core.adapters.json_schema import Bounds
from dspex.core.errors import AdapterError, AdapterParseError
from dspex.core.lm import Message, Reply
from dspex.core.signature import (
    InputField,
    OutputField,
    Signature,
    make_signature,
)

CAPITAL = make_signature("country -> reasoning, capital")


class Model:
    """Somebody to ask, who can what a test says."""

    model = "test/model"
    adapter = None

    def __init__(self, *, own: Mapping[str, Any] | None = None, **able: Any) -> None:
        self._own = own or {}
        self.__dict__.update(able)

    def complete(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> Reply:
        return Reply(texts=('{"reasoning": "so", "capital": "Lima"}',))

    def dump_state(self) -> dict[str, Any]:
        return {"model": self.model, **self._own}


SCHEMA_MODEL = Model(supports_response_schema=True, supports_json_object=True)


class City(pydantic.BaseModel):
    name: str
    people: int


class Cities(Signature):
    """Name cities."""

    country: str = InputField()
    large: bool = OutputField(desc="whether it is a large country")
    cities: list[City] = OutputField()


def parsed(reply: str, signature: type[Signature] = CAPITAL) -> dict[str, Any]:
    return JSONAdapter().parse(signature, reply)


def form_for(
    model: Any, signature: type[Signature] = CAPITAL, **config: Any
) -> dict[str, Any] | None:
    inputs = dict.fromkeys(signature.input_fields, "x")
    asked = JSONAdapter().ask(signature, [], inputs, model, config)
    form: dict[str, Any] | None = asked.settings.get("response_format")
    return form


def test_inputs_stand_under_headers_and_a_demos_answer_is_json() -> None:
    demo = {"country": "Peru", "large": True, "cities": [City(name="Lima", people=9)]}

    _system, asked, answered, question = JSONAdapter().format(
        Cities, [demo], {"country": "Chile"}
    )

    assert asked.text == "[[ ## country ## ]]\nPeru"
    assert json.loads(answered.text) == {
        "large": True,
        "cities": [{"name": "Lima", "people": 9}],
    }
    assert question.text.startswith("[[ ## country ## ]]\nChile\n\n")
    assert "JSON" in question.text


def test_the_system_turn_shows_the_shape_of_the_answer_and_the_task() -> None:
    system = JSONAdapter().format_system_message(Cities)

    assert '{\n  "large": {large},        # true or false\n  "cities": {' in system
    assert '"people"' in system
    assert system.endswith("Task: Name cities.")


def test_an_incomplete_demo_says_so() -> None:
    messages = JSONAdapter().format(
        Cities, [{"country": "Peru", "large": True}], {"country": "Chile"}
    )

    assert json.loads(messages[2].text)["cities"] == "(not given in this example)"


def test_a_value_with_a_header_in_it_comes_back_and_shows_none() -> None:
    said = "see [[ ## capital ## ]] below"

    answer = JSONAdapter().format_assistant_message_content(
        CAPITAL, {"reasoning": said, "capital": "Lima"}
    )

    assert "[[ ## capital" not in answer
    assert parsed(answer) == {"reasoning": said, "capital": "Lima"}


def test_a_value_json_cannot_hold_is_refused_before_the_call() -> None:
    endless: list[Any] = []
    endless.append(endless)
    signature = make_signature("question -> answer: list")

    with pytest.raises(AdapterError, match="cannot be written as JSON"):
        JSONAdapter().format(
            signature, [{"question": "?", "answer": endless}], {"question": "?"}
        )


@pytest.mark.parametrize(
    "reply",
    [
        '{"reasoning": "so", "capital": "Lima"}',
        '```json\n{"reasoning": "so", "capital": "Lima"}\n```',
        'The set {a, b} says:\n{"reasoning": "so", "capital": "Lima"} - done.',
        "{'reasoning': 'so', 'capital': 'Lima'}",
        '{"reasoning": "so", "capital": "Lima",}',
        '{"reasoning": "so", "capital": "Lima", "more": [1]}',
        '{"capital": "Lima", "reasoning": "so"',
        '{"reasoning": "so", "capital": "Lima"} {"capital": "Quito"}',
    ],
)
def test_an_answer_is_found_wherever_it_stands(reply: str) -> None:
    assert parsed(reply) == {"reasoning": "so", "capital": "Lima"}


@pytest.mark.parametrize(
    "reply",
    [
        '{"note": "{\\"capital\\": \\"Quito\\"}", "x": 1}',
        '{"note": {"reasoning": "r", "capital": "Quito"}}',
        '{"note": {"reasoning": "r", "capital": "Quito"},}',
        "Lima",
        "",
        '["reasoning", "capital"]',
    ],
)
def test_nothing_inside_another_value_passes_for_the_answer(reply: str) -> None:
    with pytest.raises(AdapterParseError) as caught:
        parsed(reply)

    assert caught.value.parsed_result == {}
    assert caught.value.lm_response == reply
    assert caught.value.adapter_name == "JSONAdapter"


def test_an_output_that_is_missing_or_wrong_is_named_and_the_rest_kept() -> None:
    signature = make_signature("question -> capital, people: int, sea: bool")

    with pytest.raises(AdapterParseError, match="'people' does not fit") as caught:
        parsed('{"capital": "Lima", "people": "many"}', signature)

    assert "'sea' is missing" in str(caught.value)
    assert caught.value.parsed_result == {"capital": "Lima"}


def test_values_get_the_types_of_the_outputs() -> None:
    signature = make_signature(
        {
            "question": (str, InputField()),
            "n": (int, OutputField()),
            "mood": (Literal["good", "bad"], OutputField()),
            "city": (City, OutputField()),
            "maybe": (int | None, OutputField()),
        }
    )
    reply = '{"n": "7", "mood": "good", "city": {"name": "Lima", "people": 9}}'

    values = parsed(reply, signature)

    assert values["n"] == 7
    assert values["city"] == City(name="Lima", people=9)
    assert values["maybe"] is None


def test_a_text_output_is_a_text_whatever_the_model_wrote() -> None:
    found = parsed('{"reasoning": {"a": [1, true]}, "capital": 12}')

    assert found == {"reasoning": '{"a": [1, true]}', "capital": "12"}


def test_null_is_no_text() -> None:
    with pytest.raises(AdapterParseError, match="'capital' is missing"):
        parsed('{"reasoning": "so", "capital": null}')


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_refused(number: str) -> None:
    signature = make_signature("question -> score: float, more: list[float]")

    with pytest.raises(AdapterParseError, match="no finite number"):
        parsed(f'{{"score": 1, "more": [{number}]}}', signature)


def test_a_formula_keeps_its_backslashes() -> None:
    reply = r'{"reasoning": "\alpha \\beta", "capital": "\d+"}'

    assert parsed(reply) == {"reasoning": r"\alpha \beta", "capital": r"\d+"}


def test_a_model_that_takes_a_schema_is_held_to_it() -> None:
    form = form_for(SCHEMA_MODEL)

    assert form is not None
    assert form["type"] == "json_schema"
    assert form["json_schema"]["strict"] is True
    assert form["json_schema"]["schema"]["required"] == ["reasoning", "capital"]


def test_a_server_that_makes_grammars_gets_lengths() -> None:
    model = Model(supports_response_schema=True, schema_bounds=Bounds(text=30, items=3))

    form = form_for(model)

    assert form is not None
    properties = form["json_schema"]["schema"]["properties"]
    assert properties["capital"] == {"type": "string", "maxLength": 30}


def test_an_open_type_is_held_to_any_json_object() -> None:
    signature = make_signature("question -> answer: dict[str, int]")

    assert form_for(SCHEMA_MODEL, signature) == {"type": "json_object"}


def test_a_model_without_schemas_is_held_to_what_it_can() -> None:
    assert form_for(Model(supports_json_object=True)) == {"type": "json_object"}
    assert form_for(Model()) is None
    assert form_for(Model(supports_response_schema=True), Cities) is not None


def test_the_users_own_response_format_wins() -> None:
    own = {"type": "json_object"}

    assert form_for(SCHEMA_MODEL, response_format=own) == own
    assert form_for(SCHEMA_MODEL, response_format=None) is None
    assert (
        form_for(Model(own={"response_format": own}, supports_response_schema=True))
        is None
    )


def test_a_program_sends_the_schema_and_gets_values() -> None:
    class Remembering(Model):
        asked: Mapping[str, Any] = {}

        def complete(
            self, messages: Sequence[Message], settings: Mapping[str, Any]
        ) -> Reply:
            self.asked = settings
            return super().complete(messages, settings)

    model = Remembering(supports_response_schema=True)

    with dspex.context(lm=model, adapter="json"):
        answer = dspex.ChainOfThought("country -> capital")(country="Peru")

    assert answer.capital == "Lima"
    assert model.asked["response_format"]["type"] == "json_schema"


def test_it_has_a_name_and_calls_tools_natively_by_itself() -> None:
    adapter = adapter_named("json")

    assert isinstance(adapter, dspex.JSONAdapter)
    assert adapter.use_native_function_calling
    assert adapter.fallback is None


def test_the_chat_adapter_falls_back_to_it_only_when_asked_to() -> None:
    assert dspex.ChatAdapter().fallback is None
    fallback = dspex.ChatAdapter(use_json_adapter_fallback=True).fallback
    assert isinstance(fallback, JSONAdapter)


def test_code_and_reasoning_are_texts_in_json() -> None:
    signature = make_signature(
        {
            "question": (str, InputField()),
            "why": (dspex.Reasoning, OutputField()),
            "code": (dspex.Code, OutputField()),
        }
    )
    row = {"why": "so", "code": dspex.Code(code='print("1")')}

    answer = JSONAdapter().format_assistant_message_content(signature, row)
    form = form_for(SCHEMA_MODEL, signature)

    assert json.loads(answer) == {"why": "so", "code": 'print("1")'}
    assert parsed(answer, signature)["code"].code == 'print("1")'
    assert form is not None
    texts = form["json_schema"]["schema"]["properties"].values()
    assert list(texts) == [{"type": "string"}, {"type": "string"}]


def test_tools_that_go_to_the_provider_need_no_schema_beside_them() -> None:
    signature = make_signature(
        {
            "question": (str, InputField()),
            "tools": (list[dspex.Tool], InputField()),
            "answer": (str, OutputField()),
            "calls": (dspex.ToolCalls, OutputField()),
        }
    )
    inputs = {"question": "?", "tools": [dspex.Tool(len, name="length")]}
    able = Model(supports_response_schema=True, supports_function_calling=True)

    asked = JSONAdapter().ask(signature, [], inputs, able)

    assert asked.settings["tools"][0]["function"]["name"] == "length"
    assert "response_format" not in asked.settings
