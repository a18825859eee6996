"""The programs of a daemon that is to be killed."""

from __future__ import annotations

import os
import random
from typing import Any

import dspex
from dspex.runtime.runtime import current_runtime
from dspex.serve.branch import requests_of
from tests.actors.rows import right, rows

ask = dspex.Predict("question -> answer")
"""Asks the model of the command line."""


def local(question: str) -> Any:
    """Ask the model on this machine."""
    model = os.environ["LOCAL_MODEL"]
    lm = dspex.LM(model, cache=False, max_tokens=8)
    if model != "local/stand-in":
        # A small one answers, but seldom in the form that was asked for.
        return {"answer": lm(question)[0]}
    with dspex.context(lm=lm):
        return dspex.Predict("question -> answer")(question=question)


def strike() -> dict[str, int]:
    """Kill the work on some request; when it is this one, it begins again."""
    running = requests_of(current_runtime()).children()
    return {"killed": int(random.choice(running).kill())}


def evaluated(run: str, examples: int, concurrency: int) -> dict[str, Any]:
    """Begin a recorded run, or go on with it."""
    evaluate = dspex.Evaluate(
        devset=rows(examples),
        metric=right,
        concurrency=concurrency,
        run=run,
        display_progress=False,
    )
    result = evaluate(ask)
    return {"complete": result.complete, "digest": result.digest}
