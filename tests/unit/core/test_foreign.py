"""Objects of DSPy, which these tests make up: a class counts by where it says it is."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from dspex.core.errors import ConfigurationError
from dspex.core.foreign import refuse_dspy
from dspex.core.signature import InputField, ensure_signature, make_signature
from dspex.evaluate.metric import checked_metric, judgement_of
from dspex.programs import Predict, Program, configure
from dspex.programs.best_of_n import BestOfN
from dspex.programs.concurrency import asyncify
from dspex.programs.knn import KNN
from dspex.programs.parallel import Parallel
from dspex.programs.react import ReAct
from dspex.programs.streaming.streamify import streamify
from dspex.testing import DummyLM


def dspys(name: str, module: str, *bases: type) -> Any:
    return type(name, bases or (object,), {"__module__": module})


DSPY_LM = dspys("LM", "dspy.clients.lm")
DSPY_EXAMPLE = dspys("Example", "dspy.primitives.example")()
DSPY_PREDICT = dspys("Predict", "dspy.predict.predict", Predict)("a -> b")
LIST_OF_DSPYS: Any = list[type(DSPY_EXAMPLE)]  # type: ignore[misc] # made at run time
DSPY_LISTENER = dspys("StreamListener", "dspy.streaming.streaming_listener")()


def predict(signature: str = "a -> b") -> Predict:
    predictor = Predict(signature)
    predictor.lm = DummyLM([{"b": "y"}])
    return predictor


def test_an_object_of_dspy_is_refused_with_the_import_that_is_left() -> None:
    with pytest.raises(
        ConfigurationError, match=r"lm is DSPy's own dspy\.clients\.lm\.LM;"
    ) as refused:
        refuse_dspy(DSPY_LM(), "lm")

    assert "where it is made: write dspex.LM for dspy.LM" in str(refused.value)


def test_a_class_made_of_dspys_names_the_module_that_imports_dspy() -> None:
    mine = dspys("Mine", "app.models", DSPY_LM)

    with pytest.raises(ConfigurationError, match=r"import of dspy in 'app\.models'"):
        refuse_dspy(mine(), "lm")


@pytest.mark.parametrize("value", [None, 1, "dspy", [], Predict("a -> b"), Predict])
def test_everything_else_passes(value: object) -> None:
    refuse_dspy(value, "lm")


def test_a_package_whose_name_begins_alike_is_none_of_dspys() -> None:
    refuse_dspy(dspys("LM", "dspyx.lm")(), "lm")


@pytest.mark.parametrize(
    "give",
    [
        lambda: configure(lm=DSPY_LM()),
        lambda: configure(adapter=dspys("ChatAdapter", "dspy.adapters.chat")()),
        lambda: Predict("a -> b").set_lm(DSPY_LM()),
        lambda: Predict("a -> b")(a="x", lm=DSPY_LM()),
        lambda: ensure_signature(dspys("Signature", "dspy.signatures")),
        lambda: checked_metric(dspys("SemanticF1", "dspy.evaluate")),
        lambda: judgement_of(dspys("Prediction", "dspy.primitives")(), "mine"),
        lambda: Predict("a -> b").batch([dspys("Example", "dspy.primitives")()]),
        lambda: Predict("a -> b")(a=dspys("Image", "dspy.adapters.types.image")()),
        lambda: predict()(a="x", demos=[DSPY_EXAMPLE]),
        lambda: predict("a: list[str] -> b")(a=[DSPY_EXAMPLE]),
        lambda: make_signature({"a": (LIST_OF_DSPYS, InputField())}),
        lambda: ReAct("a -> b", tools=[dspys("Tool", "dspy.adapters")()]),
        lambda: BestOfN(DSPY_PREDICT, N=2, reward_fn=max, threshold=1),
        lambda: Parallel()([(DSPY_PREDICT, {"a": "x"})]),
        lambda: Parallel()([(max, DSPY_EXAMPLE)]),
        lambda: KNN(1, [DSPY_EXAMPLE], lambda texts: [[1.0] for _ in texts]),
        lambda: streamify(DSPY_PREDICT),
        lambda: streamify(max, stream_listeners=[DSPY_LISTENER]),
        lambda: asyncify(DSPY_PREDICT),
        lambda: configure(callbacks=[dspys("BaseCallback", "dspy.utils.callback")()]),
    ],
)
def test_the_borders_refuse_what_is_dspys(give: Any) -> None:
    with pytest.raises(ConfigurationError, match="is DSPy's own dspy"):
        give()


def test_a_signature_made_of_a_text_is_named_as_it_can_be_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signature = dspys("Signature", "dspy.signatures.signature")
    module = ModuleType("dspy.signatures.signature")
    monkeypatch.setattr(module, "Signature", signature, raising=False)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    of_a_text = dspys("StringSignature", module.__name__, signature)

    with pytest.raises(ConfigurationError, match=r"is made: write dspex\.Signature "):
        ensure_signature(of_a_text)


def test_a_predictor_of_dspy_is_refused_where_a_program_takes_it_up() -> None:
    class Mixed(Program):
        def __init__(self) -> None:
            self.find = DSPY_PREDICT

    with pytest.raises(ConfigurationError, match=r"find is DSPy's own"):
        Mixed()


def test_a_predictor_of_dspy_inside_a_program_is_named_by_its_place() -> None:
    class Mixed(Program):
        def __init__(self) -> None:
            self.steps = [dspys("Predict", "dspy.predict.predict")()]

    with pytest.raises(ConfigurationError, match=r"steps\[0\] is DSPy's own"):
        Mixed().named_predictors()
