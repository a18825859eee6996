"""`KNNFewShot`: each question gets demos of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.core.errors import RunChangedError
from dspex.evaluate.record.fingerprint import program_fingerprint
from dspex.teleprompt import BootstrapFewShot, KNNFewShot
from dspex.testing import FakeProvider, ScriptedTask

KINDS = 3
TASK = ScriptedTask(
    seed=2, train=18, dev=12, kinds=KINDS, base=0.4, demo_gain=0.15, useful_share=1.0
)
QA = "question -> answer"


@pytest.fixture
def in_process() -> Iterator[None]:
    with (
        dspex.Runtime(dspex.Config(persist=False)),
        dspex.context(lm=TASK.lm()),
    ):
        yield


def by_kind(texts: list[str]) -> list[list[float]]:
    """A vector by which questions of one kind are alike."""
    kinds = [int(re.findall(r"kind(\d+)-", text)[-1]) for text in texts]
    return [[float(kind == place) for place in range(KINDS)] for kind in kinds]


def optimiser(k: int = 4, **options: Any) -> KNNFewShot:
    options = {"metric": TASK.metric, "max_labeled_demos": k, **options}
    return KNNFewShot(k, TASK.trainset, by_kind, **options)


def score(program: dspex.Program) -> float:
    evaluate = dspex.Evaluate(devset=TASK.devset, metric=TASK.metric, num_threads=8)
    return evaluate(program).score


@pytest.mark.usefixtures("in_process")
def test_demos_are_of_the_kind_that_is_asked_about() -> None:
    found = optimiser().compile(dspex.Predict(QA))

    # Four right demos of the question's own kind: 0.4 + 4 * 0.15 is sure.
    assert score(found) == 100.0
    assert score(dspex.Predict(QA)) < 100.0


@pytest.mark.usefixtures("in_process")
def test_a_question_is_answered_as_a_bootstrap_on_its_neighbours_would() -> None:
    how, question = optimiser(), TASK.devset[0].question
    bootstrap = BootstrapFewShot(TASK.metric, max_labeled_demos=4)

    with dspex.context(trace=[]):
        found = how.compile(dspex.Predict(QA))
        found(question=question)
        asked = dspex.settings.trace[-1][0]
    near = how.KNN(question=question)
    by_hand = bootstrap.compile(dspex.Predict(QA), trainset=near)

    assert asked.dump_state() == by_hand.dump_state()
    assert len(asked.demos) == 4


@pytest.mark.usefixtures("in_process")
def test_it_works_in_a_coroutine() -> None:
    found = optimiser().compile(dspex.Predict(QA))
    row = TASK.devset[0]

    answer = asyncio.run(found.acall(question=row.question))

    assert answer.answer == row.answer


@pytest.mark.usefixtures("in_process")
def test_student_and_teacher_stay_as_they_are_and_the_result_is_of_their_kind() -> None:
    class Careful(dspex.Program):
        def __init__(self) -> None:
            self.answer = dspex.ChainOfThought(QA)

        def forward(self, question: str) -> Any:
            return self.answer(question=question)

    student, teacher = Careful(), Careful()
    states = student.dump_state(), teacher.dump_state()

    found = optimiser().compile(student, teacher=teacher)
    found(question=TASK.devset[0].question)

    assert (student.dump_state(), teacher.dump_state()) == states
    assert isinstance(found, Careful)
    assert [name for name, _ in found.named_predictors()] == ["answer.predict"]


@pytest.mark.usefixtures("in_process")
def test_what_is_saved_is_the_student_and_loads_into_one_that_is_compiled(
    tmp_path: Path,
) -> None:
    tuned = dspex.Predict(QA)
    tuned.signature = tuned.signature.with_instructions("Answer verbatim.")
    optimiser().compile(tuned).save(tmp_path / "found.json")

    plain, again = dspex.Predict(QA), optimiser().compile(dspex.Predict(QA))
    plain.load(tmp_path / "found.json")
    again.load(tmp_path / "found.json")

    assert plain.dump_state() == tuned.dump_state()
    with dspex.context(trace=[]):
        again(question=TASK.devset[0].question)
        asked = dspex.settings.trace[-1][0]
    assert asked.signature.instructions == "Answer verbatim."
    assert len(asked.demos) == 4


@pytest.mark.usefixtures("in_process")
def test_a_copy_makes_demos_as_well_and_answers_with_a_model_of_its_own() -> None:
    found = optimiser().compile(dspex.Predict(QA)).deepcopy()
    other = ScriptedTask(base=1.0).lm()

    found.set_lm(other)
    found(question=TASK.devset[0].question)

    assert len(other.history) == 1


@pytest.mark.usefixtures("in_process")
def test_a_record_tells_how_many_neighbours_there_were() -> None:
    student = dspex.Predict(QA)

    few, many = optimiser(1).compile(student), optimiser(4).compile(student)
    again = optimiser(4).compile(student)

    assert program_fingerprint(few) != program_fingerprint(many)
    assert program_fingerprint(again) == program_fingerprint(many)


@pytest.mark.usefixtures("in_process")
def test_it_is_judged_where_there_are_rows_for_it_as_planned() -> None:
    how, student = optimiser(), dspex.Predict(QA)
    lm = dspex.settings.lm

    unjudged = how.compile(student)
    assert len(lm.history) == 0
    plan = how.plan(student, valset=TASK.devset)
    how.compile(student, valset=TASK.devset)

    least, most = plan.calls
    assert least <= len(lm.history) <= most
    assert how.study is not None
    assert how.study.lift is not None
    assert "the winner is better" in str(how.study.lift).lower()
    assert unjudged is not student


def test_a_budget_counts_the_demos_and_is_never_exceeded(tmp_path: Path) -> None:
    how = optimiser()
    with (
        FakeProvider(answer=TASK.answer) as provider,
        dspex.Runtime(dspex.Config(home=tmp_path)),
    ):
        lm = dspex.LM("openai/fake", api_base=provider.base_url, cache=False)
        with dspex.context(lm=lm):
            options: dict[str, Any] = {"valset": TASK.devset, "run": "judged"}
            how.compile(dspex.Predict(QA), budget=dspex.Budget(calls=20), **options)
            unjudged, spent = how.study, len(provider.bill)
            how.compile(dspex.Predict(QA), **options)
            whole = len(provider.bill)
            how.compile(dspex.Predict(QA), **options)
            again = len(provider.bill)
            with pytest.raises(RunChangedError, match="'s k"):
                optimiser(3).compile(dspex.Predict(QA), **options)

    assert spent <= 20
    assert unjudged is not None
    assert (unjudged.ended, unjudged.lift) == ("budget", None)
    assert again == whole


def test_an_argument_that_is_none_of_bootstrap_few_shot_is_told() -> None:
    with pytest.raises(dspex.ConfigurationError, match="metrik"):
        KNNFewShot(1, TASK.trainset, by_kind, metrik=TASK.metric)
