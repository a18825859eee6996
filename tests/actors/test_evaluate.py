"""Evaluation on real actors against a real HTTP server that misbehaves."""

from __future__ import annotations

import gc
import json
import math
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.client.call import Fate
from dspex.core.errors import CircuitOpenError, EvaluationError, LMAuthError
from dspex.evaluate.results.outcome import OutcomeKind
from dspex.testing import FakeProvider, Hang
from tests.actors.rows import answer, right, rows


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer) as running:
        yield running


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime() as running:
        yield running


@pytest.fixture
def lm(provider: FakeProvider, runtime: dspex.Runtime) -> dspex.LM:
    return dspex.LM("openai/fake", api_base=provider.base_url)


def evaluator(count: int, **options: Any) -> dspex.Evaluate:
    return dspex.Evaluate(
        devset=rows(count), metric=right, display_progress=False, **options
    )


def test_every_example_is_scored_in_input_order(lm: dspex.LM) -> None:
    with dspex.context(lm=lm):
        result = evaluator(50)(dspex.Predict("question -> answer"))

    assert result.score == 100.0
    assert result.complete
    assert [row[0].question for row in result.results] == [f"q{n}" for n in range(50)]
    assert [row[1].answer for row in result.results] == [f"a{n}" for n in range(50)]
    assert result.calls == 50
    assert result.usage.total_tokens > 0


def test_never_more_workers_than_concurrency(runtime: dspex.Runtime) -> None:
    lock = threading.Lock()
    alive = most = 0
    gate = threading.Barrier(4)

    def program(question: str) -> dspex.Prediction:
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        gate.wait(10)
        with lock:
            alive -= 1
        return dspex.Prediction(answer=question.replace("q", "a"))

    result = evaluator(20, concurrency=4)(program)

    assert result.score == 100.0
    assert most == 4


def test_num_threads_is_dspys_name_for_concurrency() -> None:
    evaluate = evaluator(1, num_threads=3)

    assert evaluate.concurrency == evaluate.num_threads == 3


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.usefixtures("runtime")
def test_what_a_call_is_given_wins_for_that_call(
    debug: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(example: dspex.Example, prediction: Any) -> float:
        return 0.0

    evaluate = evaluator(2, debug=debug, save_as_json=tmp_path / "own.json")

    given = evaluate(
        program,
        wrong,
        rows(3),
        num_threads=1,
        display_progress=False,
        display_table=1,
        save_as_csv=str(tmp_path / "rows.csv"),
        save_as_json=str(tmp_path / "rows.json"),
    )

    assert (given.score, given.n) == (0.0, 3)
    assert capsys.readouterr().out.splitlines() == [
        "question  example_answer  pred_answer  wrong",
        "q0        a0              a0           0.0",
        "(2 more rows)",
    ]
    saved = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert [row["question"] for row in saved] == ["q0", "q1", "q2"]
    assert (tmp_path / "rows.csv").exists()
    assert not (tmp_path / "own.json").exists()
    assert (evaluate(program).score, evaluate(program).n) == (100.0, 2)
    assert (tmp_path / "own.json").exists()


def program(question: str) -> dspex.Prediction:
    return dspex.Prediction(answer=question.replace("q", "a"))


@pytest.mark.usefixtures("runtime")
def test_callbacks_hear_what_is_theirs() -> None:
    heard: list[Any] = []

    class Ear(dspex.BaseCallback):
        def on_evaluate_start(self, call_id: str, instance: Any, inputs: Any) -> None:
            heard.append(inputs["callback_metadata"])

    with dspex.context(callbacks=[Ear()]):
        evaluator(1)(program, callback_metadata={"run": 7})

    assert heard == [{"run": 7}]


def test_a_program_that_raises_fails_its_example_and_no_other(
    runtime: dspex.Runtime,
) -> None:
    def program(question: str) -> dspex.Prediction:
        if question == "q3":
            raise ZeroDivisionError("three")
        return dspex.Prediction(answer=question.replace("q", "a"))

    result = evaluator(10)(program)

    (failed,) = result.failures
    assert failed.kind is OutcomeKind.PROGRAM
    assert failed.stamp.example == 3
    assert failed.error is not None
    assert isinstance(failed.error.error, ZeroDivisionError)
    assert "three" in failed.error.where
    assert result.score == 90.0
    assert result.complete


@pytest.mark.parametrize(
    "raised", [SystemExit(3), KeyboardInterrupt(), RecursionError()]
)
def test_whatever_a_program_raises_is_an_outcome(
    runtime: dspex.Runtime, raised: BaseException
) -> None:
    def program(question: str) -> dspex.Prediction:
        raise raised

    result = evaluator(2)(program)

    assert [o.kind for o in result.failures] == [OutcomeKind.PROGRAM] * 2


def test_a_prediction_is_kept_when_the_metric_raises(runtime: dspex.Runtime) -> None:
    def metric(example: dspex.Example, prediction: Any) -> bool:
        raise ValueError("metric")

    evaluate = dspex.Evaluate(
        devset=rows(3), metric=metric, display_progress=False, max_errors=math.inf
    )
    result = evaluate(lambda question: dspex.Prediction(answer="paid for"))

    assert {o.kind for o in result.failures} == {OutcomeKind.METRIC}
    assert [row[1].answer for row in result.results] == ["paid for"] * 3


def test_a_metric_that_returns_none_is_told_so(runtime: dspex.Runtime) -> None:
    evaluate = dspex.Evaluate(
        devset=rows(30),
        metric=lambda example, prediction: None,
        display_progress=False,
    )

    with pytest.raises(EvaluationError, match="without a return") as caught:
        evaluate(lambda question: dspex.Prediction(answer="x"))

    assert "max_errors" in str(caught.value)
    assert len(caught.value.result.failures) >= 10
    assert isinstance(caught.value.__cause__, TypeError)


def test_answers_that_do_not_fit_are_measured_and_never_stop_the_run(
    runtime: dspex.Runtime,
) -> None:
    with FakeProvider(answer=lambda messages: "no markers") as provider:
        lm = dspex.LM("openai/fake", api_base=provider.base_url)
        with dspex.context(lm=lm):
            result = evaluator(30)(dspex.Predict("question -> answer"))

    assert {o.kind for o in result.failures} == {OutcomeKind.MODEL}
    assert result.score == 0.0
    assert result.complete
    assert len(provider.bill) == 30


def test_an_example_out_of_time_is_given_up_and_the_rest_goes_on(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(Hang(), on=lambda billed: "q5" in str(billed.body))
    lm = dspex.LM("openai/fake", api_base=provider.base_url)

    with dspex.context(lm=lm):
        result = evaluator(20, timeout=5.0)(dspex.Predict("question -> answer"))

    (slow,) = result.failures
    assert slow.kind is OutcomeKind.TIMEOUT
    assert slow.stamp.example == 5
    assert not result.complete
    assert "1 of 20 not measured (1 timeout)" in str(result)
    assert "could be up to 100.0" in str(result)
    assert result.fates()[Fate.CANCELLED] == 1


def test_a_program_that_ignores_its_deadline_holds_nobody_up(
    runtime: dspex.Runtime,
) -> None:
    released = threading.Event()

    def program(question: str) -> dspex.Prediction:
        if question == "q0":
            released.wait(30)
        return dspex.Prediction(answer=question.replace("q", "a"))

    result = evaluator(10, timeout=1.0)(program)
    released.set()

    (slow,) = result.failures
    assert slow.stamp.example == 0
    assert slow.latency >= 1.0
    assert slow.error is not None
    # Where it hung: the user's own line, then what that waits in.
    assert "released.wait(30)" in slow.error.where.splitlines()[1]
    assert "threading.py" in slow.error.where
    assert "released.wait(30)" in result.explain(0)
    assert "was not done after 1 s" in result.explain(0)


def test_a_program_given_up_cannot_spend_any_more(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    released, refused = threading.Event(), threading.Event()
    lm = dspex.LM("openai/fake", api_base=provider.base_url)
    predict = dspex.Predict("question -> answer")

    def program(question: str) -> Any:
        released.wait(30)
        try:
            return predict(question=question)
        except dspex.LMError:
            refused.set()
            raise

    with dspex.context(lm=lm):
        evaluator(1, timeout=0.2)(program)
    released.set()

    assert refused.wait(10)
    assert provider.bill == ()


def test_a_wrong_key_ends_the_run_after_the_first_calls(
    runtime: dspex.Runtime,
) -> None:
    with FakeProvider(answer=answer, api_key="right") as provider:
        lm = dspex.LM("openai/fake", api_base=provider.base_url, api_key="wrong")
        with dspex.context(lm=lm), pytest.raises(EvaluationError) as caught:
            evaluator(200, concurrency=4)(dspex.Predict("question -> answer"))

    assert isinstance(caught.value.__cause__, LMAuthError)
    assert len(provider.bill) <= 8
    assert "wrong" not in str(caught.value)


def test_a_provider_that_is_down_ends_in_one_error_with_the_cause() -> None:
    with FakeProvider(answer=answer) as provider:
        address = provider.base_url
    config = dspex.Config(breaker_reset=0.2, max_outage=0.5)
    with dspex.Runtime(config):
        lm = dspex.LM("openai/fake", api_base=address)
        with dspex.context(lm=lm), pytest.raises(EvaluationError) as caught:
            evaluator(100)(dspex.Predict("question -> answer"))

    assert isinstance(caught.value.__cause__, CircuitOpenError | dspex.LMError)
    assert "no connection to" in str(caught.value)
    assert caught.value.result.n == 100


def test_no_model_is_one_clear_error(runtime: dspex.Runtime) -> None:
    with dspex.context(lm=None), pytest.raises(EvaluationError) as caught:
        evaluator(50)(dspex.Predict("question -> answer"))

    assert "dspex.LM(" in str(caught.value)
    assert isinstance(caught.value.__cause__, dspex.ConfigurationError)


def test_many_workers_on_few_slots_wait_without_timeout_or_retry(
    runtime: dspex.Runtime,
) -> None:
    with FakeProvider(answer=answer, slots=4, latency=0.05) as provider:
        lm = dspex.LM("openai/fake", api_base=provider.base_url)
        with dspex.context(lm=lm):
            result = evaluator(64, concurrency=64)(dspex.Predict("question -> answer"))

    assert result.score == 100.0
    assert result.fates() == Counter({Fate.ANSWERED: 64})
    assert len(provider.bill) == 64


def test_workers_see_the_callers_context_and_not_each_others(
    runtime: dspex.Runtime,
) -> None:
    seen: list[tuple[Any, Any]] = []

    def program(question: str) -> dspex.Prediction:
        seen.append((dspex.settings.trace, dspex.settings.max_errors))
        dspex.settings.trace.append(question)
        with dspex.context(max_errors=1):
            return dspex.Prediction(answer=question.replace("q", "a"))

    trace: list[Any] = []
    with dspex.context(trace=trace, max_errors=7):
        evaluator(5, concurrency=1)(program)

    assert [errors for _, errors in seen] == [7] * 5
    assert sorted(trace) == [f"q{n}" for n in range(5)]


def test_debug_runs_on_this_thread_and_raises_the_users_own_error() -> None:
    here = threading.current_thread()

    def program(question: str) -> dspex.Prediction:
        assert threading.current_thread() is here
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        evaluator(3, debug=True)(program)

    assert caught.traceback[-1].name == "program"
    result = evaluator(3, debug=True)(lambda question: dspex.Prediction(answer="a1"))
    assert result.scores == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("way", ["thread", "loop"])
def test_debugging_counts_what_it_asks_and_every_trial(
    provider: FakeProvider, lm: dspex.LM, way: str
) -> None:
    predict = dspex.Predict("question -> answer")

    async def later(question: str) -> Any:
        return await predict.acall(question=question)

    with dspex.context(lm=lm):
        program = predict if way == "thread" else later
        result = evaluator(2, debug=True, trials=3)(program)

    assert (result.n, result.trials, result.score) == (2, 3, 100.0)
    assert result.money.calls == len(provider.bill) == 6
    assert result.usage.total_tokens == result.money.usage.total_tokens > 0
    assert all(outcome and outcome.latency > 0 for outcome in result.outcomes)
    assert result.seconds > 0


def test_an_interrupted_result_goes_on_where_it_stopped(runtime: dspex.Runtime) -> None:
    calls: list[str] = []

    def program(question: str) -> dspex.Prediction:
        calls.append(question)
        if question == "q2" and len(calls) < 10:
            raise ZeroDivisionError
        return dspex.Prediction(answer=question.replace("q", "a"))

    evaluate = evaluator(6, concurrency=1, max_errors=1)
    with pytest.raises(EvaluationError) as caught:
        evaluate(program)
    first = caught.value.result
    result = evaluate(program, resume=first)

    assert calls == ["q0", "q1", "q2", "q3", "q4", "q5"]
    assert [o.stamp.example for o in result.failures] == [2]


def test_a_result_of_other_examples_cannot_be_resumed(runtime: dspex.Runtime) -> None:
    result = evaluator(2)(lambda question: dspex.Prediction(answer="a"))

    with pytest.raises(dspex.ConfigurationError, match="other examples"):
        evaluator(3)(lambda question: dspex.Prediction(answer="a"), resume=result)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"devset": []}, "empty"),
        ({"devset": "q1"}, "sequence of examples"),
        ({"devset": [{"question": "q"}]}, "expected an Example"),
        ({"metric": 3}, "expected a function"),
        ({"concurrency": 0}, "above zero"),
        ({"concurrency": "4"}, "whole number above zero"),
        ({"concurrency": 2.5}, "whole number above zero"),
        ({"trials": 1.5}, "whole number above zero"),
        ({"timeout": -1.0}, "above zero"),
        ({"timeout": "4"}, "number of seconds above zero"),
        ({"failure_score": math.nan}, "failure_score is nan"),
        ({"failure_score": -math.inf}, "failure_score is -inf"),
        ({"failure_score": "0"}, "failure_score is '0'"),
        ({"display_table": "all"}, "display_table is 'all'"),
        ({"display_table": -1}, "how many rows to print"),
        ({"run": 5}, "a name as text"),
        ({"notes": "july"}, "notes is 'str'"),
        ({"notes": {"made": object()}}, "notes are no JSON values"),
    ],
)
def test_bad_options_are_refused_before_any_work(
    options: dict[str, Any], text: str
) -> None:
    given: dict[str, Any] = {"devset": rows(1), "metric": right, **options}

    with pytest.raises(dspex.ConfigurationError, match=text):
        dspex.Evaluate(**given)


@pytest.mark.parametrize(
    ("program", "call", "text"),
    [
        (3, {}, "program is 'int'; expected a Program"),
        (dspex.Predict, {}, "program is the class 'Predict'"),
        (lambda question: question, {"run": ""}, "'' is no name of a run"),
        (lambda question: question, {"resume": "july"}, "give its name as run="),
    ],
)
def test_bad_arguments_of_a_call_are_refused_before_any_work(
    runtime: dspex.Runtime, program: Any, call: dict[str, Any], text: str
) -> None:
    evaluate = dspex.Evaluate(devset=rows(1), metric=right)

    with pytest.raises(dspex.ConfigurationError, match=text):
        evaluate(program, **call)


def test_max_errors_names_the_causes_and_not_what_was_in_hand(
    runtime: dspex.Runtime,
) -> None:
    released = threading.Event()

    def program(question: str) -> dspex.Prediction:
        if question == "q0":
            released.wait(20)
        raise ValueError("no such thing")

    evaluate = dspex.Evaluate(devset=rows(9), metric=right, concurrency=2, max_errors=3)
    with pytest.raises(EvaluationError) as caught:
        evaluate(program)
    released.set()

    lines = str(caught.value).splitlines()
    assert sum("no such thing" in line for line in lines) == 1
    assert not any("by cancelled" in line for line in lines)
    # The one that waits, and maybe one that the other worker had just begun.
    assert caught.value.result.not_measured["cancelled"] in (1, 2)


def test_one_slow_example_holds_no_other_up_and_is_begun_once(
    runtime: dspex.Runtime,
) -> None:
    last_is_done = threading.Event()
    asked: Counter[str] = Counter()

    def program(question: str) -> dspex.Prediction:
        asked[question] += 1
        if question == "q0":
            # In batches the others would wait for it, and it for them.
            assert last_is_done.wait(20)
        if question == "q49":
            last_is_done.set()
        return dspex.Prediction(answer=question.replace("q", "a"))

    evaluate = dspex.Evaluate(devset=rows(50), metric=right, concurrency=2)

    assert evaluate(program).score == 100.0
    assert set(asked.values()) == {1}


def test_a_low_score_is_no_error(runtime: dspex.Runtime) -> None:
    evaluate = dspex.Evaluate(devset=rows(30), metric=lambda *_: 0.0, max_errors=1)

    result = evaluate(lambda question: dspex.Prediction(answer=question))

    assert (result.score, result.complete, result.failures) == (0.0, True, ())


def test_an_example_leaves_nothing_for_the_garbage_collector(
    runtime: dspex.Runtime,
) -> None:
    def program(question: str) -> dspex.Prediction:
        return dspex.Prediction(answer=question.replace("q", "a"))

    evaluator(10, persist=False)(program)
    gc.collect()
    gc.disable()
    try:
        result = evaluator(1000, persist=False)(program)
        left_over = gc.collect()
    finally:
        gc.enable()

    # The parts of the two runs may; and the journal's places, a pair for each example.
    assert result.score == 100.0
    assert left_over < 2 * 1000
