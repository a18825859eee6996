"""Replies as callers by hand get them, and back."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dspex.core.lm import Reply, ToolCall
from dspex.core.outputs import facts_in, outputs_of

CALL = ToolCall(id="1", name="find", arguments='{"q": "Peru"}')
IN_OPENAIS_WORDS = {
    "id": "1",
    "type": "function",
    "function": {"name": "find", "arguments": '{"q": "Peru"}'},
}


def test_texts_alone_stay_texts() -> None:
    assert outputs_of(Reply(texts=("a", "b"), reasoning=("", ""))) == ["a", "b"]


def test_each_completion_is_a_dict_with_what_it_has() -> None:
    reply = Reply(
        texts=("a", ""),
        reasoning=("because", ""),
        logprobs=({"content": []}, None),
        tool_calls=((), (CALL,)),
    )

    assert outputs_of(reply) == [
        {"text": "a", "reasoning_content": "because", "logprobs": {"content": []}},
        {"text": "", "tool_calls": [IN_OPENAIS_WORDS]},
    ]


@given(data=st.data(), count=st.integers(min_value=1, max_value=3))
def test_nothing_is_lost_on_the_way_there_and_back(
    data: st.DataObject, count: int
) -> None:
    def for_each(values: st.SearchStrategy[Any], empty: Any) -> tuple[Any, ...]:
        full = st.lists(values, min_size=count, max_size=count).map(tuple)
        found = data.draw(st.just(()) | full)
        return found if found != (empty,) * count else ()

    reply = Reply(
        texts=("x",) * count,
        reasoning=for_each(st.sampled_from(["", "because"]), ""),
        logprobs=for_each(st.sampled_from([None, {"content": [1]}]), None),
        tool_calls=for_each(st.sampled_from([(), (CALL, CALL)]), ()),
    )

    outputs = outputs_of(reply)

    dicts = [one if isinstance(one, dict) else {"text": one} for one in outputs]
    assert Reply(texts=reply.texts, **facts_in(dicts)) == reply
