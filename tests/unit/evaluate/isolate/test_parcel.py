"""What is told to a child: by names and as JSON, or refused before any work."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.core.errors import ConfigurationError
from dspex.evaluate import SemanticF1
from dspex.evaluate.isolate.parcel import Unpacked, pack, unpack
from dspex.evaluate.isolate.remote_model import RemoteModel
from dspex.metrics import exact_match, f1
from tests.actors import isolated_programs as programs

ROOT = Path(__file__).parents[4]


class NoParent:
    """Nobody is asked."""

    def ask(self, line: dict[str, Any]) -> Any:
        raise AssertionError

    async def aask(self, line: dict[str, Any]) -> Any:
        raise AssertionError


def carried(program: Callable[..., Any], metric: Any) -> Unpacked:
    return unpack(json.loads(json.dumps(pack(program, metric).line)), NoParent())


@pytest.mark.parametrize(
    "metric",
    [
        programs.right,
        exact_match("answer"),
        exact_match("answer", normalize=None),
        {"f1": f1("answer"), "exact": exact_match("answer")},
        functools.partial(programs.right, trace=None),
        dspex.EM,
    ],
)
def test_a_metric_with_a_name_is_the_same_there(metric: Any) -> None:
    found = carried(programs.answer, metric).metric

    # A partial is equal to nothing but itself.
    assert repr(found) == repr(metric)


def test_the_order_of_several_metrics_stays() -> None:
    metric = {"b": f1("answer"), "a": exact_match("answer")}

    found = carried(programs.answer, metric).metric

    assert isinstance(found, dict)
    assert list(found) == ["b", "a"]


def test_a_metric_that_is_an_object_has_its_attributes_there() -> None:
    found = carried(programs.answer, programs.Judge("Lima")).metric

    assert isinstance(found, programs.Judge)
    assert found.wanted == "Lima"


def test_a_metric_that_is_a_program_is_one_there() -> None:
    assert isinstance(carried(programs.answer, SemanticF1()).metric, SemanticF1)


def test_a_program_comes_with_its_state_and_demos() -> None:
    program = programs.Asks("the ")
    program.ask.demos = [dspex.Example(question="q", answer="a")]

    found: Any = carried(program, programs.right).program

    assert isinstance(found, programs.Asks)
    assert found.prefix == "the "
    assert found.ask.demos == program.ask.demos
    assert found.ask.signature.equals(program.ask.signature)


def test_models_go_by_number_and_keep_their_keys_here() -> None:
    own = dspex.LM("openai/own", api_key="sk-own", temperature=0.5)
    common = dspex.LM("openai/common", api_key="sk-common")
    program = programs.Asks("")
    program.set_lm(own)

    with dspex.context(lm=common):
        parcel = pack(program, programs.right)
    found: Any = unpack(parcel.line, NoParent())

    assert "sk-" not in json.dumps(parcel.line)
    assert [parcel.models[0], parcel.models[1]] == [own, common]
    assert isinstance(found.program.ask.lm, RemoteModel)
    assert found.program.ask.lm.model == "openai/own"
    assert found.program.ask.lm.settings == {"temperature": 0.5}
    assert found.settings["lm"].number == 1


def test_settings_and_adapter_come_along() -> None:
    with dspex.context(adapter=dspex.JSONAdapter(), track_usage=True):
        found = carried(programs.answer, programs.right)

    assert isinstance(found.settings["adapter"], dspex.JSONAdapter)
    assert found.settings["track_usage"] is True


def local_function() -> Callable[..., Any]:
    def inner(question: str) -> str:
        return question

    return inner


def hidden(question: str) -> str:
    return question


the_hidden = hidden


def hidden(question: str) -> str:  # type: ignore[no-redef] # that is the case
    return question * 2


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (lambda question: question, "lambda"),
        (local_function(), "made inside a function"),
        (the_hidden, "something else"),
        ("".join, "cannot be taken"),
    ],
)
def test_what_has_no_name_of_its_own_is_refused(
    program: Callable[..., Any], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        pack(program, programs.right)


def test_what_was_typed_in_is_refused() -> None:
    typed = """
import dspex
def program(question): ...
dspex.Evaluate(devset=[dspex.Example(question="q").with_inputs("question")],
               metric=dspex.EM, isolate="process")(program)
"""
    done = subprocess.run(
        [sys.executable, "-c", typed],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "was typed into a notebook or a prompt" in done.stderr


def test_another_word_for_isolate_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="isolate is 'fork'"):
        dspex.Evaluate(
            devset=[dspex.Example(a=1).with_inputs("a")],
            isolate="fork",  # type: ignore[arg-type] # that is it
        )
