"""Optimisers give the candidates, scores and winners that DSPy gave.

DSPy's are kept in `tests/data/dspy_optimisers.json`, which
`python -m tests.tools.dspy_optimisers --dspy-python PATH --write` writes.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.testing import DummyLM, ScriptedTask
from tests.tools import optimisers_side
from tests.tools.dspy_optimisers import DATA, difference

KEPT = json.loads(DATA.read_text("utf-8"))


def name_of(kept: dict[str, Any]) -> str:
    search = kept["search"]
    return f"{search['optimiser']}-{search['seed']}"


@pytest.mark.parametrize("kept", KEPT, ids=map(name_of, KEPT))
def test_a_search_finds_what_dspy_found(kept: dict[str, Any], tmp_path: Path) -> None:
    if kept["search"]["optimiser"] == "mipro":
        pytest.importorskip("optuna")

    with dspex.Runtime(dspex.Config(home=tmp_path, persist=False)):
        found = optimisers_side.found_by(dspex, kept["search"])

    assert "winner" in kept["found"]
    assert not difference(json.loads(json.dumps(found)), kept["found"])


def test_too_many_errors_are_a_runtime_error_as_for_dspys_users(tmp_path: Path) -> None:
    class Failing(dspex.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer = dspex.Predict("question -> answer")

        def forward(self, question: str) -> None:
            raise RuntimeError(question)

    rows = [dspex.Example(question="why", answer="so").with_inputs("question")]
    how = dspex.BootstrapFewShot(max_errors=1)

    with (
        dspex.Runtime(dspex.Config(home=tmp_path)),
        pytest.raises(RuntimeError, match="why"),
    ):
        how.compile(Failing(), trainset=rows)


def test_a_student_teaches_with_the_demos_it_has(tmp_path: Path) -> None:
    rows = [dspex.Example(question="why", answer="so").with_inputs("question")]
    student = dspex.Predict("question -> answer")
    student.demos = [dspex.Example(question="who", answer="me")]
    lm = DummyLM([{"answer": "so"}])
    how = dspex.BootstrapFewShot(max_labeled_demos=0)

    with dspex.Runtime(dspex.Config(home=tmp_path)), dspex.context(lm=lm):
        taught = how.compile(student, trainset=rows)

    [call] = lm.history
    assert [turn["role"] for turn in call["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert [demo.answer for demo in taught.demos] == ["so"]


def test_a_seed_of_zero_is_one(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    task = ScriptedTask(train=8, dev=6)
    sets: dict[str, Any] = {
        "trainset": task.trainset,
        "valset": task.devset,
        "num_trials": 3,
    }
    few: dict[str, Any] = {
        "auto": None,
        "num_candidates": 3,
        "max_bootstrapped_demos": 1,
    }

    def tried(seed: int, *, at_compile: int | None) -> list[object]:
        how = dspex.MIPROv2(task.metric, **few, seed=seed)
        program = dspex.Predict("question -> answer")
        how.compile(program, **sets, minibatch=False, seed=at_compile)
        assert how.study is not None
        return [each.facts["params"] for each in how.study.candidates]

    with dspex.Runtime(dspex.Config(home=tmp_path)), dspex.context(lm=task.lm()):
        of_class, of_call = tried(0, at_compile=None), tried(9, at_compile=0)
        of_nine = tried(9, at_compile=None)

    assert of_call == of_class != of_nine


@pytest.mark.parametrize(
    "made",
    [
        lambda metric: dspex.BootstrapFewShot(metric, max_errors=0),
        lambda metric: dspex.BootstrapRS(metric, max_errors=0),
    ],
)
def test_no_errors_at_all_is_refused_and_not_taken_for_the_default(made: Any) -> None:
    with pytest.raises(dspex.ConfigurationError, match="max_errors is 0"):
        made(ScriptedTask(train=1, dev=1).metric)


UNPLANNED = {"self", "run", "budget"}
"""What decides nothing of what is asked."""
DEPRECATED = {"requires_permission_to_run", "provide_traceback"}


@pytest.mark.parametrize(
    "kind",
    [
        dspex.BootstrapFewShot,
        dspex.BootstrapFewShotWithRandomSearch,
        dspex.COPRO,
        dspex.MIPROv2,
    ],
)
def test_a_plan_takes_what_compile_takes(kind: Any) -> None:
    compiles = inspect.signature(kind.compile).parameters
    plans = inspect.signature(kind.plan).parameters

    assert set(compiles) - UNPLANNED - DEPRECATED == set(plans) - {"self"}


def test_a_plan_of_mipro_counts_no_descriptions_that_nobody_wants() -> None:
    pytest.importorskip("optuna")
    task = ScriptedTask(train=20, dev=10)
    how = dspex.MIPROv2(task.metric)
    sets: dict[str, Any] = {"trainset": task.trainset, "valset": task.devset}

    def most(**options: Any) -> int:
        plan = how.plan(dspex.Predict("question -> answer"), **sets, **options)
        [step] = [each for each in plan.steps if "proposals" in each.what]
        return step.most

    # Two looks and a summary; the program and its predictor.
    assert most() == most(data_aware_proposer=False) + 3
    assert most() == most(program_aware_proposer=False) + 2
    assert most() == most(view_data_batch_size=20) + 1
