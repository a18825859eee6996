"""The values of a call and its answer."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dspex.core.lm import Message, Reply, ToolCall, Usage


def test_reply_with_changes_is_what_replace_makes_of_it() -> None:
    reply = Reply(
        texts=("a", "b"),
        usage=Usage(prompt_tokens=1, completion_tokens=2),
        model="m",
        finish_reasons=("stop",),
        request_id="r",
        tool_calls=((ToolCall(id="1", name="n", arguments="{}"),),),
        reasoning=("hm",),
        logprobs=(0.5,),
        refused=True,
        vectors=((1.0,),),
    )
    changes: dict[str, Any] = {
        "attempts": 2,
        "latency": 0.5,
        "cost": 0.1,
        "cached": True,
    }

    assert reply.with_changes(**changes) == dataclasses.replace(reply, **changes)
    assert reply.with_changes() == reply


def test_a_turn_that_is_assigned_to_says_what_to_write() -> None:
    turn = Message(role="user", content="Peru?")

    with pytest.raises(TypeError, match=r"\{\*\*messages\[0\], 'content': \.\.\.\}"):
        turn["content"] = "Chile?"

    assert {**turn, "content": "Chile?"} == {"role": "user", "content": "Chile?"}
