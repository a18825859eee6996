"""A second call through another adapter: only when asked for, counted and visible."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import dspex
from dspex.core.errors import AdapterParseError
from dspex.core.lm import Message, Reply, Usage

IN_JSON = '{"answer": "Lima"}'
USAGE = Usage(prompt_tokens=10, completion_tokens=1)


class Talker:
    """A model that gives its texts one after the other, and remembers the questions."""

    model = "test/talker"
    adapter = None

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)
        self.asked: list[Sequence[Message]] = []

    def complete(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> Reply:
        self.asked.append(messages)
        return Reply(texts=(self._texts.pop(0),), usage=USAGE)

    def dump_state(self) -> dict[str, Any]:
        return {"model": self.model}


def answered(model: Talker, adapter: dspex.Adapter, *, is_async: bool) -> Any:
    predict = dspex.Predict("question -> answer")
    with dspex.context(lm=model, adapter=adapter):
        if is_async:
            return asyncio.run(predict.acall(question="?"))
        return predict(question="?")


def test_nobody_is_asked_again_unless_it_was_asked_for() -> None:
    model = Talker("no header", IN_JSON)

    with pytest.raises(AdapterParseError):
        answered(model, dspex.ChatAdapter(), is_async=False)

    assert len(model.asked) == 1


@pytest.mark.parametrize("is_async", [False, True])
def test_the_second_call_is_made_through_json_and_both_are_counted(
    *, is_async: bool
) -> None:
    model = Talker("no header", IN_JSON)
    adapter = dspex.ChatAdapter(use_json_adapter_fallback=True)

    with dspex.track_usage() as tracker:
        answer = answered(model, adapter, is_async=is_async)

    assert answer.answer == "Lima"
    assert "[[ ## completed ## ]]" in model.asked[0][-1].text
    assert "JSON" in model.asked[1][-1].text
    assert tracker.total()["test/talker"] == USAGE + USAGE
    assert answer.get_lm_usage()["test/talker"]["prompt_tokens"] == 20


@pytest.mark.parametrize("is_async", [False, True])
def test_when_both_fail_the_error_names_both_adapters(*, is_async: bool) -> None:
    model = Talker("no header", "no json")
    adapter = dspex.ChatAdapter(use_json_adapter_fallback=True)

    with pytest.raises(AdapterParseError) as caught:
        answered(model, adapter, is_async=is_async)

    (note,) = caught.value.__notes__
    assert caught.value.adapter_name == "JSONAdapter"
    assert "ChatAdapter" in note
    assert "no header" in note
    assert len(model.asked) == 2
