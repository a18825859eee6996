"""The real run that the pictures show: a fake provider, a program, an evaluation."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass
from typing import Any

import dspex
from dspex.cli.looks import Look, look_around, screen
from dspex.testing import FakeProvider, chat_answer, inputs_of
from tests.docs.pages import ROOT
from tests.pictures.drawing import FakeTerminal

WRONG_EVERY = 7
"""One country in so many is answered with a capital that is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a run showed of itself."""

    tree: str
    """The tree, in the middle of the run."""
    top: str
    """What `dspex top` showed then."""
    progress: list[str]
    """The line of its progress, as it changed."""
    result: dspex.EvaluationResult
    """What came of it."""


def watched(examples: int, *, latency: float) -> Shown:
    """Evaluate a program, and keep what a person at the terminal would have seen.

    Args:
        examples: How many examples.
        latency: Seconds that the provider takes for an answer.
    """
    rows = list(dspex.load(ROOT / "examples/capitals.csv", inputs=["country"]))
    rows = rows[:examples]
    capitals = {row.country: row.capital for row in rows}
    countries = list(capitals)

    seen: list[dspex.Runtime] = []
    trees: list[str] = []
    looks: list[list[Look]] = []

    def answer(messages: Any) -> str:
        country = inputs_of(messages)["country"]
        # In the middle of the run, while others are under way.
        if country == countries[examples // 2]:
            trees.append(str(seen[0]))
        if country in (countries[examples // 4], countries[examples // 2]):
            looks.append(look_around(os.getpid(), time.monotonic()))
        is_wrong = countries.index(country) % WRONG_EVERY == WRONG_EVERY - 1
        return chat_answer(capital="Atlantis" if is_wrong else capitals[country])

    terminal = FakeTerminal()
    with (
        FakeProvider(answer=answer, latency=latency) as provider,
        dspex.Runtime() as runtime,
        dspex.context(
            lm=dspex.LM(
                "openai/gpt-4o-mini",
                api_base=provider.base_url,
                api_key="sk-pictures",
                cache=False,
            )
        ),
        contextlib.redirect_stderr(terminal),
    ):
        evaluate = dspex.Evaluate(
            devset=rows,
            metric=lambda example, prediction: example.capital == prediction.capital,
            num_threads=4,
            display_progress=True,
            run="capitals",
        )
        seen.append(runtime)
        result = evaluate(dspex.Predict("country -> capital"))
    before, now = looks
    return Shown(
        tree=settled(trees[0]),
        top=settled("\n".join(screen(now, before, time.time()))),
        progress=terminal.lines(),
        result=result,
    )


def settled(tree: str) -> str:
    """Return a tree without what differs from run to run: a port, and a key's mark."""
    with_port = re.sub(r"(http://127\.0\.0\.1):\d+", r"\1:8000", tree)
    return re.sub(r" key [0-9a-f]{16}", " key 0123456789abcdef", with_port)
