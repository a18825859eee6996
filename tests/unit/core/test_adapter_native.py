"""What travels beside the text: tools, tool calls, reasoning, log-probabilities."""

from __future__ import annotations

from typing import Any

import pytest

from dspex.core.adapters import Adapter, Asked, ChatAdapter, LineAdapter
from dspex.core.errors import AdapterParseError, ConfigurationError, SignatureError
from dspex.core.lm import Reply, ToolCall
from dspex.core.signature import make_signature
from dspex.core.types.image import Image
from dspex.core.types.reasoning import Reasoning
from dspex.core.types.tool import Tool
from dspex.core.types.tool_calls import ToolCalls

TYPES = {"Tool": Tool, "ToolCalls": ToolCalls, "Reasoning": Reasoning}
AGENT = make_signature(
    "question, tools: list[Tool] -> answer, tool_calls: ToolCalls", custom_types=TYPES
)
THINK = make_signature("question -> why: Reasoning, answer", custom_types=TYPES)
NATIVE = ChatAdapter(use_native_function_calling=True)
ANSWER = "[[ ## answer ## ]]\nLima\n\n[[ ## completed ## ]]"


def search(query: str) -> str:
    """Search for documents."""
    return query


TOOLS = [Tool(search)]
INPUTS = {"question": "?", "tools": TOOLS}


class Able:
    """A model that can do what it is said to."""

    model = "home/made"
    adapter = None

    def __init__(self, *, calls: bool = True, thinks: bool = True, **own: Any) -> None:
        self.supports_function_calling = calls
        self.supports_reasoning = thinks
        self.own = own

    def complete(self, messages: Any, settings: Any) -> Reply:
        raise AssertionError

    def dump_state(self) -> dict[str, Any]:
        return self.own


def asked(adapter: Adapter, signature: Any, model: Any = None, **config: Any) -> Asked:
    return adapter.ask(signature, [], INPUTS, model or Able(), config)


def test_tools_go_to_the_provider_and_leave_the_text() -> None:
    call = asked(NATIVE, AGENT)

    assert call.settings == {"tools": [TOOLS[0].format_as_litellm_function_call()]}
    assert list(call.shown.input_fields) == ["question"]
    assert list(call.shown.output_fields) == ["answer"]
    texts = " ".join(message.text for message in call.messages)
    assert "[[ ## tool" not in texts


def test_a_single_tool_goes_as_a_list() -> None:
    one = make_signature("tools: Tool -> tool_calls: ToolCalls", custom_types=TYPES)

    call = NATIVE.ask(one, [], {"tools": TOOLS[0]}, Able())

    assert len(call.settings["tools"]) == 1
    assert call.messages[-1].role == "system"


@pytest.mark.parametrize("tools", [None, []])
def test_no_tools_are_no_setting(tools: Any) -> None:
    call = NATIVE.ask(AGENT, [], {"question": "?", "tools": tools}, Able())

    assert call.settings == {}


def test_a_function_is_taken_for_a_tool() -> None:
    call = NATIVE.ask(AGENT, [], {"question": "?", "tools": [search]}, Able())

    assert call.settings["tools"][0]["function"]["name"] == "search"


@pytest.mark.parametrize(
    ("adapter", "model"), [(ChatAdapter(), Able()), (NATIVE, Able(calls=False))]
)
def test_tools_are_told_in_the_text_otherwise(adapter: Adapter, model: Any) -> None:
    call = asked(adapter, AGENT, model, tools=["x"], tool_choice="auto", top_p=1)

    assert call.settings == {"top_p": 1}
    assert call.shown is AGENT


def test_settings_about_tools_are_kept_where_the_signature_has_none() -> None:
    plain = make_signature("question -> answer")

    assert asked(ChatAdapter(), plain, tools=["x"]).settings == {"tools": ["x"]}


@pytest.mark.parametrize(
    ("own", "wanted"), [({}, True), ({"parallel_tool_calls": 0}, 0)]
)
def test_parallel_calls_are_asked_for(own: dict[str, Any], wanted: Any) -> None:
    adapter = ChatAdapter(use_native_function_calling=True, parallel_tool_calls=True)

    settings = asked(adapter, AGENT, **own).settings

    assert settings["parallel_tool_calls"] == wanted
    assert settings["tool_choice"] == "auto"


def test_tool_calls_without_tools_are_refused() -> None:
    calls = make_signature("question -> tool_calls: ToolCalls", custom_types=TYPES)

    with pytest.raises(SignatureError, match="no input with the tools"):
        asked(NATIVE, calls)


def read(signature: Any, reply: Reply, adapter: Adapter = NATIVE) -> dict[str, Any]:
    (values,) = adapter.read(asked(adapter, signature), reply)
    return values


@pytest.mark.parametrize(
    ("text", "answer"), [("", None), (ANSWER, "Lima"), ("I search now.", None)]
)
def test_tool_calls_are_read_from_the_reply(text: str, answer: Any) -> None:
    call = ToolCall(id="call_1", name="search", arguments="{'query': 'cats'}")

    values = read(AGENT, Reply(texts=(text,), tool_calls=((call,),)))

    assert list(values) == ["answer", "tool_calls"]
    assert values["answer"] == answer
    assert values["tool_calls"].tool_calls == [
        ToolCalls.ToolCall(id="call_1", name="search", args={"query": "cats"})
    ]


def test_a_model_that_calls_no_tool_has_answered() -> None:
    values = read(AGENT, Reply(texts=(ANSWER,)))

    assert values == {"answer": "Lima", "tool_calls": None}


@pytest.mark.parametrize("arguments", ["[1]", "no", "[" * 100_000, '{"a": NaN}', "7"])
def test_arguments_that_are_no_object_are_a_parse_error(arguments: str) -> None:
    call = ToolCall(id="call_1", name="search", arguments=arguments)

    with pytest.raises(AdapterParseError):
        read(AGENT, Reply(texts=("",), tool_calls=((call,),)))


def test_each_completion_has_its_own_calls_and_thoughts() -> None:
    calls = (ToolCall(id="1", name="search", arguments=""),)
    reply = Reply(texts=("", ANSWER), tool_calls=(calls, ()))

    first, second = NATIVE.read(asked(NATIVE, AGENT), reply)

    assert (first["answer"], second["answer"]) == (None, "Lima")
    assert second["tool_calls"] is None


def test_reasoning_is_asked_for_and_read_natively() -> None:
    call = asked(ChatAdapter(), THINK)

    values = ChatAdapter().read(call, Reply(texts=(ANSWER,), reasoning=("So.",)))

    assert call.settings == {"reasoning_effort": "low"}
    assert "why" not in call.shown.output_fields
    assert values == [{"why": Reasoning(content="So."), "answer": "Lima"}]


def test_a_model_that_hides_its_thoughts_gives_none() -> None:
    assert read(THINK, Reply(texts=(ANSWER,)))["why"] is None


@pytest.mark.parametrize(
    ("model", "config", "effort"),
    [
        (Able(reasoning_effort="high"), {}, "high"),
        (Able(reasoning_effort="high"), {"reasoning_effort": "medium"}, "medium"),
    ],
)
def test_the_users_effort_wins(model: Any, config: Any, effort: str) -> None:
    assert asked(NATIVE, THINK, model, **config).settings == {
        "reasoning_effort": effort
    }


@pytest.mark.parametrize(
    ("adapter", "model", "config"),
    [
        (ChatAdapter(), Able(thinks=False), {}),
        (ChatAdapter(native_response_types=[]), Able(), {}),
        (ChatAdapter(), Able(), {"reasoning_effort": None}),
        (ChatAdapter(), Able(reasoning_effort=None), {}),
    ],
)
def test_reasoning_is_asked_for_in_the_text_otherwise(
    adapter: Adapter, model: Any, config: dict[str, Any]
) -> None:
    call = asked(adapter, THINK, model, **config)

    assert call.shown is THINK
    assert call.settings == config


def test_another_native_type_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="only Reasoning"):
        ChatAdapter(native_response_types=[Image])


@pytest.mark.parametrize("text", ["", " \n"])
@pytest.mark.parametrize("adapter", [ChatAdapter(), LineAdapter()])
def test_an_empty_reply_is_an_error_even_where_nothing_is_needed(
    text: str, adapter: Adapter
) -> None:
    optional = make_signature("question -> note: str | None")

    with pytest.raises(AdapterParseError, match="the reply is empty"):
        adapter.read(asked(adapter, optional), Reply(texts=(text,)))


def test_log_probabilities_stand_beside_the_outputs() -> None:
    plain = make_signature("question -> answer")

    (values,) = NATIVE.read(
        asked(NATIVE, plain), Reply(texts=(ANSWER,), logprobs=({"tokens": []},))
    )

    assert values == {"answer": "Lima", "logprobs": {"tokens": []}}


def test_what_is_left_of_a_signature_is_made_once_and_follows_its_instructions() -> (
    None
):
    signature = AGENT.with_instructions("One.")

    first, again = asked(NATIVE, signature).shown, asked(NATIVE, signature).shown
    signature.instructions = "Two."
    changed = asked(NATIVE, signature)

    assert again is first
    assert changed.shown.instructions == "Two."
    assert changed.messages[0].text.endswith("Two.")


@pytest.mark.parametrize("native", [True, False])
def test_a_fallback_sends_tools_as_the_adapter_did(*, native: bool) -> None:
    adapter = ChatAdapter(
        use_native_function_calling=native,
        use_json_adapter_fallback=True,
        parallel_tool_calls=True,
    )

    assert adapter.fallback is not None
    settings = asked(adapter.fallback, AGENT).settings
    assert ("tools" in settings) is native
    assert ("parallel_tool_calls" in settings) is native
