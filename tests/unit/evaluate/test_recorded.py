"""A result whose rows lie in a record: the same numbers, and nothing held."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import dspex
from dspex.client.call import Fate
from dspex.core.errors import RunNotFoundError
from dspex.core.lm import Usage
from dspex.evaluate.record.entries import Began
from dspex.evaluate.record.fingerprint import row_digest
from dspex.evaluate.record.record import RunRecord
from dspex.evaluate.results.outcome import ErrorNote, OutcomeKind
from dspex.evaluate.results.recorded import recorded_result
from dspex.evaluate.results.result import EvaluationResult
from dspex.evaluate.results.rows import rows_in_order
from tests.unit.evaluate.record.making import (
    began,
    created,
    decided,
    intent,
    place,
    requested,
    row,
)

BROKEN = ErrorNote(stage="program", type="Boom", message="no", where="")


def digested(number: int) -> Began:
    """An example that began, with the digest it has."""
    return replace(began(number), digest=row_digest(row(number)))


def filled(home: Path | None) -> RunRecord:
    """A record of four examples: two scored, one failed, one never begun."""
    record = created(home, failure_score=0.5, metric_range=(0.0, 2.0))
    failed = decided(2, None, kind=OutcomeKind.PROGRAM, error=BROKEN, prediction=None)
    record.commit(
        [
            *(digested(number) for number in range(3)),
            decided(0, 1.0, cost=0.25, calls=2, cached=1, usage=Usage(prompt_tokens=3)),
            decided(1, 0.25, columns={"a": 0.25, "b": None}, lost={"b": BROKEN}),
            failed,
            decided(1, 1.0),
            requested("one", Fate.ANSWERED),
            requested("two", Fate.FAILED),
        ]
    )
    return record


def held(viewed: EvaluationResult) -> EvaluationResult:
    """The same result with its rows in memory, and no sums."""
    return EvaluationResult(
        examples=list(viewed.examples),
        outcomes=tuple(viewed.outcomes),
        failure_score=viewed.failure_score,
        metric_range=viewed.metric_range,
        requests=dict(viewed.requests),
        refused=viewed.refused,
    )


@pytest.mark.parametrize(
    "name",
    [
        "n",
        "score",
        "stderr",
        "score_range",
        "score_measured",
        "scores",
        "columns",
        "not_measured",
        "failure_lines",
        "money",
        "latency",
        "resilience",
        "usage",
        "calls",
        "results",
    ],
)
def test_a_view_has_the_numbers_that_the_rows_have(name: str) -> None:
    viewed = recorded_result(filled(None))

    assert getattr(viewed, name) == getattr(held(viewed), name)


def test_the_numbers_are_those_of_the_run() -> None:
    viewed = recorded_result(filled(None))

    assert str(viewed).splitlines()[0] == (
        "56.2, could be between 43.8 and 93.8: 1 of 4 not measured (1 not begun)"
    )
    assert viewed.failure_lines == (
        "1 lost their 'b' by metric (Boom), first example 1: no",
        "1 failed by program (Boom), first example 2: no",
    )
    assert (viewed.cost, viewed.cached, viewed.refused) == (0.25, 1, 1)


def test_rows_are_read_by_number_from_the_end_and_by_slice() -> None:
    viewed = recorded_result(filled(None))

    assert viewed.outcomes[-1] is None
    assert viewed.examples[0].question == "0?"
    assert [one.question for one in viewed.examples[1:3]] == ["1?", "2?"]
    with pytest.raises(IndexError):
        viewed.outcomes[4]


def test_requests_are_found_by_their_id() -> None:
    requests = recorded_result(filled(None)).requests

    assert list(requests) == ["one", "two"]
    assert requests["two"].fate is Fate.FAILED
    assert dict(requests.items()) == {name: requests[name] for name in requests}
    with pytest.raises(KeyError):
        requests["three"]


def test_a_run_that_ended_tells_how_long_it_took(tmp_path: Path) -> None:
    filled(tmp_path).close("complete", {"seconds": 2.5, "restarts": 1})

    viewed = recorded_result(RunRecord.open(place(tmp_path), owner=False))

    assert (viewed.seconds, viewed.restarts) == (2.5, 1)
    assert len(viewed.results) == 4


def test_of_a_stream_there_are_as_many_as_were_begun() -> None:
    record = created(None, total=None, trials=2)
    record.commit([began(0), began(1), decided(0, 1.0), decided(0, 0.0, trial=1)])

    viewed = recorded_result(record)

    assert (viewed.n, len(viewed.outcomes)) == (2, 4)
    assert viewed.scores == (0.5, 0.0)
    assert viewed.not_measured == {"not finished": 1, "not begun": 1}


def test_a_recorded_run_compares_with_one_in_memory() -> None:
    viewed = recorded_result(filled(None))

    whole = replace(held(viewed), examples=[row(number) for number in range(4)])
    found = dspex.compare(viewed, whole)

    assert (found.n, found.neither, found.difference) == (3, 1, 0.0)
    assert len(found.rows) == 0


def test_a_recorded_run_is_scored_with_another_metric() -> None:
    viewed = recorded_result(filled(None))

    again = viewed.rescore(
        lambda example, prediction: prediction.answer == example.answer
    )

    assert again.scores == (1.0, 1.0, 0.5, 0.5)


class City:
    """What JSON cannot hold."""

    def __init__(self) -> None:
        self.name = "Lima"


@pytest.mark.parametrize(
    "prediction",
    [
        City(),
        dspex.Prediction(answer=City()),
        dspex.Prediction(answer=["a", {"b": City()}]),
    ],
)
def test_an_answer_that_was_not_kept_whole_is_not_scored_again(
    prediction: object,
) -> None:
    record = created(None, total=1)
    record.commit([began(0), decided(0, 1.0, prediction=prediction)])
    viewed = recorded_result(record)

    with pytest.raises(dspex.DataError, match=r"example 0 was not kept whole.*City"):
        viewed.rescore(lambda *_: 1)


def test_a_run_is_loaded_by_its_name(tmp_path: Path) -> None:
    filled(tmp_path).close("complete")

    named = dspex.load_run("tuning", home=tmp_path)
    with dspex.Runtime(dspex.Config(home=tmp_path)):
        found = EvaluationResult.load("tuning")

    assert named.score == found.score == 56.25
    with pytest.raises(RunNotFoundError):
        dspex.load_run("other", home=tmp_path)


def test_a_run_that_goes_on_may_be_looked_at(tmp_path: Path) -> None:
    record = filled(tmp_path)

    before = dspex.load_run("tuning", home=tmp_path)
    record.commit([began(3), decided(3, 1.0)])
    after = dspex.load_run("tuning", home=tmp_path)

    assert (before.score, after.score) == (56.25, 68.75)
    record.close("complete")


def test_what_a_killed_run_was_at_is_begun_and_not_finished(tmp_path: Path) -> None:
    record = created(tmp_path, total=5)
    record.announce(intent(None, 0))
    record.announce(intent("asked", 3))
    # What is announced is committed with the next outcomes, if there are any.
    record.commit([began(0), began(1), began(2), decided(0), decided(2)])
    del record

    found = dspex.load_run("tuning", home=tmp_path)

    assert found.unfinished == {(1, 0), (3, 0)}
    assert found.not_measured == {"not finished": 2, "not begun": 1}
    assert "2 not finished, 1 not begun" in str(found)
    assert found.explain(1).startswith("example 1: not finished")
    assert found.explain(4).startswith("example 4: not begun")
    kinds = [one.kind for one in rows_in_order(found)]
    assert kinds == ["scored", "not finished", "scored", "not finished", "not begun"]


def test_of_a_run_that_is_whole_nothing_is_unfinished(tmp_path: Path) -> None:
    record = created(tmp_path, total=1)
    record.commit([began(0), began(0, attempt=2), decided(0, attempt=2)])
    record.close("complete")

    assert dspex.load_run("tuning", home=tmp_path).not_measured == {}
