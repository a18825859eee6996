"""A result as one HTML file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element

from dspex.client.call import AttemptRecord
from dspex.core.elements import Filled, element
from dspex.core.spoken import duration, money
from dspex.core.whole_files import check_place, written_whole
from dspex.evaluate.html.controls import controls
from dspex.evaluate.html.drawings import (
    Bar,
    Mark,
    bars,
    card,
    histogram,
    scatter,
    score_drawing,
)
from dspex.evaluate.html.findings import Findings, find
from dspex.evaluate.html.page import page
from dspex.evaluate.html.row import heading, row_element
from dspex.evaluate.html.scale import bins, brief, quantile
from dspex.evaluate.html.values import table
from dspex.evaluate.results.causes import Cause
from dspex.evaluate.results.rows import rows_in_order

if TYPE_CHECKING:
    from dspex.evaluate.results.result import EvaluationResult

MOST_BARS: Final = 12
"""Causes of failure that are drawn."""
MOST_CAUSES: Final = 200
"""Causes of failure that are listed."""


def write_report(
    result: EvaluationResult, path: str | Path, *, title: str, rows: int
) -> None:
    """Write a result as a page; see `EvaluationResult.report`."""
    check_place(Path(path))
    found = find(rows_in_order(result), best_of(result), rows)
    content = _content(result, found, title)
    with written_whole(Path(path)) as file:
        for part in page(title, facts_of(result, found), content):
            file.write(part.encode())


def best_of(result: EvaluationResult) -> float:
    """Return the highest score there can be; 1 where there is no highest."""
    high = result.metric_range[1]
    return high if math.isfinite(high) else 1.0


def facts_of(result: EvaluationResult, found: Findings) -> dict[str, Any]:
    """Return a result's numbers as JSON values."""
    interval = result.interval
    return {
        "score": result.score,
        "interval": None
        if interval is None
        else [round(100 * interval.low, 2), round(100 * interval.high, 2)],
        "n": found.n,
        "measured": found.n - result.not_measured.total(),
        "complete": result.complete,
        "outcomes": dict(found.kinds),
        "cost": result.cost,
        "seconds": round(result.seconds, 3),
    }


def _content(
    result: EvaluationResult, found: Findings, title: str
) -> Iterator[Element | Filled]:
    yield element("header", element("h1", title))
    yield _hero(result, found)
    yield element("dl", _facts(result, found), class_="facts")
    if result.causes:
        yield element("h2", "What failed")
        yield element("div", _causes(result.causes), class_="card")
    yield element("h2", "How it went")
    yield element("div", _drawings(result, found), class_="drawings")
    yield element("h2", "Rows, the worst first")
    yield from _rows(result, found)
    yield element("footer", element("p", "Written by dspex."))


def _hero(result: EvaluationResult, found: Findings) -> Element:
    interval = result.interval
    drawing = score_drawing(
        result.score,
        span=_span(result),
        interval=None
        if interval is None
        else (100 * interval.low, 100 * interval.high),
        possible=None if result.complete else result.score_range,
    )
    words = element(
        "div",
        element(
            "span",
            "complete" if result.complete else "not complete",
            class_="state good" if result.complete else "state wrong",
        ),
        element(
            "div",
            f"{result.score:.1f}",
            element("small", f" / {100 * best_of(result):g}"),
            class_="score",
        ),
        (element("p", sentence) for sentence in _sentences(result, found)),
    )
    return element("section", words, drawing, class_="hero card")


def _sentences(result: EvaluationResult, found: Findings) -> Iterator[str]:
    missing = result.not_measured
    if missing:
        low, high = result.score_range
        span = f"up to {high:.1f}"
        if low < result.score:
            span = f"between {low:.1f} and {high:.1f}"
        causes = ", ".join(f"{n:,} {why}" for why, n in missing.items())
        yield (
            f"It could be {span}: {missing.total():,} of {found.n:,} not measured "
            f"({causes})."
        )
    interval = result.interval
    if interval is not None:
        yield (
            f"95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f} "
            f"({interval.method}), over {result.n:,} examples."
        )


def _span(result: EvaluationResult) -> tuple[float, float]:
    """Say how far the drawing of the score reaches: as far as scores can be."""
    low, high = (100 * end for end in result.metric_range)
    if not math.isfinite(low):
        low = min(0.0, 2 * result.score)
    if not math.isfinite(high):
        high = max(0.0, 2 * result.score)
    return (low, high) if low < high else (low, low + 1.0)


def _facts(result: EvaluationResult, found: Findings) -> Iterator[Element]:
    for name, value, more in _told(result, found):
        small = element("small", more) if more else None
        yield element("div", element("dt", name), element("dd", value, small))


def _told(result: EvaluationResult, found: Findings) -> Iterator[tuple[str, str, str]]:
    """Yield what each card says: a name, the number, and more of it in small."""
    missing = result.not_measured.total()
    measured = result.score_measured
    yield (
        "measured",
        f"{found.n - missing:,} of {found.n:,}",
        f"{measured:.1f} over those" if missing and measured is not None else "",
    )
    if result.trials > 1:
        solved = f"{result.pass_at(result.trials):.1f} solved by one of them"
        yield "trials of each example", str(result.trials), solved
    yield from _spent(result)
    latency = result.latency
    if latency is not None:
        late = f"95 % within {duration(latency.p95)}"
        yield "median time", duration(latency.median), late
    if result.seconds:
        rate = f"{brief(found.n / result.seconds)} rows a second"
        yield "wall time", duration(result.seconds), rate
    resilience = result.resilience
    if str(resilience) != "nothing":
        yield "attempts made again", f"{resilience.attempts_again:,}", str(resilience)


def _spent(result: EvaluationResult) -> Iterator[tuple[str, str, str]]:
    spent = result.money
    if result.cost is not None or spent.unpriced:
        cost = "unknown" if result.cost is None else money(result.cost)
        missing = f"{spent.unpriced:,} rows have no known price"
        yield "cost", cost, missing if spent.unpriced else ""
    usage = result.usage
    if usage.total_tokens:
        sides = f"{usage.prompt_tokens:,} sent, {usage.completion_tokens:,} received"
        yield "tokens", f"{usage.total_tokens:,}", sides
    if spent.cached_share is not None:
        share = f"{spent.cached_share:.0%} from the cache"
        yield "answers of models", f"{spent.calls:,}", share
    if result.requests:
        fates = ", ".join(f"{n:,} {fate.value}" for fate, n in result.fates().items())
        yield "requests", f"{result.calls:,}", fates


def _causes(causes: Sequence[Cause]) -> Iterator[Element]:
    ordered = sorted(causes, key=lambda cause: -cause.count)
    yield bars(
        "causes",
        "Failures by cause",
        [
            Bar(
                label=cause.error,
                length=cause.count,
                text=f"{cause.count:,} {cause.column or cause.word}",
            )
            for cause in ordered[:MOST_BARS]
        ],
    )
    lines = (
        (
            f"{cause.count:,}",
            f"{cause.word}, column {cause.column}" if cause.column else cause.word,
            cause.error,
            f"#{cause.first}",
            cause.text,
        )
        for cause in ordered[:MOST_CAUSES]
    )
    yield table(("count", "cause", "error", "first", "text"), lines, {0})
    left = len(ordered) - MOST_CAUSES
    if left > 0:
        yield element("p", f"and {left:,} more causes", class_="faint")


def _drawings(result: EvaluationResult, found: Findings) -> Iterator[Element]:
    if found.scores:
        low, high = min(0.0, *found.scores), max(best_of(result), *found.scores)
        mean = Mark(at=result.score / 100, text=f"mean {result.score / 100:.3g}")
        parts = bins(found.scores.items(), low, high, 20)
        yield card(histogram("scores", "Scores", parts, unit="score", marks=[mean]))
    if result.column_scores:
        lines = [
            Bar(label=name, length=max(percent, 0), text=f"{percent:.1f}")
            for name, percent in result.column_scores.items()
        ]
        yield card(
            bars(
                "columns",
                "Every number of the metric",
                lines,
                longest=100 * best_of(result),
            )
        )
    times = sorted(point.y for point in found.times.kept)
    if times and times[-1] > 0:
        yield card(_times(times))
    points = sorted(found.points.kept, key=lambda point: point.x)
    if any(point.y for point in points):
        drawing = scatter(
            "points", "Seconds by example", points, across="example", up="seconds"
        )
        looks = [look for look in LOOKS if any(point.look == look for point in points)]
        legend = (element("span", LOOKS[look], class_=look) for look in looks)
        yield card(drawing, element("p", legend, class_="legend"))


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


def _rows(result: EvaluationResult, found: Findings) -> Iterator[Element | Filled]:
    yield controls(
        {"failed unknown": "only failures", "wrong": "only wrong"},
        {
            "rank": "worst first",
            "example": "as in the set",
            "-seconds": "slowest first",
        },
    )
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
    shown = (
        row_element(
            row,
            best=best_of(result),
            rank=rank,
            requests=requests.get((row.number, row.trial), ()),
        )
        for rank, row in enumerate(found.worst)
    )
    yield Filled(outer=element("div", id="rows"), children=shown)


def _requests_by_row(
    records: Iterable[AttemptRecord], most: int
) -> dict[tuple[int, int], list[AttemptRecord]]:
    by_row: dict[tuple[int, int], list[AttemptRecord]] = {}
    for record in records if most else ():
        key = (record.tags.get("example", -1), record.tags.get("trial", 0))
        by_row.setdefault(key, []).append(record)
    return by_row
