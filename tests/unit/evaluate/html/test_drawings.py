"""Drawings: numbers at their places, whatever the numbers are."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.elements import element, written
from dspex.core.spoken import duration
from dspex.evaluate.html.drawings import (
    Bar,
    Mark,
    Point,
    bars,
    histogram,
    scatter,
    score_drawing,
)
from dspex.evaluate.html.scale import Scale, bins, brief, quantile
from tests.unit.evaluate.html.reading import Page, xml_of

NUMBERS = st.floats(-1e9, 1e9)


def places(drawing: Element, *names: str) -> list[float]:
    """Every number of these attributes, after a way through XML."""
    read = xml_of(written(drawing))
    return [
        float(one.get(name, "0"))
        for one in read.iter()
        for name in names
        if one.get(name) is not None
    ]


def inside(drawing: Element) -> bool:
    _, _, width, height = map(float, str(drawing.get("viewBox")).split())
    across = places(drawing, "x", "x1", "x2", "cx")
    down = places(drawing, "y", "y1", "y2", "cy")
    return all(0 <= x <= width for x in across) and all(0 <= y <= height for y in down)


@given(
    st.floats(0, 100),
    st.tuples(NUMBERS, NUMBERS),
    st.tuples(NUMBERS, NUMBERS) | st.none(),
)
def test_a_score_is_drawn_inside_its_frame(
    score: float,
    interval: tuple[float, float],
    possible: tuple[float, float] | None,
) -> None:
    drawing = score_drawing(
        score, span=(0.0, 100.0), interval=interval, possible=possible
    )

    assert inside(drawing)


@given(st.lists(st.tuples(NUMBERS, st.integers(1, 10**9)), max_size=20), NUMBERS)
def test_a_histogram_counts_each_number_once_and_stays_inside(
    counted: list[tuple[float, int]], mark: float
) -> None:
    numbers = [number for number, _ in counted] or [0.0]
    parts = bins(counted, min(numbers), max(numbers), 20)

    drawing = histogram("name", "Title", parts, marks=[Mark(at=mark, text="mark")])

    assert sum(part.count for part in parts) == sum(count for _, count in counted)
    assert inside(drawing)


@given(
    st.lists(st.builds(Bar, label=st.text(), length=st.floats(0, 1e9), text=st.text()))
)
def test_bars_stay_inside(lines: list[Bar]) -> None:
    assert inside(bars("name", "Title", lines))


@given(
    st.lists(
        st.builds(Point, x=st.floats(0, 1e6), y=st.floats(0, 1e6), look=st.just("good"))
    )
)
def test_points_stay_inside(points: list[Point]) -> None:
    drawing = scatter("name", "Title", points, across="example", up="seconds")

    assert inside(drawing)
    assert len(drawing.findall("circle")) == len(points)


def test_a_bar_is_as_long_as_its_number() -> None:
    drawing = bars(
        "name",
        "Title",
        [Bar(label="a", length=2, text="2"), Bar(label="b", length=1, text="1")],
    )

    two, one = places(drawing, "width")[1:]
    assert two == pytest.approx(2 * one)


@given(NUMBERS, NUMBERS)
def test_a_scale_has_a_few_round_numbers(one: float, other: float) -> None:
    low, high = sorted((one, other))
    scale = Scale(low=low, high=high, start=0, end=100)

    ticks = scale.ticks()

    assert len(ticks) <= 11
    assert ticks == sorted(ticks)


@pytest.mark.parametrize(
    ("number", "text"), [(0.5, "0.5"), (12_345, "12,345"), (1e-9, "1e-09")]
)
def test_numbers_are_brief(number: float, text: str) -> None:
    assert brief(number) == text


def test_quantiles_of_one_number_and_of_none() -> None:
    assert quantile([3.0], 0.95) == 3.0
    assert quantile([], 0.5) is None


@pytest.mark.parametrize("seconds", [0.0, 0.9996, 59.99, 60.0, 3_599.9, 90_000.0])
def test_a_duration_is_never_empty(seconds: float) -> None:
    assert duration(seconds)


@given(st.text(), st.text())
def test_a_text_comes_through_as_xml_and_an_attribute_as_html(
    text: str, other: str
) -> None:
    made = element("text", text, element("tspan", other), other)

    assert [one.tag for one in xml_of(written(made)).iter()] == ["text", "tspan"]
    [(tag, attributes)] = Page(written(element("p", title=text))).tags
    assert (tag, list(attributes)) == ("p", ["title"])


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_can_be_read_comes_through_unchanged(text: str) -> None:
    assert (xml_of(written(element("p", text))).text or "") == text
