"""Fingerprints: the same in every process, and another for whatever matters."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import dspex
from dspex.core.errors import ConfigurationError, RunChangedError
from dspex.core.signature import ensure_signature
from dspex.evaluate.record.changes import check_same, what_changed
from dspex.evaluate.record.fingerprint import (
    fingerprints,
    metric_fingerprint,
    model_fingerprint,
    program_fingerprint,
    row_digest,
)
from dspex.metrics import exact_match
from tests.unit.evaluate.record import judged
from tests.unit.evaluate.record.making import head

ROOT = Path(__file__).parents[4]

METRIC = """
LIMIT = 1
seen = {}
def helper(text):
    return text.strip()
def metric(example, prediction):
    "Say whether it is right."
    # A comment.
    return helper(prediction.answer) == example.answer and len(example) > LIMIT
"""


def made(source: str, name: str = "metric") -> Any:
    scope: dict[str, Any] = {"__name__": "app"}
    exec(source, scope)  # noqa: S102 - the source of these tests
    return scope[name]


def changed(old: Any, new: Any) -> tuple[str, ...]:
    """Return what is another in the program."""
    return what_changed(
        head(fingerprints=fingerprints(old, judged.near)),
        head(fingerprints=fingerprints(new, judged.near)),
    )


@pytest.mark.parametrize("seed", ["1", "2"])
def test_fingerprints_are_those_of_another_process(seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.evaluate.record.judged"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert json.loads(done.stdout) == judged.all_digests()


def test_a_row_is_its_fields_and_which_of_them_are_inputs() -> None:
    row = dspex.Example(a=1, b="x")

    assert row_digest(row) == row_digest(dspex.Example(b="x", a=1))
    assert row_digest(row) != row_digest(dspex.Example(a=1, b="y"))
    assert row_digest(row) != row_digest(dspex.Example(a="1", b="x"))
    assert row_digest(row) != row_digest(row.with_inputs("a"))


def test_the_same_program_has_not_changed() -> None:
    assert changed(judged.program(), judged.program()) == ()


def with_instructions(program: judged.QA) -> None:
    predict = program.asked.predict
    predict.signature = predict.signature.with_instructions("Answer in French.")


def with_a_field_more(program: judged.QA) -> None:
    predict = program.asked.predict
    predict.signature = predict.signature.append("why", dspex.OutputField(), str)


def with_another_type(program: judged.QA) -> None:
    program.steps[0].signature = ensure_signature("answer -> verdict: int")


def with_a_demo(program: judged.QA) -> None:
    program.asked.predict.demos.append(dspex.Example(question="2?", answer="2"))


def with_k(program: judged.QA) -> None:
    program.k = 4


def with_settings(program: judged.QA) -> None:
    program.steps[0].config["temperature"] = 0.9


def with_a_model(program: judged.QA) -> None:
    program.steps[0].lm = dspex.LM("openai/a", api_key="sk-a")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_instructions, "the instructions of the predictor 'asked.predict'"),
        (with_a_field_more, "the field 'why' of the predictor 'asked.predict' (new)"),
        (with_another_type, "the field 'verdict' of the predictor 'steps[0]'"),
        (with_a_demo, "the demos of the predictor 'asked.predict'"),
        (with_k, "the attribute 'k'"),
        (with_settings, "the settings of the predictor 'steps[0]'"),
        (with_a_model, "the model of the predictor 'steps[0]' (none -> openai/a)"),
    ],
)
def test_each_part_of_a_program_that_changes_is_named(
    change: Callable[[judged.QA], None], words: str
) -> None:
    other = judged.program()

    change(other)

    assert changed(judged.program(), other) == (words,)


class Configured(dspex.Program):
    """Its author's attributes have names that predictors use for their own."""

    checks: list[Any]

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        self.ask = dspex.Predict("question -> answer")
        for name, value in attributes.items():
            setattr(self, name, value)


@pytest.mark.parametrize(
    "name", ["config", "train", "demos", "traces", "signature", "lm", "adapter"]
)
def test_an_attribute_matters_whatever_its_name(name: str) -> None:
    old, new = Configured(**{name: {"k": 3}}), Configured(**{name: {"k": 4}})

    assert changed(old, new) == (f"the attribute {name!r}",)


def test_a_program_may_hold_methods_of_its_own() -> None:
    def made_with(offset: int) -> Configured:
        program = Configured(offset=offset)
        program.checks = [program.named_predictors, dspex.Tool(program.get_lm)]
        return program

    assert changed(made_with(1), made_with(1)) == ()
    assert "the attribute 'offset'" in changed(made_with(1), made_with(2))


def test_a_tool_matters_by_what_it_does_and_not_by_its_module() -> None:
    source = "def look(city: str) -> str:\n    return city.upper()\n"
    before, after = made(source, "look"), made(source.replace("up", "low"), "look")
    main = made(source, "look")
    main.__module__ = "__main__"

    def agent(tool: Any) -> dspex.ReAct:
        return dspex.ReAct("question -> answer", tools=[tool])

    assert changed(agent(before), agent(main)) == ()
    assert changed(agent(before), agent(after)) == ("the attribute 'tools'",)


def test_another_forward_is_another_program() -> None:
    source = """
import dspex
class App(dspex.Program):
    def forward(self, question):
        return dspex.Prediction(answer=question)
"""
    before = made(source, "App")()
    same = made(source.replace("    def", "    # Why.\n\n    def"), "App")()
    after = made(source.replace("answer=question", "answer=question[:9]"), "App")()

    assert changed(before, same) == ()
    assert changed(before, after) == ("the code of App",)


def test_a_function_may_be_the_program() -> None:
    before = made("def answer(question):\n    return {'answer': 1}", "answer")
    after = made("def answer(question):\n    return {'answer': 2}", "answer")

    assert changed(before, after) == ("the code of the program answer",)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("len(example) >", "len(example) >="),
        ("LIMIT = 1", "LIMIT = 2"),
        ("text.strip()", "text.strip().lower()"),
        ("example, prediction)", "example, prediction, trace=1)"),
    ],
)
def test_a_metric_is_its_code_its_constants_and_its_helpers(old: str, new: str) -> None:
    assert old in METRIC

    before, after = made(METRIC), made(METRIC.replace(old, new))

    assert metric_fingerprint(before) != metric_fingerprint(after)


def test_comments_layout_and_docstrings_of_a_metric_do_not_matter() -> None:
    other = METRIC.replace("# A comment.\n", "\n\n").replace("right", "wrong")

    assert metric_fingerprint(made(METRIC)) == metric_fingerprint(made(other))


def test_what_a_metric_remembers_while_it_runs_does_not_matter() -> None:
    source = METRIC + "    seen[example] = 1\n"
    metric: FunctionType = made(source)
    before = metric_fingerprint(metric)

    metric.__globals__["seen"]["x"] = 1

    assert metric_fingerprint(metric) == before


REMEMBERS = """
import itertools, threading
calls, seen, counts = 0, [], {}
ticket = itertools.count()
def program(question):
    global calls
    calls += 1
    seen.append(question)
    counts[question] = counts.get(question, 0) + 1
    return next(ticket)
class Counting:
    def __init__(self):
        self.calls, self.seen, self.lock = 0, [], threading.Lock()
    def __call__(self, question):
        with self.lock:
            self.calls += 1
            self.seen.append(question)
def counting():
    calls, seen = 0, []
    def program(question):
        nonlocal calls
        calls += 1
        seen.append(question)
    return program
closure = counting()
counter = Counting()
"""


@pytest.mark.parametrize("name", ["program", "closure", "counter"])
def test_a_program_that_counts_its_calls_is_the_same_afterwards(name: str) -> None:
    program = made(REMEMBERS, name)
    before = program_fingerprint(program)

    program("q")

    assert program_fingerprint(program) == before


def test_a_program_class_that_counts_its_calls_is_the_same_afterwards() -> None:
    class Counting(dspex.Program):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def forward(self, question: str) -> str:
            self.calls += 1
            return question

    program = Counting()
    before = program_fingerprint(program)

    program(question="q")

    assert program.calls == 1
    assert program_fingerprint(program) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [("words = ['a']", "words = ['b']"), ("words[0]", "words[-1]")],
)
def test_a_list_that_is_only_read_matters(old: str, new: str) -> None:
    source = "words = ['a']\ndef metric(example, prediction):\n    return words[0]\n"
    assert old in source

    before, after = made(source), made(source.replace(old, new))

    assert metric_fingerprint(before) != metric_fingerprint(after)


def test_what_is_read_where_an_item_is_set_matters() -> None:
    source = """
counts, weights = {}, {"a": 1}
def metric(example, prediction):
    counts[example.a] = weights[example.a]
    return counts[example.a]
"""
    before, after = made(source), made(source.replace('"a": 1', '"a": 2'))

    assert metric_fingerprint(before) != metric_fingerprint(after)


def test_the_model_of_a_judge_that_a_metric_asks_matters() -> None:
    judge = dspex.ChainOfThought("answer -> is_right: bool")

    def metric(example: Any, prediction: Any) -> bool:
        return bool(judge(answer=prediction.answer).is_right)

    before = metric_fingerprint(metric)

    judge.set_lm(dspex.LM("openai/a", api_key="sk-a"))

    assert metric_fingerprint(metric) != before


class InSlots:
    __slots__ = ("threshold",)

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def __call__(self, example: Any, prediction: Any) -> bool:
        return len(prediction.answer) > self.threshold


def test_what_an_object_keeps_in_slots_matters() -> None:
    assert metric_fingerprint(InSlots(1)) != metric_fingerprint(InSlots(2))
    assert row_digest(dspex.Example(a=InSlots(1))) != row_digest(
        dspex.Example(a=InSlots(2))
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (judged.at_least(0.5), judged.at_least(0.6)),
        (judged.Judge(strict=True), judged.Judge(strict=False)),
        (exact_match("answer"), exact_match("title")),
        (
            functools.partial(judged.near, trace=None),
            functools.partial(judged.near, trace=1),
        ),
        (lambda example, _: example.a, lambda example, _: example.b),
        (dspex.SemanticF1(threshold=0.5), dspex.SemanticF1(threshold=0.6)),
    ],
    ids=["closure", "object", "library", "partial", "lambda", "program"],
)
def test_what_a_metric_was_made_with_matters(old: Any, new: Any) -> None:
    assert list(metric_fingerprint(old).values()) != list(
        metric_fingerprint(new).values()
    )


def model(name: str = "openai/gpt-4o-mini", **settings: Any) -> Any:
    return dspex.LM(name, **{"api_key": "sk-first", **settings})


@pytest.mark.parametrize(
    "other",
    [
        model("openai/gpt-4o"),
        model(temperature=0.7),
        model(api_base="https://example.com/v1"),
        model(fallbacks=[model("openai/gpt-4o")]),
    ],
)
def test_a_model_is_its_name_its_settings_and_its_address(other: Any) -> None:
    assert model_fingerprint(other) != model_fingerprint(model())


@pytest.mark.parametrize(
    "other",
    [model(api_key="sk-second"), model(cache=False), model(num_retries=9)],
)
def test_keys_and_patience_do_not_make_another_model(other: Any) -> None:
    assert model_fingerprint(other) == model_fingerprint(model())


def test_no_fingerprint_holds_a_key() -> None:
    told = fingerprints(judged.program(), judged.near, lm=model())

    assert "sk-" not in head(fingerprints=told).to_json()


def test_another_model_is_named_with_both_names() -> None:
    def with_lm(lm: Any) -> Any:
        return head(fingerprints=fingerprints(judged.program(), judged.near, lm=lm))

    assert what_changed(with_lm(model("openai/a")), with_lm(model("openai/b"))) == (
        "the model (openai/a -> openai/b)",
    )
    assert what_changed(with_lm(model()), with_lm(model(temperature=1.0))) == (
        "the settings of the model (openai/gpt-4o-mini)",
    )


def test_another_metric_data_set_and_number_of_trials_are_named() -> None:
    metrics = {"exact": exact_match("answer"), "near": judged.near}
    old = head(fingerprints=fingerprints(len, metrics), total=3)
    other = {"near": judged.near, "exact": exact_match("title")}
    new = head(fingerprints=fingerprints(len, other), total=4, trials=2)

    assert what_changed(old, new) == (
        "the data set (3 rows -> 4 rows)",
        "the trials (1 -> 2)",
        "the metric exact",
        "the order of the metrics",
    )


def test_code_of_another_python_is_told_as_that_and_not_as_a_change() -> None:
    old = fingerprints(judged.program(), judged.near)
    metric = dict.fromkeys(old.metric, "of another Python")
    new = replace(old, metric=metric, python="3.99")

    changes = what_changed(head(fingerprints=old), head(fingerprints=new))

    assert changes == (f"Python ({old.python} -> 3.99)",)


def test_a_run_that_is_another_is_refused_with_all_that_changed() -> None:
    old = head(fingerprints=fingerprints(judged.program(), judged.near))
    new = head(fingerprints=fingerprints(judged.program(), len), trials=2)

    check_same(old, old)
    with pytest.raises(RunChangedError, match="the metric near") as caught:
        check_same(old, new)

    assert "the trials (1 -> 2)" in caught.value.changes
    assert isinstance(caught.value, ConfigurationError)


def test_a_head_comes_back_as_it_was() -> None:
    told = head(
        fingerprints=fingerprints(judged.program(), judged.METRICS, lm=model()),
        metrics=("a", "b"),
        metric_range=(float("-inf"), 2.0),
        settings={"concurrency": 16, "timeout": None},
    )

    assert type(told).from_json(told.to_json()) == told
