"""One model answers in free text, another finds the outputs in it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.core.errors import AdapterParseError, ConfigurationError, LMServerError
from dspex.core.lm import Message, Reply, ToolCall, Usage
from dspex.programs.two_step import extractor_of

FREE = "Lima, and about ten million people live there."
FOUND = "[[ ## capital ## ]]\nLima\n\n[[ ## people ## ]]\n10"
USAGE = Usage(prompt_tokens=10, completion_tokens=1)


class Talker:
    """A model that gives its texts one after the other, and remembers the questions."""

    adapter = None
    supports_function_calling = True
    supports_reasoning = True

    def __init__(self, model: str, *texts: str, **beside: Any) -> None:
        self.model = model
        self._texts = list(texts)
        self._beside = beside
        self.asked: list[Sequence[Message]] = []

    def complete(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> Reply:
        self.asked.append(messages)
        if not self._texts:
            raise LMServerError("down")
        texts = [self._texts.pop(0) for _ in range(settings.get("n", 1))]
        return Reply(texts=tuple(texts), usage=USAGE, **self._beside)

    def dump_state(self) -> dict[str, Any]:
        return {"model": self.model}


class LoopTalker(Talker):
    """The same, and it must be asked on the loop."""

    async def acomplete(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> Reply:
        await asyncio.sleep(0)
        return Talker.complete(self, messages, settings)

    def complete(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> Reply:
        raise AssertionError("the loop was blocked")


def talker(model: str, *texts: str, is_async: bool, **beside: Any) -> Talker:
    return (LoopTalker if is_async else Talker)(model, *texts, **beside)


def answered(
    first: Talker, second: Talker, *, is_async: bool, signature: Any = None, **call: Any
) -> Any:
    predict = dspex.Predict(signature or "country -> capital, people: int")
    call = call or {"country": "Peru"}
    with dspex.context(lm=first, adapter=dspex.TwoStepAdapter(second)):
        if is_async:
            return asyncio.run(predict.acall(**call))
        return predict(**call)


both_ways = pytest.mark.parametrize("is_async", [False, True])


@both_ways
def test_a_second_model_finds_the_outputs_and_both_calls_are_counted(
    *, is_async: bool
) -> None:
    first = talker("big", FREE, is_async=is_async)
    second = talker("small", FOUND, is_async=is_async)

    with dspex.track_usage() as tracker:
        answer = answered(first, second, is_async=is_async)

    assert (answer.capital, answer.people) == ("Lima", 10)
    assert tracker.total() == {"big": USAGE, "small": USAGE}
    assert set(answer.get_lm_usage()) == {"big", "small"}


@both_ways
def test_each_completion_is_read_by_a_call_of_its_own(*, is_async: bool) -> None:
    found = [FOUND, FOUND.replace("Lima", "Cusco")]
    first = talker("big", "Lima.", "Cusco.", is_async=is_async)
    second = talker("small", *found, is_async=is_async)

    answer = answered(first, second, is_async=is_async, country="Peru", config={"n": 2})

    assert answer.completions.capital == ["Lima", "Cusco"]
    assert answer.get_lm_usage()["small"]["prompt_tokens"] == 20


def test_one_model_can_do_both_and_pays_for_both() -> None:
    model = Talker("big", FREE, FOUND)

    answer = answered(model, model, is_async=False)

    assert answer.get_lm_usage()["big"]["prompt_tokens"] == 20


def test_the_first_model_is_asked_without_marks_and_the_second_with_them() -> None:
    first, second = Talker("big", FREE), Talker("small", FOUND)

    answered(first, second, is_async=False)

    system, question = first.asked[0]
    assert "1. `capital` (str)" in system.text
    assert "[[ ##" not in system.text + question.text
    assert question.text == "country: Peru"
    assert f"[[ ## text ## ]]\n{FREE}" in second.asked[0][-1].text


def test_examples_are_shown_behind_the_names_of_their_fields() -> None:
    adapter = dspex.TwoStepAdapter(Talker("small"))
    demos = [{"country": "Chile", "capital": "Santiago", "people": 7}]

    messages = adapter.format(
        dspex.make_signature("country -> capital, people: int"),
        demos,
        {"country": "Peru"},
    )

    assert [turn.text for turn in messages[1:]] == [
        "country: Chile",
        "capital: Santiago\n\npeople: 7",
        "country: Peru",
    ]


@both_ways
def test_what_the_second_model_cannot_find_is_an_error_with_its_own_as_cause(
    *, is_async: bool
) -> None:
    first = talker("big", FREE, is_async=is_async)
    second = talker("small", "Nothing.", is_async=is_async)

    with pytest.raises(AdapterParseError) as caught:
        answered(first, second, is_async=is_async)

    cause = caught.value.__cause__
    assert caught.value.adapter_name == "TwoStepAdapter"
    assert caught.value.lm_response == FREE
    assert isinstance(cause, AdapterParseError)
    assert cause.lm_response == "Nothing."


@both_ways
def test_an_empty_answer_is_not_read_by_anybody(*, is_async: bool) -> None:
    second = talker("small", FOUND, is_async=is_async)

    with pytest.raises(AdapterParseError, match="empty"):
        answered(talker("big", " ", is_async=is_async), second, is_async=is_async)

    assert second.asked == []


@both_ways
def test_an_error_of_the_second_call_is_that_of_a_call(*, is_async: bool) -> None:
    first = talker("big", FREE, is_async=is_async)

    with pytest.raises(LMServerError):
        answered(first, talker("small", is_async=is_async), is_async=is_async)


@both_ways
def test_calls_of_tools_need_nobody_to_read_them(*, is_async: bool) -> None:
    calls = ((ToolCall(id="c1", name="look_up", arguments='{"word": "Lima"}'),),)
    first = talker("big", "", is_async=is_async, tool_calls=calls)
    second = talker("small", is_async=is_async)
    adapter = dspex.TwoStepAdapter(second, use_native_function_calling=True)
    signature = dspex.make_signature(
        "question, tools: list[dspex.Tool] -> answer, calls: dspex.ToolCalls"
    )
    call: tuple[Any, ...] = (
        first,
        {},
        signature,
        [],
        {"question": "?", "tools": [look_up]},
    )

    (found,) = asyncio.run(adapter.acall(*call)) if is_async else adapter(*call)

    assert found["calls"].tool_calls[0].args == {"word": "Lima"}
    assert found["answer"] is None
    assert second.asked == []


def look_up(word: str) -> str:
    """Look a word up."""
    return word


def test_the_thoughts_asked_for_are_not_those_of_the_second_model() -> None:
    first = Talker("big", "I see. Lima.")
    first.supports_reasoning = False
    second = Talker(
        "small",
        "[[ ## reasoning ## ]]\nI see.\n\n[[ ## capital ## ]]\nLima",
        reasoning=("Mine.",),
    )

    answer = answered(
        first,
        second,
        is_async=False,
        signature="country -> reasoning: dspex.Reasoning, capital",
        country="Peru",
    )

    assert answer.reasoning.content == "I see."
    assert answer.capital == "Lima"


def test_an_output_may_be_called_text_too() -> None:
    extractor = extractor_of(dspex.make_signature("question -> text: list[str]"))

    assert extractor.input_fields.keys() == {"text_"}
    assert extractor.output_fields["text"].annotation == list[str]


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", None, 7])
def test_what_is_no_model_is_refused(model: Any) -> None:
    with pytest.raises(ConfigurationError, match="extraction_model="):
        dspex.TwoStepAdapter(model)


@given(value=st.text(st.sampled_from("ab:\n\r\x0b\u2028 ")))
def test_no_input_looks_like_another(value: str) -> None:
    adapter = dspex.TwoStepAdapter(Talker("small"))

    content = adapter.format_user_message_content(
        dspex.make_signature("a, b -> c"), {"a": value, "b": "end"}
    )

    at_the_margin = [line for line in content.splitlines() if line[:1].strip()]
    assert len(at_the_margin) == 2
    assert at_the_margin[-1] == "b: end"
