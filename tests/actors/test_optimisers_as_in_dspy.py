"""Optimisers give the candidates, scores and winners that DSPy gave.

DSPy's are kept in `tests/data/dspy_optimisers.json`, which
`python -m tests.tools.dspy_optimisers --dspy-python PATH --write` writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.testing import DummyLM
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
