"""A module that is edited and loaded again is evaluated, and nothing is paid twice."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

import dspex
from dspex.testing import FakeProvider, chat_answer

BEFORE = """
import dspex

class Ask(dspex.Signature):
    \"\"\"Name the capital.\"\"\"

    country: str = dspex.InputField()
    capital: str = dspex.OutputField()

class Capital(dspex.Program):
    def __init__(self):
        self.ask = dspex.Predict(Ask)

    def forward(self, country):
        return self.ask(country=country)

def metric(example, prediction):
    return prediction.capital == example.capital
"""
ANOTHER_METRIC = BEFORE.replace("==", "!=")
ANOTHER_SIGNATURE = BEFORE.replace("Name the capital.", "Name its capital city.")


def written(folder: Path, source: str) -> None:
    (folder / "edited_code.py").write_text(source)
    importlib.invalidate_caches()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "edited_code", raising=False)
    written(tmp_path, BEFORE)
    return importlib.import_module("edited_code")


def test_edited_code_is_evaluated_and_what_did_not_change_is_not_paid_again(
    module: ModuleType, tmp_path: Path
) -> None:
    rows = dspex.load([{"country": "Peru", "capital": "Lima"}], inputs=["country"])
    with FakeProvider(answer=lambda _: chat_answer(capital="Lima")) as provider:
        lm = dspex.LM("openai/fake", api_base=provider.base_url, api_key="sk-1")
        with dspex.Runtime(), dspex.context(lm=lm):
            old = module.Capital()

            def score(program: dspex.Program) -> float:
                evaluate = dspex.Evaluate(devset=rows, metric=module.metric)
                return evaluate(program).score

            scores = [score(old)]
            written(tmp_path, ANOTHER_METRIC)
            importlib.reload(module)
            scores += [score(old), score(module.Capital())]
            paid_for_the_same = len(provider.bill)
            state = old.dump_state()
            written(tmp_path, ANOTHER_SIGNATURE)
            importlib.reload(module)
            scores += [score(module.Capital().load_state(state)), score(old)]
            module.Capital()(country="Peru")

    assert scores == [100.0, 0.0, 0.0, 100.0, 100.0]
    assert paid_for_the_same == 1
    assert len(provider.bill) == 2
