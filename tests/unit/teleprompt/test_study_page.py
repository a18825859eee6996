"""Studies as HTML: what a notebook shows, and a page."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from dspex.teleprompt import StudyResult
from dspex.teleprompt.studies.study_page import MOST_SHOWN
from tests.unit.teleprompt.studies import SEARCHES, candidate, candidates, result


def shown(study: StudyResult) -> Element:
    return fromstring(study._repr_html_())  # noqa: S314 - our own page


def numbers(page: Element) -> list[str]:
    """The numbers in the first column of the table."""
    return [(row[0].text or "") for row in page.iter("tr")][1:]


def test_a_notebook_shows_each_score_and_the_best_candidates_first() -> None:
    page = shown(result(candidates(40.0, 80.0, None, 60.0)))

    assert len(list(page.iter("circle"))) == 3
    assert numbers(page) == ["* 1", "3", "0", "2"]
    assert "chosen: wording 1 (80.0)" in "".join(page.itertext())


def test_the_best_until_then_is_a_line_that_never_falls() -> None:
    page = shown(result(candidates(40.0, 80.0, 60.0, 90.0)))

    (path,) = page.iter("path")
    ups = [float(part.split("H")[0]) for part in path.attrib["d"].split("V")[1:]]
    assert len(ups) == 3
    # Down is more in SVG.
    assert ups == sorted(ups, reverse=True)


@pytest.mark.parametrize(
    "scores",
    [(), (50.0,), (None,), (7.0,) * 3, (-2.0, -1.0), (math.inf, 1.0), (1e-9, 2e-9)],
)
def test_whatever_was_found_is_drawn_inside_its_frame(
    scores: tuple[float | None, ...],
) -> None:
    page = shown(result(candidates(*scores)))

    for circle in page.iter("circle"):
        assert 0 <= float(circle.attrib["cx"]) <= 560
        assert 0 <= float(circle.attrib["cy"]) <= 200


def test_of_many_candidates_a_notebook_lists_some() -> None:
    page = shown(result(candidates(*map(float, range(500)))))

    assert len(numbers(page)) == MOST_SHOWN
    assert "480 more candidates" in "".join(page.itertext())


def test_what_a_model_wrote_is_text_and_no_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    study = result([candidate(0, 1.0, label=evil, origin=evil)], searched=SEARCHES)

    study.report(tmp_path / "page.html")

    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<script>alert" not in study._repr_html_() + page
    assert "&lt;script&gt;alert(1)" in page


def test_a_study_that_is_not_done_says_how_to_go_on() -> None:
    page = shown(result(candidates(1.0), ended="budget"))

    assert "COPRO(...).compile(..., run='tuning')" in "".join(page.itertext())
