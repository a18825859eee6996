from __future__ import annotations

import pytest

from dspex.core.errors import ConfigurationError
from dspex.programs import Predict, Program
from dspex.programs.reaching import set_attribute_by_name


class Nested(Program):
    """Predictors in every kind of holder."""

    def __init__(self) -> None:
        self.find = Predict("a -> b")
        self.steps = [Predict("a -> b"), {"k": Predict("a -> b")}]
        self.pair = (Nested.leaf(),)

    @staticmethod
    def leaf() -> Program:
        program = Program()
        program.find = Predict("a -> b")  # type: ignore[attr-defined] # programs take any attribute
        return program


def test_every_name_of_a_parameter_leads_to_its_place() -> None:
    program = Nested()
    names = [name for name, _ in program.named_parameters()]

    for name in names:
        set_attribute_by_name(program, name, Predict("other -> b"))

    assert names == ["find", "steps[0]", "steps[1]['k']", "pair[0].find"]
    changed = [one.signature.signature for one in program.predictors()]
    assert changed == ["other -> b"] * 4


@pytest.mark.parametrize(
    "name", ["", "no.such", "steps[9].x", "steps[find]", "find()", "a b", "pair[0]"]
)
def test_a_name_that_leads_nowhere_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="leads nowhere in a Nested"):
        set_attribute_by_name(Nested(), name, 1)
