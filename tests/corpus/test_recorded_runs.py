"""What a recorded run says of the corpus is what the run itself says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.evaluate.results.result import EvaluationResult
from tests.corpus import PICTURES, TEXTS


def corpus() -> list[dspex.Example]:
    """Every text, and a picture, as examples."""
    texts = [dspex.Example(question=text, of=name) for name, text in TEXTS.items()]
    picture = dspex.Image(PICTURES["one pixel"]())
    return [
        each.with_inputs("question")
        for each in (*texts, dspex.Example(question=picture, of="picture"))
    ]


def odd(question: Any) -> dspex.Prediction:
    """Give the question back in several ways, or fail with it."""
    if len(str(question)) % 3 == 0:
        raise ValueError(str(question))
    return dspex.Prediction(answer=question, all={str(question)[:9]: (question,)})


def same(example: dspex.Example, prediction: Any) -> dspex.Prediction:
    return dspex.Prediction(
        score=float(example.question == prediction.answer), feedback=example.of
    )


def evaluated(**options: Any) -> EvaluationResult:
    evaluate = dspex.Evaluate(
        devset=corpus(),
        metric=same,
        run="corpus",
        display_progress=False,
        max_errors=1_000,
        **options,
    )
    return evaluate(odd)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def result(home: Path) -> EvaluationResult:
    """The run, of which nothing but its result and its record is left."""
    with dspex.Runtime(dspex.Config(home=home)):
        return evaluated()


@pytest.fixture
def loaded(result: EvaluationResult, home: Path) -> EvaluationResult:
    del result
    return dspex.load_run("corpus", home=home)


def test_a_run_of_the_corpus_is_loaded_as_it_was(
    result: EvaluationResult, loaded: EvaluationResult
) -> None:
    assert result.complete
    assert result.failures
    assert loaded.digest == result.digest
    assert loaded.score == result.score
    assert loaded.failure_lines == result.failure_lines


def test_a_run_of_the_corpus_that_is_done_is_not_begun_anew(
    result: EvaluationResult, home: Path
) -> None:
    with dspex.Runtime(dspex.Config(home=home)):
        again = evaluated()

    assert again.digest == result.digest
    assert [each and each.stamp for each in again.outcomes] == [
        each and each.stamp for each in result.outcomes
    ]


def test_exports_of_the_record_are_those_of_the_run(
    result: EvaluationResult, loaded: EvaluationResult, tmp_path: Path
) -> None:
    for told in (result, loaded):
        told.save_jsonl(tmp_path / f"{type(told).__name__}.jsonl")
        told.save_csv(tmp_path / f"{type(told).__name__}.csv")

    for suffix in ("jsonl", "csv"):
        live, kept = sorted(tmp_path.glob(f"*.{suffix}"))
        assert live.read_bytes() == kept.read_bytes()


def test_a_report_of_the_record_shows_what_one_of_the_run_shows(
    result: EvaluationResult, loaded: EvaluationResult, tmp_path: Path
) -> None:
    live, kept = tmp_path / "live.html", tmp_path / "kept.html"
    result.report(live)
    loaded.report(kept)

    assert kept.read_text("utf-8").count("<tr") == live.read_text("utf-8").count("<tr")
    assert TEXTS["emoji"][:4] in kept.read_text("utf-8")
