from __future__ import annotations

import copy
import logging
import threading
from typing import Any

import pytest

from dspex.core.adapters import ChatAdapter
from dspex.core.errors import ConfigurationError
from dspex.core.prediction import Prediction
from dspex.programs import (
    ChainOfThought,
    Module,
    Parameter,
    Predict,
    Program,
    configure,
    context,
    track_usage,
)
from tests.unit.programs.fakes import FakeLM, chat


class Capital(Program):
    """A program that never calls `super().__init__()`."""

    def __init__(self) -> None:
        self.find = Predict("country -> capital")

    def forward(self, country: str) -> Any:
        return self.find(country=country)


class Nested(Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = ChainOfThought("a -> b")
        self.steps: list[Any] = [
            Predict("b -> c"),
            (Predict("c -> d"), {"x": Predict("d -> e")}),
        ]
        self.table: dict[Any, Any] = {"key": Capital(), 3: 4}
        self.again = self.steps[0]
        self.me = self


def names_of(program: Program) -> list[str]:
    return [name for name, _ in program.named_predictors()]


def test_calling_runs_forward_with_positional_arguments_too() -> None:
    configure(lm=FakeLM(chat(capital="Lima")))

    assert Capital()("Peru").capital == "Lima"
    assert Capital()(country="Peru").capital == "Lima"


def test_a_program_without_forward_says_what_to_write() -> None:
    with pytest.raises(NotImplementedError, match="Write def forward"):
        Program()()


def test_predictors_are_found_by_name_and_each_once() -> None:
    assert names_of(Nested()) == [
        "first.predict",
        "steps[0]",
        "steps[1][0]",
        "steps[1][1]['x']",
        "table['key'].find",
    ]
    assert names_of(Predict("a -> b")) == ["self"]
    assert len(Nested().predictors()) == len(Nested().parameters()) == 5


def test_parameters_need_not_be_predictors() -> None:
    class Weight(Parameter):
        pass

    program = Capital()
    program.weight = Weight()  # type: ignore[attr-defined] # as users do

    assert [name for name, _ in program.named_parameters()] == ["find", "weight"]
    assert names_of(program) == ["find"]


def test_compiled_sub_programs_are_left_alone() -> None:
    program = Nested()
    program.first._compiled = True
    program.table["key"]._compiled = True

    assert names_of(program) == ["steps[0]", "steps[1][0]", "steps[1][1]['x']"]
    program._compiled = True
    assert len(names_of(program)) == 3


def test_sub_modules_are_found_breadth_first() -> None:
    program = Nested()

    found = [name for name, _ in program.named_sub_modules()]

    assert found == [
        "self",
        "self.first",
        "self.again",
        "self.first.predict",
        "self.table[key]",
        "self.steps[1][0]",
        "self.table[key].find",
        "self.steps[1][1][x]",
    ]
    program.first._compiled = True
    skipping = [name for name, _ in program.named_sub_modules(skip_compiled=True)]
    assert "self.first" in skipping
    assert "self.first.predict" not in skipping
    typed = [name for name, _ in program.named_sub_modules(Capital)]
    assert typed == ["self.table[key]"]


def test_predictors_can_be_mapped() -> None:
    program = Nested()
    program.steps.pop()

    program.map_named_predictors(lambda old: Predict(old.signature, n=2))

    assert all(predictor.config == {"n": 2} for predictor in program.predictors())
    assert program.again is program.steps[0]


@pytest.mark.parametrize("program", [Nested(), Predict("a -> b")])
def test_a_predictor_in_a_tuple_or_the_program_itself_cannot_be_mapped(
    program: Program,
) -> None:
    with pytest.raises(ConfigurationError, match="cannot be replaced"):
        program.map_named_predictors(lambda old: old)


def test_one_model_for_all() -> None:
    program, lm = Nested(), FakeLM("x")

    assert program.get_lm() is None
    program.set_lm(lm)
    assert program.get_lm() is lm
    assert all(predictor.lm is lm for predictor in program.predictors())
    program.steps[0].lm = FakeLM("y")
    with pytest.raises(ConfigurationError, match="use 2 models"):
        program.get_lm()


def test_a_text_is_no_model() -> None:
    lm: Any = "openai/gpt-4o-mini"

    with pytest.raises(ConfigurationError, match=r"dspex\.LM"):
        Capital().set_lm(lm)


def test_a_copy_shares_models_and_nothing_that_changes() -> None:
    program = Nested()
    program.set_lm(FakeLM("x"))
    program.first.predict.demos = [{"a": "1", "b": "2"}]

    twin = program.deepcopy()
    twin.first.predict.demos[0]["a"] = "9"
    fresh = program.reset_copy()

    assert names_of(twin) == names_of(program)
    assert twin.get_lm() is program.get_lm()
    assert program.first.predict.demos == [{"a": "1", "b": "2"}]
    assert fresh.first.predict.demos == []
    assert fresh.get_lm() is None
    assert twin.me is twin
    assert twin.again is twin.steps[0]


def test_what_cannot_be_copied_is_shared() -> None:
    class Holds(Program):
        def __init__(self) -> None:
            self.lock = threading.Lock()
            self.inner = Capital()
            self.options = {"k": [1]}

    program = Holds()

    twin = program.deepcopy()

    assert twin.lock is program.lock
    assert twin.inner is not program.inner
    assert twin.options == {"k": [1]}
    assert twin.options is not program.options


def test_usage_of_all_calls_is_on_the_answer_when_it_is_tracked() -> None:
    class Twice(Program):
        def __init__(self) -> None:
            self.find = Predict("country -> capital")

        def forward(self, country: str) -> Prediction:
            self.find(country=country)
            answer = self.find(country=country)
            return Prediction(best=answer.capital)

    lm = FakeLM(chat(capital="Lima"))
    with context(lm=lm):
        untracked = Twice()(country="Peru")
    with context(lm=lm, track_usage=True), track_usage() as tracker:
        tracked = Twice()(country="Peru")

    assert untracked.get_lm_usage() is None
    assert tracked.get_lm_usage() == tracker.get_total_tokens()
    assert tracker.get_total_tokens() == {
        "fake/model": {"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10}
    }


def test_repr_is_one_line_with_the_predictors() -> None:
    assert repr(Capital()) == "Capital(find=Predict(country -> capital))"


def test_a_program_works_although_its_class_forgets_its_base() -> None:
    program = Capital()

    assert program.callbacks == []
    assert program.history == []
    assert program._compiled is False


def test_a_program_takes_callbacks() -> None:
    assert Program(callbacks=[1]).callbacks == [1]


def test_a_copy_has_neither_history_nor_callbacks() -> None:
    program = Capital()
    program.callbacks = [1]
    with context(lm=FakeLM(chat(capital="x"))):
        program(country="x")

    for twin in (program.deepcopy(), copy.copy(program), program.reset_copy()):
        assert (len(twin.history), twin.callbacks) == (0, [])
    assert len(program.deepcopy().find.history) == 0
    assert len(program.history) == len(program.find.history) == 1


def test_copies_of_a_predictor_are_equal_in_all_they_hold() -> None:
    program = Capital()

    twin = program.deepcopy()

    assert vars(twin.find) == vars(program.find)
    assert twin.find is not program.find


def test_an_adapter_is_given_to_every_predictor() -> None:
    class Nested(Program):
        def __init__(self) -> None:
            self.one, self.many = Capital(), [Predict("a -> b")]

    program, adapter = Nested(), ChatAdapter()

    program.set_adapter(adapter)
    assert program.get_adapter() is program.one.find.adapter is adapter
    program.many[0].adapter = "line"
    with pytest.raises(ConfigurationError, match="the predictors use 2"):
        program.get_adapter()
    program.set_adapter(None)
    assert program.get_adapter() is None
    with pytest.raises(ConfigurationError, match="Did you mean 'line'"):
        program.set_adapter("lines")


def test_a_forward_that_is_called_directly_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Direct(Program):
        def forward(self, n: int) -> int:
            return n

    class Deeper(Direct):
        def forward(self, n: int) -> int:
            return super().forward(n) + 1

    with caplog.at_level(logging.WARNING):
        assert Deeper()(n=1) == 2
        assert caplog.records == []
        assert [Direct().forward(n) for n in (1, 2)] == [1, 2]

    [record] = caplog.records
    assert "Direct.forward() was called directly" in record.getMessage()


def test_a_program_may_be_marked_as_one_not_to_run_again() -> None:
    class Payment(Program):
        retry = False

    assert Program().retry is True
    assert Payment().retry is False
