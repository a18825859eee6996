"""Evaluations and recordings go through the corpus as every other part does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import dspex
from dspex.evaluate import Evaluate
from dspex.metrics import answer_exact_match, exact_match, f1
from dspex.testing import DummyLM, Recorded
from tests.corpus import PICTURES, TEXTS, demos

QA = "question -> answer"
METRICS = {"exact": exact_match("answer"), "f1": f1("answer"), "em": answer_exact_match}


@pytest.fixture
def _runtime() -> Iterator[None]:
    with dspex.Runtime(dspex.Config(persist=False)):
        yield


def copied(question: str) -> dspex.Prediction:
    return dspex.Prediction(answer=question)


@pytest.mark.usefixtures("_runtime")
def test_every_text_is_scored_and_none_by_mistake() -> None:
    rows = [{"question": text, "answer": text} for text in TEXTS.values()]
    devset = dspex.load(rows, inputs=["question"])

    result = Evaluate(devset=devset, metric=METRICS)(copied)

    assert result.score == result.column_scores["em"] == 100.0
    assert result.complete
    assert not result.failures


@pytest.mark.usefixtures("_runtime")
def test_identical_rows_are_each_counted() -> None:
    rows = dspex.load([{"question": "a", "answer": "a"}] * 40, inputs=["question"])

    result = Evaluate(devset=rows, metric=METRICS)(copied)

    assert (result.n, len(result.results)) == (40, 40)


@pytest.mark.usefixtures("_runtime")
def test_one_row_is_scored_without_an_error_of_the_mean() -> None:
    rows = dspex.load([{"question": "a", "answer": "b"}], inputs=["question"])

    result = Evaluate(devset=rows, metric=METRICS)(copied)

    assert (result.score, result.stderr) == (0.0, None)


def test_no_row_is_refused_before_any_work() -> None:
    with pytest.raises(dspex.ConfigurationError, match="empty"):
        Evaluate(devset=[], metric=METRICS)


def test_every_text_is_recorded_and_replayed(tmp_path: Path) -> None:
    path = tmp_path / "everything.jsonl"
    program = dspex.Predict(QA)
    program.demos = demos(5)
    answers = [{"answer": text or "-"} for text in TEXTS.values()]
    with Recorded(path, DummyLM(answers), record=True):
        recorded = [program(question=text).answer for text in TEXTS.values()]

    with Recorded(path) as lm:
        replayed = [program(question=text).answer for text in TEXTS.values()]

    assert replayed == recorded
    assert lm.unused == 0
    assert path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PICTURES)
def test_a_recording_holds_no_picture(tmp_path: Path, name: str) -> None:
    path = tmp_path / "pictures.jsonl"
    program = dspex.Predict(dspex.make_signature("photo: dspex.Image -> animal"))
    picture = dspex.Image(PICTURES[name]())
    with Recorded(path, DummyLM([{"animal": "cat"}]), record=True):
        program(photo=picture)

    with Recorded(path):
        animal = program(photo=picture).animal

    assert animal == "cat"
    assert path.stat().st_size < 10_000
