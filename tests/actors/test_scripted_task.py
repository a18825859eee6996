"""`ScriptedTask` beside the real parts: evaluations, optimisers, a provider's wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import dspex
from dspex.evaluate import Evaluate
from dspex.teleprompt import BootstrapFewShot
from dspex.testing import FakeProvider, ScriptedTask

QA = "question -> answer"


@pytest.fixture(autouse=True)
def _runtime() -> Iterator[None]:
    with dspex.Runtime(dspex.Config(persist=False)):
        yield


def test_a_provider_answers_as_the_model_in_process_does() -> None:
    task = ScriptedTask(dev=30)
    evaluate = Evaluate(devset=task.devset, metric=task.metric)
    with FakeProvider(answer=task.answer) as provider:
        lm = dspex.LM("openai/m", api_base=provider.base_url, api_key="any")
        with dspex.context(lm=lm):
            over_the_wire = evaluate(dspex.Predict(QA))
    with dspex.context(lm=task.lm()):
        in_process = evaluate(dspex.Predict(QA))

    assert over_the_wire.scores == in_process.scores
    assert 0 < in_process.score < 100


def test_an_optimiser_that_finds_useful_demos_is_seen_to_gain() -> None:
    task = ScriptedTask(useful_share=1.0, dev=10)
    optimiser = BootstrapFewShot(
        metric=task.metric, max_bootstrapped_demos=2, max_labeled_demos=0
    )
    with dspex.context(lm=task.lm()):
        better = optimiser.compile(dspex.Predict(QA), trainset=task.trainset)

    assert task.accuracy(dspex.Predict(QA)) == 0.3
    assert task.accuracy(better) == 0.5
