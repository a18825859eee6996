"""`Ensemble`: several programs that answer together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.teleprompt import BootstrapFewShotWithRandomSearch, Ensemble
from dspex.testing import ScriptedTask

TASK = ScriptedTask(seed=1, train=10, dev=10)
QA = "question -> answer"


@pytest.fixture(autouse=True)
def _in_process() -> Iterator[None]:
    with dspex.Runtime(dspex.Config(persist=False)), dspex.context(lm=TASK.lm()):
        yield


class Saying(dspex.Program):
    """Answers with what it is given to say."""

    def __init__(self, word: str) -> None:
        self.word = word

    def forward(self, question: str) -> dspex.Prediction:
        return dspex.Prediction(answer=self.word)


def saying(*words: str) -> list[Saying]:
    return [Saying(word) for word in words]


def answers_of(program: Any, question: str = "?") -> list[str]:
    return [each.answer for each in program(question=question)]


def test_all_are_asked_and_answers_come_in_the_order_of_the_programs() -> None:
    ensemble = Ensemble().compile(saying("a", "b", "c"))

    assert answers_of(ensemble) == ["a", "b", "c"]
    assert [each.answer for each in asyncio.run(ensemble.acall(question="?"))] == [
        "a",
        "b",
        "c",
    ]


def test_the_majority_answers_in_an_evaluation_on_many_threads() -> None:
    right = dspex.Predict(QA)
    right.signature = right.signature.with_instructions("verbatim lowercase")

    ensemble = Ensemble(reduce_fn=dspex.majority).compile([right, right, Saying("no")])
    evaluate = dspex.Evaluate(devset=TASK.devset, metric=TASK.metric, num_threads=8)

    assert evaluate(ensemble).scores == evaluate(right).scores


def test_as_many_as_size_says_are_asked_and_drawn_anew_each_time() -> None:
    ensemble = Ensemble(size=2).compile(saying("a", "b", "c", "d"))

    drawn = {tuple(answers_of(ensemble)) for _ in range(60)}

    assert {len(set(each)) for each in drawn} == {2}
    assert len(drawn) > 3


def test_a_deterministic_one_asks_the_same_programs_for_the_same_question() -> None:
    programs = saying("a", "b", "c", "d")
    first, second = (
        Ensemble(size=2, deterministic=True).compile(programs) for _ in range(2)
    )
    questions = [str(number) for number in range(12)]

    chosen = [answers_of(first, question) for question in questions]

    assert [answers_of(second, question) for question in questions] == chosen
    assert len({tuple(each) for each in chosen}) > 3


def test_the_winners_of_a_search_are_asked_saved_and_tuned_as_one(
    tmp_path: Path,
) -> None:
    search = BootstrapFewShotWithRandomSearch(TASK.metric, num_candidate_programs=2)
    found = search.compile(dspex.Predict(QA), trainset=TASK.trainset)
    best = [each["program"] for each in vars(found)["candidate_programs"][:3]]
    how = Ensemble(reduce_fn=dspex.majority)

    ensemble = how.compile(best)
    ensemble.save(tmp_path / "ensemble.json")
    loaded = how.compile([dspex.Predict(QA) for _ in best])
    loaded.load(tmp_path / "ensemble.json")

    assert [name for name, _ in ensemble.named_predictors()] == [
        "programs[0]",
        "programs[1]",
        "programs[2]",
    ]
    assert loaded.dump_state() == ensemble.dump_state()
    assert [each.dump_state() for each in loaded.programs] == [
        each.dump_state() for each in best
    ]
    # They stay as they are: a tuned program is not tuned again inside of another.
    assert any(each._compiled for each in best)
    ensemble.predictors()[0].demos = []
    assert best[0].dump_state() == loaded.programs[0].dump_state()


def test_an_error_of_one_is_the_error_of_all() -> None:
    class Broken(dspex.Program):
        def forward(self, question: str) -> None:
            raise LookupError("lost")

    ensemble = Ensemble().compile([*saying("a"), Broken()])

    with pytest.raises(LookupError, match="lost"):
        ensemble(question="?")


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_that_counts_nothing_is_refused(size: int) -> None:
    with pytest.raises(dspex.ConfigurationError, match="size"):
        Ensemble(size=size)


def test_fewer_programs_than_are_to_be_asked_are_refused() -> None:
    with pytest.raises(dspex.ConfigurationError, match="there are 1"):
        Ensemble(size=2).compile(saying("a"))
    with pytest.raises(dspex.ConfigurationError, match="there are 0"):
        Ensemble().compile([])
