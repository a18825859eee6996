"""The command that measures optimisers on the real model, here on a scripted one."""

from __future__ import annotations

from pathlib import Path

import pytest

import dspex
from dspex.teleprompt.studies.lift import judged
from dspex.testing import FakeProvider, ScriptedTask
from tests.model.optimisers import OPTIMISERS, Material, described, measured
from tests.tools.optimiser_table import BEGIN, END, PAGE, Line, table, written

TASK = ScriptedTask(seed=2, train=10, dev=8, base=0.1, demo_gain=0.25)


def test_every_optimiser_is_measured_on_rows_it_was_not_shown(tmp_path: Path) -> None:
    with (
        FakeProvider(answer=TASK.answer) as provider,
        dspex.Runtime(dspex.Config(home=tmp_path)),
    ):
        lm = dspex.LM("openai/fake", api_base=provider.base_url, cache=False)
        given = Material(
            signature="question -> answer",
            field="answer",
            learning=TASK.trainset[:6],
            choosing=TASK.trainset[6:],
            judging=TASK.devset,
            lm=lm,
        )
        with dspex.context(lm=lm):
            lines = list(measured(given, list(OPTIMISERS), lambda _: None))

    assert [line.optimiser for line in lines] == list(OPTIMISERS)
    assert [line.error for line in lines] == [None] * len(lines)
    found = {line.optimiser: line for line in lines}
    assert found["LabeledFewShot"].calls == 0
    assert found["Ensemble"].calls_each == 3
    assert sum(line.calls for line in lines) < len(provider.bill)
    assert len(list(table(lines))) == 2 + len(OPTIMISERS)
    assert "judge on" in " ".join(described(given, "continents"))


def test_a_line_says_what_is_shown_and_what_is_not() -> None:
    ways = {
        "better": ([0.0] * 20, [1.0] * 20),
        "worse": ([1.0] * 20, [0.0] * 20),
        "none shown": ([0.0, 1.0] * 10, [1.0, 0.0] * 10),
    }
    lines = [
        Line(optimiser=verdict, calls=1, seconds=1.0, lift=judged(*scores, "rows"))
        for verdict, scores in ways.items()
    ]

    for line, row in zip(lines, list(table(lines))[2:], strict=True):
        assert f" {line.optimiser} |" in row


def test_a_search_that_ended_with_an_error_says_so() -> None:
    *_, row = table([Line(optimiser="GEPA", calls=3, seconds=1.0, error="LMError")])

    assert "ended with `LMError`" in row


def test_only_what_stands_between_the_marks_is_written() -> None:
    page = f"above\n{BEGIN}\nold\n{END}\nbelow\n"

    once = written(page, ["new"])

    assert once == f"above\n{BEGIN}\n\nnew\n\n{END}\nbelow\n"
    assert written(once, ["new"]) == once


@pytest.mark.skipif(not PAGE.exists(), reason="the page comes with the table")
def test_the_page_has_a_row_for_each_optimiser() -> None:
    told = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]

    assert [name for name in OPTIMISERS if f"| `{name}` |" not in told] == []
