"""The page of a comparison: the verdict, and both answers side by side."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.core.errors import ConfigurationError
from dspex.evaluate.compare import Comparison, compare
from dspex.evaluate.results.outcome import ErrorNote, Outcome, OutcomeKind, Stamp
from dspex.evaluate.results.result import EvaluationResult
from tests.unit.evaluate.html.reading import Page
from tests.unit.evaluate.html.test_report import ATTACKS, outcome


def compared(
    first: Sequence[Outcome | None],
    second: Sequence[Outcome | None],
    *,
    text: str = "Peru?",
    names: tuple[str, str] = ("plain", "taught"),
) -> Comparison:
    row = dspex.Example(question=text, answer="Lima").with_inputs("question")
    one, other = (
        EvaluationResult(examples=[row] * len(outcomes), outcomes=tuple(outcomes))
        for outcomes in (first, second)
    )
    return compare(one, other, names=names)


def page_of(comparison: Comparison, **options: Any) -> Page:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "comparison.html"
        comparison.report(path, **options)
        return Page(path.read_text(encoding="utf-8"))


def rows_of(page: Page) -> list[str | None]:
    return [one["id"] for one in page.attributes("details") if "id" in one]


def test_only_rows_that_differ_are_shown_those_that_became_worse_first() -> None:
    first = [outcome(0, 0.0), outcome(1, 1.0), outcome(2, 1.0), outcome(3, 0.5)]
    second = [outcome(0, 1.0), outcome(1, 1.0), outcome(2, 0.0), outcome(3, 0.75)]

    page = page_of(compared(first, second))

    assert rows_of(page) == ["example-2", "example-3", "example-0"]


def test_both_answers_stand_beside_what_was_expected() -> None:
    error = ErrorNote(stage="program", type="KeyError", message="'city'", where="")
    failed = Outcome(
        stamp=Stamp(run="test", example=0), kind=OutcomeKind.PROGRAM, error=error
    )

    text = page_of(compared([outcome(0, 1.0, "Cusco")], [failed])).text

    for words in ("plain: 1", "taught: 0", "Cusco", "KeyError: 'city'", "expected"):
        assert words in text


def test_the_verdict_and_its_numbers_are_there_for_people_and_programs() -> None:
    first = [outcome(number, 0.0) for number in range(20)]
    second = [outcome(number, 1.0) for number in range(20)]
    comparison = compared([*first, None], [*second, outcome(20)])

    page = page_of(comparison)

    assert comparison.verdict in page.text
    assert "+100.0 points" in page.text
    assert "1 left out" in page.text
    facts = json.loads(page.scripts[1])
    assert (facts["n"], facts["wins"], facts["losses"]) == (20, 20, 0)
    assert facts["names"] == ["plain", "taught"]


def test_columns_of_both_are_compared() -> None:
    first = [outcome(0, 0.0, columns={"exact": 0.0, "f1": 0.5})]
    second = [outcome(0, 0.0, columns={"exact": 0.0, "f1": 0.75})]

    page = page_of(compared(first, second))

    assert "Every number of the metric" in page.text
    assert "+25.0" in page.text


@pytest.mark.parametrize("text", ATTACKS)
def test_no_text_becomes_markup(text: str) -> None:
    first = [outcome(0, 0.0, text, feedback=text, columns={text: 0.5})]
    second = [outcome(0, 1.0, text, feedback=text, columns={text: 1.0})]

    page = page_of(compared(first, second, text=text, names=(text, text)), title=text)
    plain = page_of(compared([outcome(0, 0.0)], [outcome(0, 1.0)]))

    assert page.left_open == []
    assert len(page.attributes("script")) == len(plain.attributes("script")) == 2
    assert not {"img", "a", "iframe", "object", "link"} & {tag for tag, _ in page.tags}
    assert not [
        name for _, attributes in page.tags for name in attributes if name[:2] == "on"
    ]
    for drawing in page.drawings():
        assert drawing[0].text


def test_results_that_agree_have_a_page_that_says_so() -> None:
    same = [outcome(0, 1.0), outcome(1, 0.0)]

    assert "No example came out differently." in page_of(compared(same, same)).text


def test_results_with_nothing_in_common_have_a_page() -> None:
    page = page_of(compared([None], [outcome(0)]))

    assert "no difference known" in page.text


def test_many_rows_are_cut_and_said_so() -> None:
    first = [outcome(number, 0.0) for number in range(300)]
    second = [outcome(number, 1.0) for number in range(300)]

    page = page_of(compared(first, second), rows=10)

    assert len(rows_of(page)) == 10
    assert "10 of 300 examples that differ are shown; 290 are not." in page.text


def test_a_place_where_no_page_can_be_is_refused(tmp_path: Path) -> None:
    comparison = compared([outcome(0)], [outcome(0)])

    with pytest.raises(ConfigurationError, match="no file can be"):
        comparison.report(tmp_path)
