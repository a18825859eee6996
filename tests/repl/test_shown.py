"""How public objects are shown: a line each, and as text wherever markup would act."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

import dspex
from dspex.metrics import exact_match

HOSTILE = "[/b][link=http://x]<script>\x1b[2J\x9b\u202e"


class Steps(dspex.Program):
    def __init__(self) -> None:
        self.think = dspex.ChainOfThought("question -> answer")
        self.asks = [dspex.Predict("answer -> verdict")]


def objects() -> list[Any]:
    metric = exact_match("capital")
    rows = dspex.load([{"country": "Peru", "capital": "Lima"}], inputs=["country"])
    return [
        dspex.Budget(dollars=1.0),
        dspex.ChatAdapter(),
        dspex.Config(),
        dspex.Evaluate(devset=rows, metric=metric),
        dspex.Example(country="Peru\nLima"),
        dspex.LM("openai/fake", api_key="sk-canary"),
        dspex.Prediction(capital="Lima\n"),
        dspex.Runtime(),
        dspex.status(),
        Steps(),
        rows,
        *(
            optimiser(metric=metric)
            for optimiser in (
                dspex.BootstrapFewShot,
                dspex.BootstrapFewShotWithRandomSearch,
                dspex.COPRO,
                dspex.LabeledFewShot,
                dspex.MIPROv2,
            )
        ),
        dspex.Ensemble(),
        dspex.BootstrapFewShot(metric=metric).plan(Steps(), trainset=rows),
    ]


def test_each_has_a_line_that_tells_more_than_an_address() -> None:
    shown = [repr(each) for each in objects()]

    assert [line for line in shown if "\n" in line or " object at 0x" in line] == []
    assert "canary" not in "".join(shown)


def looked_at() -> list[Any]:
    program = dspex.Predict("country -> capital")
    program.lm = dspex.LM("openai/" + "fake", api_key="sk-1")
    rows = dspex.load([{"country": HOSTILE}], inputs=["country"])
    evaluate = dspex.Evaluate(devset=rows, metric=lambda *_: 1.0, persist=False)
    with dspex.Runtime():
        result = evaluate(lambda country: dspex.Prediction(capital=country))
    return [
        dspex.Example(country=HOSTILE),
        dspex.Prediction(capital=HOSTILE),
        program,
        result,
        dspex.compare(result, result, names=(HOSTILE, "second")),
        dspex.BootstrapFewShot(metric=len).plan(Steps(), trainset=rows),
        dspex.Runtime(),
    ]


def test_in_a_notebook_and_for_rich_texts_are_texts() -> None:
    for each in looked_at():
        page, terminal = each._repr_html_(), io.StringIO()
        Console(file=terminal, force_terminal=True, width=200).print(each)

        assert "<script" not in page
        assert not {"\x9b", "\u202e"} & {*page, *terminal.getvalue()}
        assert "\x1b[2J" not in page + terminal.getvalue()
        assert "\x1b]8" not in terminal.getvalue()


@pytest.mark.parametrize(
    "made", [dspex.Example(capital="Lima"), dspex.Prediction(capital="Lima")]
)
def test_fields_are_completed_as_attributes_and_as_keys(made: dspex.Example) -> None:
    made["no name"] = 1

    assert "capital" in dir(made)
    assert "no name" not in dir(made)
    assert "copy" in dir(made)
    assert made._ipython_key_completions_() == ["capital", "no name"]


def test_a_signature_and_a_program_complete_what_they_have() -> None:
    signature = dspex.Predict("country -> capital").signature

    assert {"input_fields", "instructions", "signature"} <= {*dir(signature)}
    assert {"think", "asks"} <= {*dir(Steps())}
