"""Objects of DSPy, which these tests make up: a class counts by where it says it is."""

from __future__ import annotations

from typing import Any

import pytest

from dspex.core.errors import ConfigurationError
from dspex.core.foreign import refuse_dspy
from dspex.core.signature import ensure_signature
from dspex.evaluate.metric import checked_metric, judgement_of
from dspex.programs import Predict, Program, configure


def dspys(name: str, module: str, *bases: type) -> Any:
    return type(name, bases or (object,), {"__module__": module})


DSPY_LM = dspys("LM", "dspy.clients.lm")


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
    ],
)
def test_the_borders_refuse_what_is_dspys(give: Any) -> None:
    with pytest.raises(ConfigurationError, match="is DSPy's own dspy"):
        give()


def test_a_predictor_of_dspy_inside_a_program_is_named_by_its_place() -> None:
    class Mixed(Program):
        def __init__(self) -> None:
            self.steps = [dspys("Predict", "dspy.predict.predict")()]

    with pytest.raises(ConfigurationError, match=r"steps\[0\] is DSPy's own"):
        Mixed().named_predictors()
