"""Rows in files: whole or not there, readable by others, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Usage
from dspex.evaluate.record.codec import decode
from dspex.evaluate.results.export import disarmed
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp, note
from dspex.evaluate.results.result import EvaluationResult
from tests.corpus import TEXTS


class City(pydantic.BaseModel):
    name: str


@dataclasses.dataclass
class Point:
    x: float


def scored(number: int, score: float = 1.0, **fields: Any) -> Outcome:
    return Outcome(
        stamp=Stamp(run="test", example=number),
        kind=OutcomeKind.SCORED,
        score=score,
        prediction=dspex.Prediction(fields),
    )


def result_of(
    rows: list[dict[str, Any]], *outcomes: Outcome | None
) -> EvaluationResult:
    examples = [dspex.Example(row).with_inputs(*row) for row in rows]
    return EvaluationResult(examples=examples, outcomes=outcomes)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]


def cells_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def failed() -> EvaluationResult:
    error = Outcome(
        stamp=Stamp(run="test", example=0, attempt=2),
        kind=OutcomeKind.PROGRAM,
        stage="program",
        error=note(ValueError("no such city"), "program"),
        latency=1.5,
        usage=Usage(prompt_tokens=10, completion_tokens=2),
        cost=0.25,
        calls=3,
        cached=1,
    )
    return result_of([{"q": "Peru?"}, {"q": "Chile?"}], error, None)


def test_a_line_says_what_was_asked_what_came_of_it_and_what_it_cost(
    failed: EvaluationResult, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"

    failed.save_jsonl(path)

    first, second = lines_of(path)
    where = first["error"].pop("where")
    assert "ValueError" in where
    assert first == {
        "number": 0,
        "trial": 0,
        "outcome": "program",
        "stage": "program",
        "score": None,
        "counted": 0.0,
        "columns": {},
        "feedback": None,
        "error": {"type": "ValueError", "text": "no such city"},
        "attempts": 2,
        "seconds": 1.5,
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "cost": 0.25,
        "calls": 3,
        "cached": 1,
        "example": {"q": "Peru?"},
        "prediction": {},
    }
    assert (second["outcome"], second["attempts"]) == ("not begun", 0)
    assert second.keys() == first.keys()


def test_cells_say_the_same_as_lines(failed: EvaluationResult, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"

    failed.save_csv(path)

    first, second = cells_of(path)
    assert first["error.type"] == "ValueError"
    assert (first["score"], first["counted"], first["cost"]) == ("", "0.0", "0.25")
    assert second["example.q"] == "Chile?"


def test_names_of_fields_never_meet_names_of_ours(tmp_path: Path) -> None:
    row = {"score": "mine", "number": "mine"}
    result = result_of([row], scored(0, 0.5, outcome="mine", made="7"))
    path = tmp_path / "rows.csv"

    result.save_csv(path)

    [cells] = cells_of(path)
    assert (cells["score"], cells["outcome"]) == ("0.5", "scored")
    assert (cells["example.score"], cells["prediction.outcome"]) == ("mine", "mine")


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\uff1d"]
)
def test_a_formula_is_disarmed_unless_raw(start: str, tmp_path: Path) -> None:
    text = f"{start}cmd|' /C calc'!A0"
    result = result_of([{"q": text}], scored(0, a=text))

    result.save_csv(tmp_path / "safe.csv")
    result.save_csv(tmp_path / "raw.csv", raw=True)

    [safe], [raw] = cells_of(tmp_path / "safe.csv"), cells_of(tmp_path / "raw.csv")
    assert safe["example.q"] == safe["prediction.a"] == f"'{text}"
    assert raw["example.q"] == text


@pytest.mark.parametrize("number", ["-5", "+1.5", "-1e-3", "-.5"])
def test_a_number_stays_a_number(number: str) -> None:
    assert disarmed(number) == number


@given(st.text() | st.text("'=+-@ \t\r\n1"))
def test_taking_an_apostrophe_away_gives_back_what_was_disarmed(text: str) -> None:
    safe = disarmed(text)

    assert text == (safe[1:] if safe != text else safe)
    assert disarmed(safe) != safe or safe == text


@given(st.lists(st.text("'=+-@ \t\r\n1"), unique=True))
def test_two_texts_never_become_one(texts: list[str]) -> None:
    assert len({disarmed(text) for text in texts}) == len(texts)


def test_what_json_cannot_hold_comes_with_what_it_is(tmp_path: Path) -> None:
    given = {"at": date(2026, 1, 2), "pair": (1, 2), "odd": float("nan"), "raw": b"x"}
    result = result_of([given], scored(0, city=City(name="Lima"), point=Point(1.5)))
    path = tmp_path / "rows.jsonl"

    result.save_jsonl(path)
    result.save_csv(tmp_path / "rows.csv")

    [line], [cells] = lines_of(path), cells_of(tmp_path / "rows.csv")
    example = decode(json.dumps(line["example"]))
    assert math.isnan(example.pop("odd"))
    assert example == {"at": date(2026, 1, 2), "pair": (1, 2), "raw": b"x"}
    prediction = decode(json.dumps(line["prediction"]))
    assert prediction["city"].name == "Lima"
    assert prediction["point"].type_name.endswith("Point")
    assert json.loads(cells["prediction.city"]) == line["prediction"]["city"]


def test_a_secret_in_a_value_is_not_written(tmp_path: Path) -> None:
    @dataclasses.dataclass
    class Client:
        api_key: str = "sk-canary"

    result = result_of([{"client": Client()}], scored(0, client=Client()))

    result.save_jsonl(tmp_path / "rows.jsonl")
    result.save_csv(tmp_path / "rows.csv")
    result.report(tmp_path / "rows.html")

    for path in tmp_path.iterdir():
        assert "sk-canary" not in path.read_text(encoding="utf-8")


def test_the_corpus_comes_back_from_both_files(tmp_path: Path) -> None:
    texts = list(TEXTS.values())
    outcomes = [scored(number, answer=text) for number, text in enumerate(texts)]
    result = result_of([{"text": text} for text in texts], *outcomes)

    result.save_jsonl(tmp_path / "rows.jsonl")
    result.save_csv(tmp_path / "rows.csv", raw=True)

    csv.field_size_limit(1_000_000)
    lines, cells = lines_of(tmp_path / "rows.jsonl"), cells_of(tmp_path / "rows.csv")
    assert [decode(json.dumps(line["example"]["text"])) for line in lines] == texts
    assert [decode(json.dumps(line["prediction"]["answer"])) for line in lines] == texts
    # A file has no halves of characters.
    shown = [text.encode("utf-8", "replace").decode() for text in texts]
    assert [row["example.text"] for row in cells] == shown


KILLED = """
import os, signal
from pathlib import Path
from dspex.core.whole_files import written_whole

if {late}:
    Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with written_whole(Path({path!r})) as file:
    file.write(b"half")
    file.flush()
    if not {late}:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("late", [False, True])
def test_a_kill_before_the_rename_leaves_the_old_file(
    tmp_path: Path, *, late: bool
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("old")

    code = KILLED.format(path=str(path), late=late)
    ended = subprocess.run([sys.executable, "-c", code], check=False)

    assert ended.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    [beside] = tmp_path.glob(".rows.csv.*.tmp")
    assert beside.read_bytes() == b"half"


def test_an_error_on_the_way_leaves_the_old_file_and_nothing_else(
    tmp_path: Path,
) -> None:
    class Breaking(list[Any]):
        def __iter__(self) -> Any:
            yield dspex.Example(q=1)
            raise OSError("gone")

    result = EvaluationResult(examples=Breaking([1, 2]), outcomes=(None, None))
    path = tmp_path / "rows.jsonl"
    path.write_text("old")

    with pytest.raises(OSError, match="gone"):
        result.save_jsonl(path)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    result = result_of([{"q": 1}], None)

    with pytest.raises(ConfigurationError, match="no file can be"):
        result.save_csv(tmp_path)
    with pytest.raises(ConfigurationError, match="no file can be"):
        result.save_jsonl(tmp_path / "absent" / "rows.jsonl")


class Made(Sequence[Any]):
    """A long set of which nobody holds more than a row, as a record's view is."""

    def __init__(self, length: int, make: Callable[[int], Any]) -> None:
        self._length = length
        self._make = make

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self._length:
            raise IndexError(index)
        return self._make(index)


@pytest.mark.parametrize("name", ["save_csv", "save_jsonl"])
def test_a_file_of_many_rows_needs_the_memory_of_few(name: str, tmp_path: Path) -> None:
    count, text = 200, "x" * 20_000
    row = dspex.Example(q=text).with_inputs("q")
    result = EvaluationResult(
        examples=Made(count, lambda _: row),
        outcomes=Made(count, lambda number: scored(number, a=text + str(number))),
    )
    path = tmp_path / "rows"

    tracemalloc.start()
    getattr(result, name)(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert path.stat().st_size > 2 * count * len(text)
    assert most < 1_000_000
