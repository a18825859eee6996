"""Calls kept with their outcome: whose, how much, and as what text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.core.errors import ConfigurationError
from dspex.evaluate.record.rows import outcome_of, outcome_row
from dspex.evaluate.results.outcome import ErrorNote, OutcomeKind
from dspex.evaluate.working.traced_call import (
    LONGEST_TRACE,
    TracedCall,
    shortened,
    with_room,
)
from dspex.evaluate.working.traces import MOST_TRACES, Tracing, checked_keep
from tests.unit.evaluate.outcomes import failed, result_of, scored

CALL = TracedCall(
    model="openai/fake",
    asker="Predict(question -> answer)",
    messages=(("system", "Answer."), ("user", "q1\x1b[2J")),
    answers=("a2",),
    seconds=0.25,
    prompt_tokens=7,
    completion_tokens=3,
)


@pytest.mark.parametrize(
    ("keep", "wanted"),
    [
        ("all", [True, True, True]),
        ("wrong", [False, True, True]),
    ],
)
def test_whose_calls_are_kept(keep: str, wanted: list[bool]) -> None:
    tracing = Tracing(checked_keep(keep), full=1.0)

    assert [tracing.wants(score) for score in (1.0, 0.5, None)] == wanted


def test_so_many_wrong_examples_are_kept_and_no_more() -> None:
    tracing = Tracing("wrong", full=1.0)

    wanted = [tracing.wants(0.0) for _ in range(MOST_TRACES + 10)]

    assert sum(wanted) == MOST_TRACES
    assert not any(wanted[MOST_TRACES:])


def test_another_word_for_whose_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected 'wrong', 'all' or 'none'"):
        dspex.Evaluate(
            devset=[dspex.Example(n=1).with_inputs("n")],
            keep_traces="some",  # type: ignore[arg-type] # what is tested
        )


@given(text=st.text(), most=st.integers(min_value=2, max_value=30))
def test_a_shortened_text_has_its_beginning_and_its_end(text: str, most: int) -> None:
    found = shortened(text, most)

    assert found.startswith(text[: most // 2])
    assert found.endswith(text[len(text) - most // 2 :])
    assert found == text or len(text) > most


@given(sizes=st.lists(st.integers(min_value=0, max_value=LONGEST_TRACE), max_size=6))
def test_the_last_calls_are_kept_as_far_as_there_is_room(sizes: list[int]) -> None:
    calls = [
        TracedCall(model=f"m{at}", answers=("x" * n,)) for at, n in enumerate(sizes)
    ]

    kept = with_room(calls)

    assert list(kept) == calls[len(calls) - len(kept) :]
    assert sum(call.size for call in kept) <= LONGEST_TRACE or len(kept) == 1
    assert bool(kept) == bool(calls)


def test_calls_come_back_from_the_record_as_they_were() -> None:
    outcome = scored(3, 0.0, trace=(CALL, CALL))

    read = outcome_of(outcome_row(outcome, 3), "r", 1)

    assert read.trace == (CALL, CALL)


def test_an_outcome_tells_its_prompt_its_answer_and_its_times() -> None:
    text = scored(3, 0.5, trace=(CALL,), latency=0.5).explain()

    assert text.splitlines() == [
        "example 3: score 0.5, 500 ms",
        "  answered",
        "    answer: answer 3",
        "",
        "call 1 of openai/fake by Predict(question -> answer) (250 ms, 10 tokens)",
        "  system",
        "    Answer.",
        "  user",
        r"    q1\x1b[2J",
        "  answer",
        "    a2",
    ]


def test_an_outcome_tells_its_error_and_where_it_was_raised() -> None:
    note = ErrorNote(
        stage="metric", type="KeyError", message="'x'", where='File "m.py", line 3\n'
    )
    outcome = failed(0, OutcomeKind.METRIC)

    text = result_of([outcome, None]).explain(0)
    placed = scored(0, 0.0, error=note).explain()

    assert "given\n    question: question 0" in text
    assert "Boom in the program\n    at 0" in text
    assert 'KeyError in the metric\n    File "m.py", line 3' in placed


def test_a_result_tells_that_an_example_was_not_begun_or_is_none() -> None:
    result = result_of([None])

    assert result.explain(0).startswith("example 0: not begun")
    with pytest.raises(IndexError, match="no example 1, trial 0"):
        result.explain(1)
