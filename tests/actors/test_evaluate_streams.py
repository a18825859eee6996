"""Examples as a stream: taken one by one, no faster than needed, kept nowhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.core.errors import EvaluationError, RunChangedError
from tests.actors.rows import right


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime() as running:
        yield running


def row(number: int) -> dspex.Example:
    example = dspex.Example(question=f"q{number}", answer=f"a{number}")
    return example.with_inputs("question")


def program(question: str) -> dspex.Prediction:
    return dspex.Prediction(answer=question.replace("q", "a"))


def evaluator(devset: Any, **options: Any) -> dspex.Evaluate:
    defaults: dict[str, Any] = {"metric": right, "display_progress": False}
    return dspex.Evaluate(devset=devset, **defaults | options)


@pytest.mark.parametrize("persist", [True, False])
def test_a_streams_results_are_in_its_order(persist: bool) -> None:
    evaluate = evaluator(lambda: map(row, range(200)), persist=persist)

    result = evaluate(program)

    assert result.score == 100.0
    assert result.n == 200
    assert [one.question for one in result.examples] == [f"q{n}" for n in range(200)]
    assert [o.stamp.example for o in result.outcomes if o] == list(range(200))


def test_a_function_begins_its_stream_anew_for_each_evaluation() -> None:
    evaluate = evaluator(lambda: map(row, range(5)))

    assert [evaluate(program).n, evaluate(program).n] == [5, 5]


def test_a_stream_is_taken_no_further_than_there_is_room_for() -> None:
    taken, done, ahead = [0], [0], [0]

    def stream() -> Iterator[dspex.Example]:
        for number in range(100):
            taken[0] += 1
            ahead[0] = max(ahead[0], taken[0] - done[0])
            yield row(number)

    def counted(question: str) -> dspex.Prediction:
        prediction = program(question)
        done[0] += 1
        return prediction

    evaluator(stream, concurrency=4)(counted)

    assert taken == [100]
    # In hand are those at work, and as many that are ready or being counted.
    assert ahead[0] <= 2 * 4 + 1


def test_a_slow_stream_gives_each_example_out_at_once() -> None:
    worked = threading.Event()

    def stream() -> Iterator[dspex.Example]:
        yield row(0)
        assert worked.wait(30), "the first was held back until the second came"
        yield row(1)

    def noted(question: str) -> dspex.Prediction:
        worked.set()
        return program(question)

    assert evaluator(stream)(noted).n == 2


def test_a_stream_that_raises_ends_the_run_and_keeps_what_was_measured() -> None:
    def stream() -> Iterator[dspex.Example]:
        yield from map(row, range(7))
        raise OSError("the disk is gone")

    with pytest.raises(EvaluationError, match="after 7: the disk is gone") as caught:
        evaluator(stream)(program)

    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.result.n == 7
    assert caught.value.result.score == 100.0


def test_what_is_no_example_is_named_by_its_place() -> None:
    def stream() -> Iterator[Any]:
        yield row(0)
        yield {"question": "q1"}

    with pytest.raises(EvaluationError, match=r"devset\[1\] is 'dict'"):
        evaluator(stream)(program)


def test_trials_of_a_stream_lie_side_by_side() -> None:
    result = evaluator(lambda: map(row, range(9)), trials=3)(program)

    assert result.n == 9
    assert [(o.stamp.example, o.stamp.trial) for o in result.outcomes if o] == [
        (number, trial) for number in range(9) for trial in range(3)
    ]


def test_a_hung_metric_is_given_up_alone() -> None:
    released = threading.Event()

    def slow(example: dspex.Example, prediction: Any) -> bool:
        if example.question == "q3":
            released.wait(30)
        return right(example, prediction)

    result = evaluator([row(n) for n in range(6)], metric=slow, metric_timeout=1.0)(
        program
    )
    released.set()

    (failed,) = result.failures
    assert failed.stamp.example == 3
    assert (failed.kind.value, failed.stage) == ("timeout", "metric")
    assert failed.error is not None
    assert "metric_timeout=" in failed.error.message


def test_a_run_out_of_time_ends_with_what_it_has() -> None:
    released = threading.Event()

    def hangs(question: str) -> dspex.Prediction:
        if question == "q2":
            released.wait(30)
        return program(question)

    result = evaluator([row(n) for n in range(3)], concurrency=1, total_timeout=2.0)(
        hangs
    )
    released.set()

    kinds = [o and o.kind.value for o in result.outcomes]
    assert kinds == ["scored", "scored", "timeout"]
    assert not result.complete


def test_a_stream_without_an_example_is_an_error_and_no_score() -> None:
    examples = iter([row(0)])
    evaluate = evaluator(examples)

    assert evaluate(program).score == 100.0
    with pytest.raises(dspex.ConfigurationError, match="gave none"):
        evaluate(program)


def test_a_function_that_gives_no_stream_is_told_so() -> None:
    with pytest.raises(dspex.ConfigurationError, match="function gave 'int'"):
        evaluator(lambda: 3)(program)


def test_a_result_of_a_stream_is_shown_as_any_other() -> None:
    assert repr(evaluator(iter([row(0)]))(program)) == (
        "EvaluationResult(score=100.0, n=1)"
    )


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([row(0), row(2), row(1)], "row 1 of the data set is not"),
        ([row(0), row(1)], r"3 rows -> 2 rows"),
    ],
)
def test_another_stream_under_an_old_name_is_an_error_that_names_it(
    rows: list[dspex.Example], text: str, tmp_path: Path
) -> None:
    with dspex.Runtime(dspex.Config(home=tmp_path)):
        evaluator(iter([row(n) for n in range(3)]), run="mine")(program)

        with pytest.raises(RunChangedError, match=text):
            evaluator(iter(rows), run="mine")(program)


def test_a_stream_that_has_grown_is_gone_on_with(tmp_path: Path) -> None:
    seen = []

    def notes(question: str) -> dspex.Prediction:
        seen.append(question)
        return program(question)

    with dspex.Runtime(dspex.Config(home=tmp_path)):
        evaluator(iter([row(n) for n in range(3)]), run="mine")(notes)
        result = evaluator(iter([row(n) for n in range(5)]), run="mine")(notes)

        assert (result.n, result.score) == (5, 100.0)
    assert len(seen) == 5
