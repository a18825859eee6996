"""A comparison as one HTML file: the verdict, and the rows that differ side by side."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from dspex.core.elements import Filled, element
from dspex.core.example import Example
from dspex.core.statistics import PairedDifference
from dspex.core.whole_files import check_place, written_whole
from dspex.evaluate.html.controls import controls
from dspex.evaluate.html.drawings import Bar, bars, card, histogram, score_drawing
from dspex.evaluate.html.page import page
from dspex.evaluate.html.row import answer_of, asked_and_expected, said
from dspex.evaluate.html.scale import bins, brief
from dspex.evaluate.html.values import block, fields, line, table
from dspex.evaluate.results.cells import fields_of, text_of
from dspex.evaluate.results.outcome import ErrorNote, Outcome

if TYPE_CHECKING:
    from dspex.evaluate.compare import Comparison, RowDifference

LEAST_SPAN = 5.0
"""Points to either side that a drawing of a difference shows at least."""

LONGEST_ANSWER = 60
"""Characters of an answer in the line of a row."""

TESTS = {"mcnemar": "exact McNemar test", "t": "paired t test", "sign": "sign test"}
"""What the tests of a difference are called."""

LOOKS = {"good": "better", "failed": "worse", "unknown": "as good"}
"""What the look of a row that differs means."""


def write_comparison(
    comparison: Comparison, path: str | Path, *, title: str | None, rows: int
) -> None:
    """Write a comparison as a page; see `Comparison.report`."""
    check_place(Path(path))
    first, second = comparison.names
    title = f"{second} against {first}" if title is None else title
    content = _content(comparison, title, rows)
    with written_whole(Path(path)) as file:
        for part in page(title, facts_of(comparison), content):
            file.write(part.encode())


def facts_of(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison's numbers as JSON values."""
    interval = comparison.interval
    return {
        "names": list(comparison.names),
        "verdict": comparison.verdict,
        "difference": comparison.difference,
        "interval": None
        if interval is None
        else [round(100 * interval.low, 2), round(100 * interval.high, 2)],
        "p_value": comparison.p_value,
        "n": comparison.n,
        "wins": comparison.wins,
        "losses": comparison.losses,
        "ties": comparison.ties,
        "complete": comparison.complete,
    }


def _content(
    comparison: Comparison, title: str, most: int
) -> Iterator[Element | Filled]:
    seen: Counter[float] = Counter()
    shown = heapq.nsmallest(
        most,
        _counted(comparison.rows, seen),
        key=became_worse_first,
    )
    yield element("header", element("h1", title))
    yield _hero(comparison)
    yield element("dl", _facts(comparison), class_="facts")
    yield element("h2", "Example by example")
    yield element("div", _drawings(comparison, seen), class_="drawings")
    if comparison.columns:
        yield element("h2", "Every number of the metric")
        yield element("section", _columns(comparison), class_="card")
    yield element("h2", "The examples that differ, those that became worse first")
    yield from _rows(comparison, shown)
    yield element("footer", element("p", "Written by dspex."))


def became_worse_first(row: RowDifference) -> tuple[float, int]:
    """Sort rows by how much worse they became."""
    return row.difference, row.number


def _counted(
    rows: Iterable[RowDifference], seen: Counter[float]
) -> Iterator[RowDifference]:
    """Yield the rows, and count their differences on the way."""
    for row in rows:
        # So a range of any width has a bounded number of keys.
        seen[float(f"{row.difference:.3g}")] += 1
        yield row


def _hero(comparison: Comparison) -> Element:
    difference = comparison.difference
    points = "no difference known" if difference is None else f"{difference:+.1f}"
    unit = None if difference is None else element("small", " points")
    words = element(
        "div",
        element("div", points, unit, class_="score"),
        element("p", comparison.verdict),
    )
    drawing = None if difference is None else _drawing(comparison, difference)
    return element("section", words, drawing, class_="hero card")


def _drawing(comparison: Comparison, difference: float) -> Element:
    found = comparison.interval
    interval = None if found is None else (100 * found.low, 100 * found.high)
    reach = 1.2 * max(map(abs, (difference, *(interval or ()))))
    reach = max(reach, LEAST_SPAN)
    return score_drawing(
        difference,
        span=(-reach, reach),
        title=f"By how many points {comparison.names[1]} is better",
        interval=interval,
    )


def _facts(comparison: Comparison) -> Iterator[Element]:
    left = comparison.only_first + comparison.only_second + comparison.neither
    p_value = comparison.p_value
    told = [
        (
            "examples compared",
            f"{comparison.n:,}",
            f"{left:,} left out" if left else "",
        ),
        ("better", f"{comparison.wins:,}", f"{comparison.ties:,} score the same"),
        ("worse", f"{comparison.losses:,}", ""),
    ]
    if p_value is not None:
        test = comparison.paired.test
        told.append(("p-value", brief(p_value), TESTS[test] if test else ""))
    for name, value, more in told:
        small = element("small", more) if more else None
        yield element("div", element("dt", name), element("dd", value, small))


def _drawings(comparison: Comparison, seen: Counter[float]) -> Iterator[Element]:
    second = comparison.names[1]
    left = comparison.only_first + comparison.only_second + comparison.neither
    counts = {
        f"{second} better": comparison.wins,
        f"{second} worse": comparison.losses,
        "the same score": comparison.ties,
        "left out": left,
    }
    lines = [
        Bar(label=label, length=count, text=f"{count:,}")
        for label, count in counts.items()
    ]
    yield card(bars("outcomes", "How examples came out", lines))
    if seen:
        reach = max(map(abs, seen)) or 1.0
        parts = bins(seen.items(), -reach, reach, 21)
        title = "By how much the scores of those that differ do"
        yield card(histogram("differences", title, parts, unit="second minus first"))


def _columns(comparison: Comparison) -> Element:
    lines = ((name, *_cells(paired)) for name, paired in comparison.columns.items())
    return table(
        ("number", "points", "interval", "better", "worse", "p-value"),
        lines,
        {1, 2, 3, 4, 5},
    )


def _cells(paired: PairedDifference) -> tuple[str, ...]:
    found = paired.interval
    return (
        "" if paired.difference is None else f"{100 * paired.difference:+.1f}",
        "" if found is None else f"{100 * found.low:+.1f} to {100 * found.high:+.1f}",
        f"{paired.wins:,}",
        f"{paired.losses:,}",
        "" if paired.p_value is None else brief(paired.p_value),
    )


def _rows(
    comparison: Comparison, shown: Sequence[RowDifference]
) -> Iterator[Element | Filled]:
    if not shown:
        yield element("p", "No example came out differently.", class_="notice")
        return
    yield controls(
        {"failed": "only worse", "good": "only better"},
        {"rank": "worse first", "-rank": "better first", "example": "as in the set"},
    )
    left = len(comparison.rows) - len(shown)
    if left:
        yield element(
            "p",
            f"{len(shown):,} of {len(comparison.rows):,} examples that differ are "
            f"shown; {left:,} are not. All are in the comparison's rows; "
            "report(path, rows=...) shows more.",
            class_="notice",
        )
    yield _heading(comparison.names)
    elements = (_row(row, comparison.names, rank) for rank, row in enumerate(shown))
    yield Filled(outer=element("div", id="rows"), children=elements)


def _heading(names: tuple[str, str]) -> Element:
    spans = ("example", names[1], "scores", "asked", "answers")
    return element(
        "div", (element("span", name) for name in spans), class_="heading differing"
    )


def _row(row: RowDifference, names: tuple[str, str], rank: int) -> Element:
    look = (
        "good" if row.difference > 0 else "failed" if row.difference < 0 else "unknown"
    )
    asked, expected = asked_and_expected(row.example)
    scores = f"{brief(row.first_score)} → {brief(row.second_score)}"
    summary = element(
        "summary",
        element("span", f"#{row.number}"),
        element("span", element("span", LOOKS[look], class_=f"badge {look}")),
        element("span", scores),
        element("span", line(_first_text(asked)), class_="question"),
        element("span", both_answers(row), class_="answer"),
    )
    inside = element(
        "div",
        element(
            "div", fields("asked", asked), fields("expected", expected), class_="pair"
        ),
        element(
            "div",
            _side(names[0], row.first, row.first_score, row.first_outcomes),
            _side(names[1], row.second, row.second_score, row.second_outcomes),
            class_="pair",
        ),
        class_="inside",
    )
    return element(
        "details",
        summary,
        inside,
        class_=f"row differing {look}",
        id=f"example-{row.number}",
        data_rank=rank,
        data_example=row.number,
    )


def both_answers(row: RowDifference) -> str:
    """Say in one line what the one answered, and what the other."""
    sides = ((row.first, row.first_outcomes), (row.second, row.second_outcomes))
    return " → ".join(_in_short(row.example, *side)[:LONGEST_ANSWER] for side in sides)


def _in_short(
    example: Example, prediction: Any, outcomes: Sequence[Outcome | None]
) -> str:
    error = _error_of(outcomes)
    if error is not None:
        return line(f"{error.type}: {error.message}")
    return line(text_of(answer_of(example, prediction))) or "no answer"


def _side(
    name: str, prediction: Any, score: float, outcomes: Sequence[Outcome | None]
) -> Element:
    """Show what one of the two made of an example."""
    answer = fields("answered", fields_of(prediction))
    error = _error_of(outcomes)
    return element(
        "section",
        element("h4", f"{name}: {brief(score)}"),
        element("p", "no answer", class_="faint") if answer is None else answer,
        None if error is None else block(f"{error.type}: {error.message}", "error"),
        [said(one) for one in outcomes if one is not None],
    )


def _error_of(outcomes: Sequence[Outcome | None]) -> ErrorNote | None:
    errors = (None if one is None else one.error for one in outcomes)
    return next((error for error in errors if error is not None), None)


def _first_text(given: dict[str, Any]) -> str:
    return text_of(next(iter(given.values()), None))
