"""A result as one HTML file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element

from dspex.client.call import AttemptRecord
from dspex.core.whole_files import check_place, written_whole
from dspex.evaluate.html.drawings import (
    Bar,
    Mark,
    bars,
    histogram,
    scatter,
    score_drawing,
)
from dspex.evaluate.html.elements import element
from dspex.evaluate.html.findings import Findings, find
from dspex.evaluate.html.page import page
from dspex.evaluate.html.row import heading, name_of, row_element
from dspex.evaluate.html.scale import bins, brief, duration, money, quantile
from dspex.evaluate.html.values import line, table
from dspex.evaluate.rows import rows_in_order

if TYPE_CHECKING:
    from dspex.evaluate.result import EvaluationResult

MOST_ROWS: Final = 1_000
"""Rows a report shows unless told otherwise."""

BEST: Final = 1.0
"""The highest score there can be."""


def write_report(
    result: EvaluationResult, path: str | Path, *, title: str, rows: int
) -> None:
    """Write a result as a page; see `EvaluationResult.report`."""
    check_place(Path(path))
    found = find(rows_in_order(result), BEST, rows)
    content = _content(result, found, title)
    with written_whole(Path(path)) as file:
        for part in page(title, facts_of(result, found), content):
            file.write(part.encode())


def facts_of(result: EvaluationResult, found: Findings) -> dict[str, Any]:
    """Return a result's numbers as JSON values."""
    interval = result.interval
    return {
        "score": result.score,
        "interval": None
        if interval is None
        else [round(100 * interval.low, 2), round(100 * interval.high, 2)],
        "n": found.n,
        "measured": found.measured,
        "complete": result.complete,
        "outcomes": dict(found.kinds),
        "cost": found.cost,
        "seconds": round(result.seconds, 3),
    }


def _content(
    result: EvaluationResult, found: Findings, title: str
) -> Iterator[Element]:
    yield element("header", element("h1", title))
    yield _hero(result, found)
    yield element("dl", _facts(result, found), class_="facts")
    if found.causes:
        yield element("h2", "What failed")
        yield element("div", _causes(found), class_="card")
    yield element("h2", "How it went")
    yield element("div", _drawings(result, found), class_="drawings")
    yield element("h2", "Rows, the worst first")
    yield from _rows(result, found)
    yield element("footer", element("p", "Written by dspex."))


def _hero(result: EvaluationResult, found: Findings) -> Element:
    interval = result.interval
    drawing = score_drawing(
        result.score,
        span=(0.0, 100.0),
        interval=None
        if interval is None
        else (100 * interval.low, 100 * interval.high),
        possible=None if result.complete else (result.score, result.score_at_best),
    )
    words = element(
        "div",
        element(
            "span",
            "complete" if result.complete else "not complete",
            class_="state good" if result.complete else "state wrong",
        ),
        element(
            "div", f"{result.score:.1f}", element("small", " / 100"), class_="score"
        ),
        (element("p", sentence) for sentence in _sentences(result, found)),
    )
    return element("section", words, drawing, class_="hero card")


def _sentences(result: EvaluationResult, found: Findings) -> Iterator[str]:
    if not result.complete:
        open_ones = found.n - found.measured
        causes = ", ".join(f"{n:,} {why}" for why, n in result.not_measured.items())
        yield (
            f"It could be up to {result.score_at_best:.1f}: {open_ones:,} of "
            f"{found.n:,} not measured ({causes})."
        )
    interval = result.interval
    if interval is not None:
        yield (
            f"95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f} "
            f"({interval.method}), over {found.n:,} rows."
        )


def _facts(result: EvaluationResult, found: Findings) -> Iterator[Element]:
    for name, value, more in _told(result, found):
        small = element("small", more) if more else None
        yield element("div", element("dt", name), element("dd", value, small))


def _told(result: EvaluationResult, found: Findings) -> Iterator[tuple[str, str, str]]:
    measured = result.score_measured
    yield (
        "measured",
        f"{found.measured:,} of {found.n:,}",
        "" if measured is None or result.complete else f"{measured:.1f} over those",
    )
    if found.cost is not None or found.unpriced:
        missing = f"{found.unpriced:,} rows have no known price"
        cost = "unknown" if found.cost is None else money(found.cost)
        yield "cost", cost, missing if found.unpriced else ""
    usage = result.usage if result.requests else found.usage
    if usage.total_tokens:
        sides = f"{usage.prompt_tokens:,} sent, {usage.completion_tokens:,} received"
        yield "tokens", f"{usage.total_tokens:,}", sides
    if found.calls:
        share = f"{found.cached / found.calls:.0%} from the cache"
        yield "answers of models", f"{found.calls:,}", share
    if result.requests:
        fates = ", ".join(f"{n:,} {fate.value}" for fate, n in result.fates().items())
        yield "requests", f"{result.calls:,}", fates
    times = sorted(point.y for point in found.times.kept)
    median, late = quantile(times, 0.5), quantile(times, 0.95)
    if median is not None and late is not None:
        yield "median time", duration(median), f"95 % within {duration(late)}"
    if result.seconds:
        rate = f"{brief(found.n / result.seconds)} rows a second"
        yield "wall time", duration(result.seconds), rate
    if found.again or result.restarts or result.refused:
        more = f"{result.restarts:,} restarts, {result.refused:,} outcomes refused"
        yield "attempts made again", f"{found.again:,}", more


def _causes(found: Findings) -> Iterator[Element]:
    causes = sorted(found.causes.values(), key=lambda cause: -cause.count)
    yield bars(
        "causes",
        "Failures by cause",
        [
            Bar(
                label=cause.error,
                length=cause.count,
                text=f"{cause.count:,} {cause.kind}",
            )
            for cause in causes[:12]
        ],
    )
    lines = (
        (
            f"{cause.count:,}",
            cause.kind,
            cause.error,
            f"#{name_of(cause.first)}",
            _first(cause.first),
        )
        for cause in causes
    )
    yield table(("count", "cause", "error", "first", "text"), lines, {0})


def _first(row: Any) -> str:
    error = row.outcome.error
    return "" if error is None else line(error.message)


def _drawings(result: EvaluationResult, found: Findings) -> Iterator[Element]:
    if found.scores:
        low, high = min(0.0, *found.scores), max(BEST, *found.scores)
        mean = Mark(at=result.score / 100, text=f"mean {result.score / 100:.3g}")
        parts = bins(found.scores.items(), low, high, 20)
        yield _card(histogram("scores", "Scores", parts, unit="score", marks=[mean]))
    if result.column_scores:
        lines = [
            Bar(label=name, length=max(percent, 0), text=f"{percent:.1f}")
            for name, percent in result.column_scores.items()
        ]
        yield _card(bars("columns", "Every number of the metric", lines, longest=100))
    times = sorted(point.y for point in found.times.kept)
    if times and times[-1] > 0:
        yield _card(_times(times))
    points = sorted(found.points.kept, key=lambda point: point.x)
    if any(point.y for point in points):
        drawing = scatter(
            "points", "Seconds by example", points, across="example", up="seconds"
        )
        looks = [look for look in LOOKS if any(point.look == look for point in points)]
        legend = (element("span", LOOKS[look], class_=look) for look in looks)
        yield _card(drawing, element("p", legend, class_="legend"))


LOOKS: Final = {
    "good": "full score",
    "wrong": "below",
    "failed": "failed",
    "unknown": "not measured",
}


def _times(times: list[float]) -> Element:
    median, late = quantile(times, 0.5) or 0.0, quantile(times, 0.95) or 0.0
    # One that took an hour must not make one bar of all others.
    high = min(times[-1], 2 * late) or times[-1]
    return histogram(
        "times",
        "Seconds of a row, without those from the cache",
        bins(((time, 1) for time in times), 0.0, high, 24),
        unit="seconds"
        if math.isclose(high, times[-1])
        else "seconds (longer at the end)",
        marks=[
            Mark(at=median, text=f"median {duration(median)}"),
            Mark(at=late, text=f"95 % {duration(late)}"),
        ],
    )


def _card(drawing: Element, *more: Element) -> Element:
    title = drawing.find("title")
    words = "" if title is None else title.text or ""
    return element("section", element("h3", words), drawing, more, class_="card")


def _rows(result: EvaluationResult, found: Findings) -> Iterator[Element]:
    yield _controls()
    left = found.n - len(found.worst)
    if left:
        yield element(
            "p",
            f"The {len(found.worst):,} worst of {found.n:,} rows are shown; {left:,} "
            "are not. All are in the result: save_csv(path) or save_jsonl(path) writes "
            "them, report(path, rows=...) shows more.",
            class_="notice",
        )
    yield heading()
    requests = _requests_by_row(result.requests.values(), len(found.worst))
    yield element(
        "div",
        (
            row_element(
                row,
                best=BEST,
                rank=rank,
                requests=requests.get((row.number, row.trial), ()),
            )
            for rank, row in enumerate(found.worst)
        ),
        id="rows",
    )


def _requests_by_row(
    records: Iterable[AttemptRecord], most: int
) -> dict[tuple[int, int], list[AttemptRecord]]:
    by_row: dict[tuple[int, int], list[AttemptRecord]] = {}
    for record in records if most else ():
        key = (record.tags.get("example", -1), record.tags.get("trial", 0))
        by_row.setdefault(key, []).append(record)
    return by_row


def _controls() -> Element:
    """What only the script makes work is hidden until it runs."""
    return element(
        "div",
        _choice(
            "show",
            "show",
            {"all": "all rows", "failed": "only failures", "wrong": "only wrong"},
        ),
        _choice(
            "order",
            "order",
            {
                "worst": "worst first",
                "example": "as in the set",
                "slowest": "slowest first",
            },
        ),
        element("label", "find ", element("input", id="find", type="search")),
        element("span", id="told", class_="faint", role="status"),
        id="controls",
        class_="controls",
        hidden=True,
    )


def _choice(name: str, label: str, options: dict[str, str]) -> Element:
    chosen = (element("option", text, value=key) for key, text in options.items())
    return element("label", f"{label} ", element("select", chosen, id=name))
