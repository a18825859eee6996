"""Drawings as SVG: values in, an element out.

Each has a title and a sentence of description for those who cannot see it. Colours and
fonts are those of the page, by class.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from dspex.core.elements import Child, element
from dspex.evaluate.html.scale import Bin, Scale, brief

WIDTH = 560
"""Units of a drawing, each a pixel where there is room."""
LABEL = 170
"""Units for the words before a bar."""
LONGEST_LABEL = 26
"""Characters of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One line of a drawing of bars."""

    label: str
    """The words before it."""
    length: float
    """How long it is; not below 0."""
    text: str
    """The words behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line across a drawing."""

    at: float
    """Where."""
    text: str
    """What it means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One example on a drawing."""

    x: float
    """Its place in the set."""
    y: float
    """What was measured of it."""
    look: str
    """What it was: `good`, `wrong` or `failed`."""


def score_drawing(
    score: float,
    *,
    span: tuple[float, float],
    title: str = "Score",
    interval: tuple[float, float] | None = None,
    possible: tuple[float, float] | None = None,
) -> Element:
    """Draw a score, or the difference of two, with what it may be.

    Args:
        score: The score.
        span: The lowest and the highest there can be.
        title: What it shows.
        interval: What chance leaves open.
        possible: What is left open by what was not measured.
    """
    line = 46
    scale = Scale(low=span[0], high=span[1], start=16, end=WIDTH - 16)
    told = [f"It is {score:.1f} on a range from {span[0]:g} to {span[1]:g}."]
    parts: list[Element] = [
        element("line", class_="rail", x1=scale.start, x2=scale.end, y1=line, y2=line)
    ]
    if span[0] < 0 < span[1]:
        zero = scale(0)
        parts.append(
            element("line", class_="mark", x1=zero, x2=zero, y1=line - 22, y2=line + 16)
        )
    if possible is not None:
        told.append(f"It may be from {possible[0]:.1f} to {possible[1]:.1f}.")
        parts.append(_band("unknown", scale, possible, line - 13, 26))
        middle = (scale(possible[0]) + scale(possible[1])) / 2
        parts.append(_text("not measured", middle, line - 22, "middle", "faint"))
    if interval is not None:
        told.append(f"The 95 % interval is {interval[0]:.1f} to {interval[1]:.1f}.")
        parts += _whisker(scale, interval, line)
    parts.append(element("circle", class_="dot", cx=scale(score), cy=line, r=7))
    parts += [
        _text(brief(tick), scale(tick), line + 34, _anchor(scale, tick), "tick")
        for tick in scale.ticks()
    ]
    return _drawing("score", title, " ".join(told), line + 42, parts)


def histogram(
    name: str,
    title: str,
    parts: Sequence[Bin],
    *,
    unit: str = "",
    marks: Iterable[Mark] = (),
) -> Element:
    """Draw how many lie where.

    Args:
        name: Tells its ids from those of other drawings.
        title: What it shows.
        parts: The counts; at least one part.
        unit: What the numbers below it are.
        marks: Lines to draw across.
    """
    top, floor = 30, 150
    most = max(part.count for part in parts) or 1
    across = Scale(low=parts[0].low, high=parts[-1].high, start=44, end=WIDTH - 16)
    up = Scale(low=0, high=most, start=floor, end=top)
    drawn = [*_floor(across, floor, unit), *_grid(up, across)]
    drawn += [_column(part, across, up) for part in parts if part.count]
    for row, mark in enumerate(marks):
        drawn += _mark(mark, across, top - 16 + 12 * (row % 2), floor)
    described = "; ".join(
        f"{part.count:,} from {brief(part.low)} to {brief(part.high)}"
        for part in parts
        if part.count
    )
    return _drawing(name, title, f"{described or 'None'}.", floor + 36, drawn)


def bars(name: str, title: str, lines: Sequence[Bar], *, longest: float = 0) -> Element:
    """Draw a bar for each line, one below the other.

    Args:
        name: Tells its ids from those of other drawings.
        title: What it shows.
        lines: The bars, the first on top.
        longest: The length that is as long as there is room; else the longest bar's.
    """
    step = 28
    most = longest or max((line.length for line in lines), default=0) or 1
    scale = Scale(low=0, high=most, start=LABEL, end=WIDTH - 120)
    drawn: list[Element] = []
    for number, line in enumerate(lines):
        y = 8 + number * step
        width = max(scale(line.length) - LABEL, 1)
        drawn += [
            _text(_cut(line.label), LABEL - 8, y + 15, "end", "label"),
            element(
                "rect", class_="bar", x=LABEL, y=y + 2, width=width, height=18, rx=3
            ),
            _text(line.text, LABEL + width + 7, y + 15, "start", "tick"),
        ]
    described = "; ".join(f"{line.label}: {line.text}" for line in lines)
    return _drawing(name, title, f"{described}.", 16 + step * len(lines), drawn)


def scatter(
    name: str, title: str, points: Sequence[Point], *, across: str, up: str
) -> Element:
    """Draw a point for each example.

    Args:
        name: Tells its ids from those of other drawings.
        title: What it shows.
        points: The points.
        across: What the numbers below it are.
        up: What the numbers beside it are.
    """
    top, floor = 24, 190
    last = max((point.x for point in points), default=0) or 1
    most = max((point.y for point in points), default=0) or 1
    x = Scale(low=0, high=last, start=44, end=WIDTH - 16)
    y = Scale(low=0, high=most, start=floor, end=top)
    drawn = [*_floor(x, floor, across), *_grid(y, x), _text(up, 4, 12, "start", "tick")]
    drawn += [
        element("circle", class_=point.look, cx=x(point.x), cy=y(point.y), r=2.6)
        for point in points
    ]
    described = f"{len(points):,} points; the highest is {brief(most)} {up}."
    return _drawing(name, title, described, floor + 36, drawn)


def card(drawing: Element, *more: Element) -> Element:
    """Put a drawing on a card under its title, with what belongs to it."""
    title = drawing.findtext("title")
    return element("section", element("h3", title), drawing, more, class_="card")


def _drawing(
    name: str, title: str, described: str, height: float, parts: Iterable[Element]
) -> Element:
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", described, id=f"{name}-desc"),
        parts,
        viewBox=f"0 0 {WIDTH} {height:g}",
        width=WIDTH,
        height=height,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def _floor(scale: Scale, floor: float, unit: str) -> Iterable[Element]:
    yield element(
        "line", class_="axis", x1=scale.start, x2=scale.end, y1=floor, y2=floor
    )
    for tick in scale.ticks():
        yield _text(brief(tick), scale(tick), floor + 16, _anchor(scale, tick), "tick")
    yield _text(unit, scale.end, floor + 31, "end", "faint")


def _grid(up: Scale, across: Scale) -> Iterable[Element]:
    for tick in up.ticks(3):
        y = up(tick)
        if tick > up.low:
            yield element(
                "line", class_="grid", x1=across.start, x2=across.end, y1=y, y2=y
            )
            yield _text(brief(tick), across.start - 6, y + 4, "end", "tick")


def _column(part: Bin, across: Scale, up: Scale) -> Element:
    left, right, top = across(part.low), across(part.high), up(part.count)
    top = min(top, up.start - 1.5)
    told = f"{part.count:,} from {brief(part.low)} to {brief(part.high)}"
    return element(
        "rect",
        element("title", told),
        class_="bar",
        x=left + 1,
        y=top,
        width=max(right - left - 2, 1),
        height=up.start - top,
        rx=2,
    )


def _mark(mark: Mark, across: Scale, top: float, floor: float) -> list[Element]:
    x = across(mark.at)
    is_right = x > (across.start + across.end) / 2
    return [
        element("line", class_="mark", x1=x, x2=x, y1=top - 8, y2=floor),
        _text(
            mark.text,
            x - 5 if is_right else x + 5,
            top,
            "end" if is_right else "start",
            "marked",
        ),
    ]


def _band(
    look: str, scale: Scale, span: tuple[float, float], y: float, height: float
) -> Element:
    left, right = scale(span[0]), scale(span[1])
    return element(
        "rect",
        class_=look,
        x=left,
        y=y,
        width=max(right - left, 2),
        height=height,
        rx=3,
    )


def _whisker(scale: Scale, span: tuple[float, float], y: float) -> list[Element]:
    left, right = scale(span[0]), scale(span[1])
    return [
        element("line", class_="whisker", x1=left, x2=right, y1=y, y2=y),
        *(
            element("line", class_="whisker", x1=x, x2=x, y1=y - 8, y2=y + 8)
            for x in (left, right)
        ),
    ]


def _text(text: Child, x: float, y: float, anchor: str, look: str) -> Element:
    return element("text", text, x=x, y=y, text_anchor=anchor, class_=look)


def _anchor(scale: Scale, tick: float) -> str:
    """Keep the words at the ends of a scale inside the drawing."""
    if scale(tick) - scale.start < 6:
        return "start"
    return "end" if scale.end - scale(tick) < 6 else "middle"


def _cut(text: str) -> str:
    if len(text) <= LONGEST_LABEL:
        return text
    return f"{text[: LONGEST_LABEL - 1]}…"
