"""A program in which everything hangs for ever; run by `test_hung`.

One metric waits for an event that nobody sets, one program reads from a socket that
nobody writes to, one swallows its cancellation. It prints the result, says that it is
about to end, and does.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from typing import Any

import dspex
from tests.actors.rows import rows


def program(question: str) -> dspex.Prediction:
    if question == "q1":
        ours, _theirs = socket.socketpair()
        ours.recv(1)
    return dspex.Prediction(answer=question.replace("q", "a"))


def metric(example: dspex.Example, prediction: Any) -> bool:
    if example.question == "q2":
        threading.Event().wait()
    return bool(example.answer == prediction.answer)


async def async_program(question: str) -> dspex.Prediction:
    if question == "q1":
        await asyncio.Event().wait()
    return dspex.Prediction(answer=question.replace("q", "a"))


async def stubborn_program(question: str) -> dspex.Prediction:
    while question == "q3":
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    return await async_program(question)


def main(way: str) -> None:
    """Evaluate, say when the result was there, and end."""
    evaluate = dspex.Evaluate(
        devset=rows(5),
        metric=metric,
        timeout=0.3,
        display_progress=False,
    )
    match way:
        case "threads":
            result = evaluate(program)
        case "loop":
            result = evaluate(stubborn_program)
        case _:
            result = asyncio.run(evaluate.acall(async_program))
    print([outcome.stamp.example for outcome in result.failures])
    print("the end", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
