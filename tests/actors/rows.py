"""Examples and a program for tests of evaluation and optimisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dspex
from dspex.core.lm import Message


def rows(count: int) -> dspex.Dataset:
    """Questions "q0", "q1", ... with the answers "a0", "a1", ..."""
    return dspex.load(
        [{"question": f"q{n}", "answer": f"a{n}"} for n in range(count)],
        inputs=["question"],
    )


def answer(messages: Sequence[Any]) -> str:
    """What the fake provider says: the right answer to the last question."""
    question = _last(messages).partition("[[ ## question ## ]]")[2].split()[0]
    return f"[[ ## answer ## ]]\n{question.replace('q', 'a')}\n\n[[ ## completed ## ]]"


def right(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
    """Exact match, without any normalising."""
    return bool(example.answer == prediction.answer)


def _last(messages: Sequence[Any]) -> str:
    turn = messages[-1]
    text = turn.content if isinstance(turn, Message) else turn["content"]
    return str(text)
