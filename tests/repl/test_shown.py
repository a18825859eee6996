"""How public objects are shown: a line each, and as text wherever markup would act."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

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
        dspex.KNN(1, rows, lambda texts: [[1.0] for _ in texts]),
        dspex.Parallel(),
        dspex.StreamListener("capital"),
        dspex.UsageTracker(),
        dspex.BootstrapFewShot(metric=metric).plan(Steps(), trainset=rows),
    ]


def test_each_has_a_line_that_tells_more_than_an_address() -> None:
    shown = [repr(each) for each in objects()]

    assert [line for line in shown if "\n" in line or " object at 0x" in line] == []
    assert "canary" not in "".join(shown)


def test_a_line_tells_what_was_chosen_and_not_what_is_so_anyway() -> None:
    told = dspex.Parallel(num_threads=3, disable_progress_bar=True)
    listener = dspex.StreamListener("capital", predict_name="ask", allow_reuse=True)
    spent = dspex.UsageTracker()
    spent.add("openai/\x1b[2J", dspex.Usage(prompt_tokens=1_500, completion_tokens=2))

    assert repr(dspex.Parallel()) == "Parallel()"
    assert repr(told) == "Parallel(num_threads=3, disable_progress_bar=True)"
    assert repr(listener) == (
        "StreamListener('capital', predict_name='ask', allow_reuse=True)"
    )
    assert repr(spent) == "<UsageTracker 'openai/\\x1b[2J': 1,502 tokens>"


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
        assert not {"\x1b", "\x9b", "\u202e"} & {*repr(each)}
        assert "\x1b[2J" not in page + terminal.getvalue()
        assert "\x1b]8" not in terminal.getvalue()


def compared() -> dspex.Comparison:
    rows = dspex.load([{"n": n} for n in range(15)], inputs=["n"])

    def metric(example: dspex.Example, answer: dspex.Prediction) -> dict[str, float]:
        return {"score": answer.right, "short\x1b[2J": 1.0 - answer.right}

    def evaluated(right: Callable[[int], bool]) -> dspex.EvaluationResult:
        def program(n: int) -> dspex.Prediction:
            return dspex.Prediction(right=float(right(n)), text=HOSTILE)

        return dspex.Evaluate(devset=rows, metric=metric, persist=False)(program)

    with dspex.Runtime():
        first = evaluated(lambda n: n > 1)
        second = evaluated(lambda n: n < 2 or n == 14)
    return dspex.compare(first, second, names=("old", "new"))


def test_a_comparison_is_a_table_of_what_became_worse_first() -> None:
    comparison = compared()

    page = ET.fromstring(comparison._repr_html_())  # noqa: S314 - we have just made it
    told = ["".join(each.itertext()) for each in page.findall("p")]
    table = [
        ["".join(cell.itertext()) for cell in line] for line in page.iterfind(".//tr")
    ]

    assert told[0] == comparison.verdict
    assert told[2].startswith("short\\x1b[2J: new is better than old by 66.7 points")
    assert told[-1] == "4 more rows that differ; report(path) shows them."
    assert table[0] == ["example", "old", "new", "asked", "answers"]
    assert [line[:4] for line in table[1:]] == [
        [str(n), "1", "0", str(n)] for n in range(2, 12)
    ]
    assert "<script" not in comparison._repr_html_()
    assert "\x1b" not in str(comparison)


def test_a_line_of_a_result_tells_of_failures() -> None:
    rows = dspex.load([{"n": n} for n in range(4)], inputs=["n"])
    evaluate = dspex.Evaluate(
        devset=rows, metric=lambda _, answer: 1 / answer, persist=False
    )

    with dspex.Runtime():
        result = evaluate(lambda n: n)

    assert repr(result) == "EvaluationResult(score=45.83, n=4, 1 failed)"


@pytest.mark.parametrize(
    "made", [dspex.Example(capital="Lima"), dspex.Prediction(capital="Lima")]
)
def test_fields_are_completed_as_attributes_and_as_keys(made: dspex.Example) -> None:
    made["no name"] = 1

    assert "capital" in dir(made)
    assert "no name" not in dir(made)
    assert "copy" in dir(made)
    assert made._ipython_key_completions_() == ["capital", "no name"]


def test_completions_complete_their_fields_and_a_program_shows_its_parts() -> None:
    answers = dspex.Completions([{"capital": "Lima", "no name": 1}])
    terminal = io.StringIO()

    Console(file=terminal, width=200).print(Steps())

    assert answers._ipython_key_completions_() == ["capital", "no name"]
    assert "capital" in dir(answers)
    assert "question -> reasoning, answer" in terminal.getvalue()


def test_a_signature_and_a_program_complete_what_they_have() -> None:
    signature = dspex.Predict("country -> capital").signature

    assert {"input_fields", "instructions", "signature"} <= {*dir(signature)}
    assert {"think", "asks"} <= {*dir(Steps())}


def test_rows_that_were_loaded_are_a_table_of_the_first() -> None:
    rows = dspex.load(
        [{"country": f"<b>{n}</b>", "text": "x" * 1_000} for n in range(12)],
        inputs=["country"],
    )

    html = rows._repr_html_()

    assert html.count("<tr>") == 11
    assert "&lt;b&gt;9&lt;/b&gt;" in html
    assert "<b>" not in html
    assert f"<td>{'x' * 200}…</td>" in html
    assert "2 more rows" in html
    assert "more rows" not in rows[:3]._repr_html_()
