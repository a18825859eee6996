"""Many at a time, in whatever order answers come, a search finds what one finds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dspex
from dspex.testing import FakeProvider, Jitter, ScriptedTask

MANY = 8


def copro(task: ScriptedTask, hands: int) -> Any:
    how = dspex.COPRO(metric=task.metric, breadth=2, depth=2, num_threads=hands)
    return how, {"trainset": task.trainset}


def random_search(task: ScriptedTask, hands: int) -> Any:
    how = dspex.BootstrapFewShotWithRandomSearch(
        task.metric,
        max_bootstrapped_demos=2,
        max_labeled_demos=2,
        num_candidate_programs=4,
        # Reached by some candidates, so that what was begun beyond them is left out.
        stop_at_score=40.0,
        num_threads=hands,
    )
    return how, {"trainset": task.trainset, "valset": task.devset}


def mipro(task: ScriptedTask, hands: int) -> Any:
    pytest.importorskip("optuna")
    how = dspex.MIPROv2(
        task.metric,
        auto=None,
        num_candidates=4,
        max_bootstrapped_demos=2,
        max_labeled_demos=2,
        num_threads=hands,
    )
    sets = {"trainset": task.trainset, "valset": task.devset}
    return how, {**sets, "num_trials": 3, "minibatch_size": 4}


def found(made: Any, task: ScriptedTask, hands: int, latency: Jitter) -> Any:
    """What a search tried and chose, at so many hands."""
    how, given_to_it = made(task, hands)
    student = dspex.Predict("question -> answer")
    with (
        dspex.Runtime(dspex.Config(persist=False)),
        FakeProvider(answer=task.answer, latency=latency, seed=hands) as provider,
    ):
        lm = dspex.LM("openai/fake", api_base=provider.base_url, cache=False)
        with dspex.context(lm=lm):
            winner = how.compile(student, **given_to_it)
    study = how.study
    assert study is not None
    tried = [
        # A run has a name of its own.
        {name: value for name, value in each.plain().items() if name != "run"}
        for each in study.candidates
    ]
    told = [each["score"] for each in winner.candidate_programs]
    return winner.dump_state(), study.best, tried, told


@pytest.mark.parametrize("made", [copro, random_search, mipro])
@settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 1000), longest=st.sampled_from([0.02, 0.005]))
def test_a_search_finds_the_same_with_one_hand_and_with_many(
    made: Any, seed: int, longest: float
) -> None:
    task = ScriptedTask(seed=seed, train=6, dev=8, word_gain=0.2, demo_gain=0.2)

    one = found(made, task, 1, Jitter(0.0, 0.0))
    many = found(made, task, MANY, Jitter(0.0, longest))

    assert many == one
