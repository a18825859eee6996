"""Files that DSPy saved, which `tests.tools.dspy_states --write` keeps here.

The other way, and a DSPy of today, are what that command is for.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dspex
from tests.tools.dspy_states import KEPT, faults_here, states_of
from tests.tools.state_programs import Case, cases

CASES = list(cases(dspex))


@pytest.fixture(autouse=True)
def some_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-unused")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_dspy_saved_loads_with_its_values_of_their_types(case: Case) -> None:
    assert faults_here(case, KEPT / f"{case.name}.json") == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_dspex_writes_what_dspy_would(case: Case, tmp_path: Path) -> None:
    program = case.make()
    case.tune(program)
    program.save(tmp_path / "ours.json")

    ours = json.loads((tmp_path / "ours.json").read_text("utf-8"))
    theirs = json.loads((KEPT / f"{case.name}.json").read_text("utf-8"))

    assert list(ours) == list(theirs)
    for name in states_of(program):
        if name in ours:
            assert {**ours[name], "lm": None} == {**theirs[name], "lm": None}


def test_the_model_of_a_dspy_file_comes_back_with_its_settings() -> None:
    predict = dspex.Predict("a -> b").load(KEPT / "model.json")

    assert isinstance(predict.lm, dspex.LM)
    assert predict.lm.settings == {"temperature": 0.5, "max_tokens": 50}


def test_the_state_of_a_model_is_the_one_dspy_wrote() -> None:
    written = json.loads((KEPT / "model.json").read_text("utf-8"))["lm"]

    loaded = dspex.Predict("a -> b").load(KEPT / "model.json")

    assert loaded.dump_state()["lm"] == written


def test_there_is_a_file_for_each_case() -> None:
    assert {case.name for case in CASES} <= {file.stem for file in KEPT.iterdir()}
