"""What an optimiser asks lies within what its plan told, and planning asks nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.teleprompt import (
    COPRO,
    GEPA,
    BootstrapFewShot,
    BootstrapFewShotWithRandomSearch,
    KNNFewShot,
    LabeledFewShot,
    MIPROv2,
)
from dspex.testing import FakeProvider, ScriptedTask

TASK = ScriptedTask(seed=3, train=8, dev=6)
QA = "question -> answer"
MODEL = "openai/gpt-4o-mini"
"""A model whose price is known."""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=TASK.answer) as running:
        yield running


@pytest.fixture
def _runtime(tmp_path: Path) -> Iterator[None]:
    with dspex.Runtime(dspex.Config(home=tmp_path)):
        yield


def asking(provider: FakeProvider, *, cache: bool) -> dspex.LM:
    address, key = provider.base_url, "a key"
    return dspex.LM(MODEL, api_base=address, api_key=key, max_tokens=300, cache=cache)


def feedback(
    gold: Any,
    pred: Any,
    trace: Any = None,
    pred_name: Any = None,
    pred_trace: Any = None,
) -> float:
    return float(TASK.metric(gold, pred))


def bootstrapping(**options: Any) -> BootstrapFewShot:
    return BootstrapFewShot(TASK.metric, max_bootstrapped_demos=2, **options)


def searching(**options: Any) -> BootstrapFewShotWithRandomSearch:
    return BootstrapFewShotWithRandomSearch(
        TASK.metric, num_candidate_programs=2, **options
    )


MADE: dict[str, Callable[[dspex.LM], Any]] = {
    "bootstrap": lambda _: bootstrapping(),
    "bootstrap in rounds": lambda _: bootstrapping(max_rounds=2),
    "search": lambda _: searching(),
    "search until good": lambda _: searching(stop_at_score=30.0),
    "copro": lambda lm: COPRO(lm, TASK.metric, breadth=3, depth=2),
    "mipro": lambda lm: MIPROv2(TASK.metric, prompt_model=lm, max_labeled_demos=1),
    "mipro without demos": lambda lm: MIPROv2(
        TASK.metric, prompt_model=lm, max_bootstrapped_demos=0, max_labeled_demos=0
    ),
    "gepa": lambda lm: GEPA(feedback, max_metric_calls=30, reflection_lm=lm),
}


@pytest.mark.usefixtures("_runtime")
@pytest.mark.parametrize(
    ("name", "sets"),
    [
        *((name, ("trainset", "valset")) for name in MADE),
        *((name, ("trainset",)) for name in ("bootstrap", "search", "copro")),
    ],
)
def test_what_is_asked_lies_within_the_plan(
    provider: FakeProvider, name: str, sets: tuple[str, ...]
) -> None:
    whole = {"trainset": TASK.trainset, "valset": TASK.devset}
    given = {each: whole[each] for each in sets}
    lm, program = asking(provider, cache=False), dspex.Predict(QA)
    how = MADE[name](lm)
    with dspex.context(lm=lm):
        plan = how.plan(program, **given)
        planned_with = len(provider.bill)

        how.compile(program, **given)

    assert planned_with == 0
    least, most = plan.calls
    assert least <= len(provider.bill) <= most, f"\n{plan}\n{how.study}"
    assert plan.tokens is None or how.study.spent.tokens <= plan.tokens
    assert plan.dollars is None or how.study.spent.dollars <= plan.dollars


@pytest.mark.usefixtures("_runtime")
def test_a_program_that_is_a_candidate_is_not_asked_again_to_be_judged(
    provider: FakeProvider,
) -> None:
    how, program = searching(max_bootstrapped_demos=2), dspex.Predict(QA)
    sets: dict[str, Any] = {"trainset": TASK.trainset, "valset": TASK.devset}
    sets["restrict"] = [-3]
    with dspex.context(lm=asking(provider, cache=False)):
        plan = how.plan(program, **sets)

        how.compile(program, **sets)

    assert plan.calls[0] == len(provider.bill) == len(TASK.devset)


@pytest.mark.usefixtures("_runtime")
def test_demos_for_each_question_are_planned_with_its_judging(
    provider: FakeProvider,
) -> None:
    how = KNNFewShot(
        2,
        TASK.trainset,
        dspex.Embedder(lambda texts: [[float(text[-2])] for text in texts]),
        metric=TASK.metric,
    )
    program = dspex.Predict(QA)
    with dspex.context(lm=asking(provider, cache=False)):
        plan, later = how.plan(program, valset=TASK.devset), how.plan(program)

        how.compile(program, valset=TASK.devset)

    least, most = plan.calls
    assert least <= len(provider.bill) <= most, f"\n{plan}\n{how.study}"
    assert str(later).splitlines() == [
        "KNNFewShot: it asks nothing",
        "Each answer is preceded by 2 calls, which make its demos.",
    ]


@pytest.mark.usefixtures("_runtime")
def test_labelled_demos_are_judged_where_there_is_a_metric_and_a_set(
    provider: FakeProvider,
) -> None:
    how, program = LabeledFewShot(2, metric=TASK.metric), dspex.Predict(QA)
    with dspex.context(lm=asking(provider, cache=False)):
        plan = how.plan(program, trainset=TASK.trainset, testset=TASK.devset)
        alone = how.plan(program, trainset=TASK.trainset)

        how.compile(
            program, trainset=TASK.trainset, testset=TASK.devset, run="labelled"
        )

    assert plan.calls == (len(provider.bill), len(provider.bill))
    assert alone.calls == (0, 0)
    assert how.study is not None
    assert how.study.lift is not None
    (made,) = dspex.load_study("labelled", program=program).candidates
    assert [demo["question"] for demo in made.program.demos] == [
        demo["question"] for demo in made.state["demos"]
    ]
    assert len(made.program.demos) == 2


@pytest.mark.usefixtures("_runtime")
def test_what_the_cache_has_is_told(provider: FakeProvider) -> None:
    program = dspex.Predict(QA)
    how = BootstrapFewShot(TASK.metric, max_labeled_demos=0)
    with dspex.context(lm=asking(provider, cache=True)):
        before = how.plan(program, trainset=TASK.trainset)
        dspex.Evaluate(devset=TASK.trainset, metric=TASK.metric)(program)

        after = how.plan(program, trainset=TASK.trainset)

    assert before.share_cached == 0.0
    assert after.share_cached == 1.0
    assert after.dollars == 0.0
    assert before.dollars is not None
    assert before.dollars > 0
    assert "About 100% of the calls need no request" in str(after)
