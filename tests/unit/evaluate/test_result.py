"""What a result says: pure numbers over outcomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.client.call import AttemptRecord, Fate
from dspex.core.lm import Usage
from dspex.evaluate.results.causes import Cause
from dspex.evaluate.results.outcome import ErrorNote, Outcome, OutcomeKind, Stamp
from dspex.evaluate.results.result import EvaluationResult


def outcome(number: int, kind: OutcomeKind, score: float | None = None) -> Outcome:
    error = None
    if kind is not OutcomeKind.SCORED:
        error = ErrorNote(
            stage="program", type="Boom", message=f"at {number}\nmore", where=""
        )
    return Outcome(
        stamp=Stamp(run="r", example=number), kind=kind, score=score, error=error
    )


def result(*outcomes: Outcome | None, **more: Any) -> EvaluationResult:
    examples = [dspex.Example(n=number) for number in range(len(outcomes))]
    return EvaluationResult(examples=examples, outcomes=outcomes, **more)


def scored(*scores: float) -> list[Outcome]:
    return [outcome(n, OutcomeKind.SCORED, s) for n, s in enumerate(scores)]


def test_failures_stay_in_the_denominator() -> None:
    found = result(
        *scored(1.0, 1.0), outcome(2, OutcomeKind.MODEL), outcome(3, OutcomeKind.METRIC)
    )

    assert found.score == 50.0
    assert found.complete
    assert found.scores == (1.0, 1.0, 0.0, 0.0)


def test_a_result_counts_as_its_score() -> None:
    low, high = result(*scored(0.0, 0.5)), result(*scored(1.0, 0.5))

    assert (float(low), float(high)) == (25.0, 75.0)
    assert max(low, high) is high
    assert low < high
    assert high >= 75
    assert high > dspex.Prediction(score=70.0)
    assert sum([low, high]) / 2 == 50.0
    assert low != result(*scored(0.5, 0.0))


def test_what_was_not_measured_gives_a_lower_and_an_upper_bound() -> None:
    found = result(
        *scored(1.0, 0.0), outcome(2, OutcomeKind.TIMEOUT), None, failure_score=0.0
    )

    assert not found.complete
    assert found.score == 25.0
    assert found.score_measured == 50.0
    assert found.score_at_best == 75.0
    assert str(found).startswith(
        "25.0, could be up to 75.0: 2 of 4 not measured (1 timeout, 1 not begun)"
    )


def test_the_failure_score_is_what_a_failure_adds() -> None:
    found = result(*scored(1.0), outcome(1, OutcomeKind.PROGRAM), failure_score=-1.0)

    assert found.score == 0.0


def test_a_complete_result_prints_its_standard_error() -> None:
    assert str(result(*scored(1.0, 0.0, 1.0, 1.0))) == "75.0 ± 25.0 (4 examples)"
    assert repr(result(*scored(1.0))) == "EvaluationResult(score=100.0, n=1)"
    assert float(result(*scored(1.0))) == 100.0


def test_failures_are_summed_up_by_cause_with_their_first_example() -> None:
    found = result(
        *scored(1.0),
        outcome(1, OutcomeKind.PROGRAM),
        outcome(2, OutcomeKind.PROGRAM),
        outcome(3, OutcomeKind.MODEL),
    )

    assert found.failure_summary() == (
        "2 failed by program (Boom), first example 1: at 1",
        "1 failed by model (Boom), first example 3: at 3",
    )


def test_rows_are_dspys_triples_and_a_failure_has_an_empty_prediction() -> None:
    found = result(*scored(1.0), outcome(1, OutcomeKind.PROGRAM))

    (_, _, first), (example, prediction, second) = found.results
    assert (first, second) == (1.0, 0.0)
    assert example.n == 1
    assert len(prediction) == 0


def test_usage_and_fates_come_from_the_requests() -> None:
    usage = Usage(prompt_tokens=3, completion_tokens=2)
    records = {
        name: AttemptRecord(
            request_id=name, call_id="c", number=1, fate=fate, usage=usage
        )
        for name, fate in (("a", Fate.ANSWERED), ("b", Fate.FAILED))
    }
    found = result(*scored(1.0), requests=records)

    assert found.calls == 2
    assert found.usage == usage + usage
    assert found.fates() == {Fate.ANSWERED: 1, Fate.FAILED: 1}


KINDS = st.sampled_from([*OutcomeKind, None])


@given(st.lists(st.tuples(KINDS, st.floats(0, 1)), min_size=1, max_size=30))
def test_the_bounds_hold_the_score_of_what_was_measured(
    drawn: list[tuple[OutcomeKind | None, float]],
) -> None:
    found = result(
        *(
            None
            if kind is None
            else outcome(n, kind, score if kind is OutcomeKind.SCORED else None)
            for n, (kind, score) in enumerate(drawn)
        )
    )

    assert found.score <= found.score_at_best + 0.01
    measured = found.score_measured
    if measured is not None:
        assert found.score - 0.01 <= measured
    assert found.complete == (sum(found.not_measured.values()) == 0)
    if found.complete:
        assert found.score == pytest.approx(found.score_at_best)


def test_several_numbers_are_columns_in_order_and_count_as_the_score_does() -> None:
    told = replace(scored(1.0)[0], columns={"exact": 1.0, "f1": 0.5})
    more = replace(scored(0.0, 0.0)[1], columns={"exact": 0.0, "f1": 0.25, "new": 1.0})

    found = result(told, more, outcome(2, OutcomeKind.PROGRAM), None)

    assert found.columns == {
        "exact": (1.0, 0.0, None, None),
        "f1": (0.5, 0.25, None, None),
        "new": (None, 1.0, None, None),
    }
    assert found.column_scores == {"exact": 25.0, "f1": 18.75, "new": 25.0}
    assert "\n  exact 25.0, f1 18.8, new 25.0\n" in str(found)


def test_a_metric_with_one_number_has_no_columns() -> None:
    found = result(*scored(1.0, 0.0))

    assert found.columns == {}
    assert str(found).count("\n") == 0


def test_what_a_model_says_cannot_steer_the_terminal_it_is_printed_on() -> None:
    error = ErrorNote(
        stage="program", type="ValueError", message="bad \x1b[2J\rmodel", where=""
    )
    failed = Outcome(
        stamp=Stamp(run="r", example=0), kind=OutcomeKind.PROGRAM, error=error
    )
    result = EvaluationResult(examples=(dspex.Example(q=1),), outcomes=(failed,))

    assert not set("\x1b\r") & set(str(result))
    assert "bad " in str(result)


@pytest.mark.parametrize(
    ("kind", "error", "line"),
    [
        (OutcomeKind.CANCELLED, "cancelled", "2 broken off, first example 3: late"),
        (OutcomeKind.TIMEOUT, "timeout", "2 failed by timeout, first example 3: late"),
        (
            OutcomeKind.TIMEOUT,
            "LMTimeoutError",
            "2 failed by timeout (LMTimeoutError), first example 3: late",
        ),
    ],
)
def test_a_cause_without_an_error_names_no_class(
    kind: OutcomeKind, error: str, line: str
) -> None:
    cause = Cause(kind=kind, error=error, count=2, first=3, text="late")

    assert str(cause) == line
