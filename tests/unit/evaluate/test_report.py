"""The rows of an evaluation: what they are called, and where they go."""

from __future__ import annotations

import csv
import io
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.core.errors import ConfigurationError, EvaluationError
from dspex.core.safe_text import safe_text
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp, note
from dspex.evaluate.results.report import Report, rows_of, table_lines
from dspex.evaluate.results.result import EvaluationResult


def result_of(
    *pairs: tuple[dict[str, Any], Any], columns: dict[str, float] | None = None
) -> EvaluationResult:
    """A result with a prediction for each example; an error is a failure."""
    examples = [dspex.Example(fields).with_inputs() for fields, _ in pairs]
    return EvaluationResult(
        examples=examples,
        outcomes=tuple(
            outcome_of(number, gave, columns or {})
            for number, (_, gave) in enumerate(pairs)
        ),
    )


def outcome_of(number: int, gave: Any, columns: dict[str, float]) -> Outcome:
    stamp = Stamp(run="test", example=number)
    if isinstance(gave, Exception):
        kind, error = OutcomeKind.PROGRAM, note(gave, "program")
        return Outcome(stamp=stamp, kind=kind, error=error)
    return Outcome(
        stamp=stamp,
        kind=OutcomeKind.SCORED,
        score=1.0,
        columns=columns,
        prediction=gave,
    )


def test_a_shared_field_is_told_apart() -> None:
    result = result_of(({"q": 1, "a": 2}, dspex.Prediction(a=3, why="so")))

    assert rows_of(result, "right") == [
        {"q": 1, "example_a": 2, "pred_a": 3, "why": "so", "right": 1.0}
    ]


def test_an_answer_without_fields_is_the_prediction() -> None:
    assert rows_of(result_of(({"q": 1}, ["x"])), "right") == [
        {"q": 1, "prediction": ["x"], "right": 1.0}
    ]


def test_several_numbers_have_their_own_names() -> None:
    result = result_of(({"q": 1}, {"a": 2}), columns={"f1": 0.5, "exact": 0.0})

    assert rows_of(result, "f1, exact") == [{"q": 1, "a": 2, "f1": 0.5, "exact": 0.0}]


def test_a_failure_in_the_first_row_keeps_the_columns_of_the_others(
    tmp_path: Path,
) -> None:
    failed = ({"q": "é, \n;"}, ValueError("no"))
    result = result_of(failed, ({"q": None}, {"a": "z"}))
    path = tmp_path / "rows.csv"

    Report(csv=path).give(result, "right")

    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"q": "é, \n;", "right": "0.0", "a": ""},
            {"q": "", "right": "1.0", "a": "z"},
        ]


def test_what_python_alone_can_hold_is_written_as_json(tmp_path: Path) -> None:
    history = dspex.History(messages=[{"question": "Earlier?", "answer": "Yes."}])
    gave = dspex.Prediction(a=[dspex.Example(n=1)], b="\ud800", c={1})
    result = result_of(({"history": history}, gave))
    path = tmp_path / "rows.json"

    Report(json=path).give(result, "right")

    [row] = json.loads(path.read_text(encoding="utf-8"))
    assert row == {
        "history": {"messages": history.messages},
        "a": [{"n": 1}],
        "b": "?",
        "c": [1],
        "right": 1.0,
    }


@pytest.mark.parametrize(
    ("table", "shown"), [(False, 0), (True, 3), (2, 2), (1, 1), (9, 3)]
)
def test_a_table_has_as_many_rows_as_asked_for(
    table: bool | int, shown: int, capsys: pytest.CaptureFixture[str]
) -> None:
    result = result_of(*[({"q": f"question {n}"}, {"a": n}) for n in range(3)])

    Report(table=table).give(result, "right")

    printed = capsys.readouterr().out
    assert printed.count("question ") == shown
    assert ("more row" in printed) is (0 < shown < 3)


@given(st.lists(st.dictionaries(st.text(), st.text() | st.floats() | st.none())))
def test_no_value_can_break_the_lines_of_a_table_or_steer_a_terminal(
    rows: list[dict[str, Any]],
) -> None:
    lines = list(table_lines(rows))

    assert len(lines) == len(rows) + 1
    assert [safe_text(line, keep="") for line in lines] == lines


def test_a_failure_is_logged_with_its_traceback_when_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def failing() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as raised:
        failing()

    result = result_of(({"q": 1}, raised.value))
    with caplog.at_level(logging.ERROR):
        Report().give(result, "right")
        assert not caplog.records
        Report(traceback=True).give(result, "right")

    assert "example 0 failed by program" in caplog.text
    assert "in failing" in caplog.text


def test_a_result_is_not_lost_with_its_file(tmp_path: Path) -> None:
    result = result_of(({"q": 1}, {"a": 2}))
    folder = tmp_path / "rows"
    folder.mkdir()
    report = Report(csv=folder / "rows.csv")
    folder.rmdir()

    with pytest.raises(EvaluationError) as raised:
        report.give(result, "right")

    assert raised.value.result is result


def test_a_result_is_not_lost_with_the_output_it_was_printed_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "nobody reads")

    result = result_of(({"city": "Łódź"}, dspex.Prediction(answer="Ж")))
    monkeypatch.setattr(sys, "stdout", Gone())

    with pytest.raises(EvaluationError, match="nobody reads") as caught:
        Report(table=True).give(result, "metric")

    assert caught.value.result is result


def test_an_output_that_lacks_a_character_shows_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))

    Report(table=True).give(
        result_of(({"city": "Łódź"}, dspex.Prediction(answer="Ж"))), "metric"
    )
    sys.stdout.flush()

    assert rb"\u0141\xf3d\u017a" in raw.getvalue()


@pytest.mark.parametrize("folder", [".", "absent/rows"])
def test_a_place_where_no_file_can_be_is_refused_at_once(
    tmp_path: Path, folder: str
) -> None:
    with pytest.raises(ConfigurationError, match="save_as_csv"):
        Report(csv=tmp_path / folder)
    with pytest.raises(ConfigurationError, match="save_as_json"):
        Report(json=tmp_path / folder)
