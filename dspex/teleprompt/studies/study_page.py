"""A study as HTML: what a notebook shows below a cell, and a page of its own.

The drawing has its colours in itself, so that it looks the same in a notebook, which
has no style of ours.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element

from dspex.core.elements import element, written
from dspex.core.whole_files import check_place, written_whole
from dspex.evaluate.html.drawings import card
from dspex.evaluate.html.page import page
from dspex.evaluate.html.scale import Scale, brief
from dspex.evaluate.html.values import block, line, table
from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.plan import counted
from dspex.teleprompt.studies.score_drawing import best_first, score_of, score_texts
from dspex.teleprompt.studies.shown_program import program_lines

if TYPE_CHECKING:
    from dspex.teleprompt.studies.plan import StudyPlan
    from dspex.teleprompt.studies.study_result import StudyResult

MOST_SHOWN: Final = 20
"""Candidates that a notebook lists."""
WIDTH: Final = 560
"""Units of the drawing across."""
HEIGHT: Final = 200
"""Units of it from top to bottom."""
_LEFT, _FLOOR, _TOP = 52, 168, 16

_HEADING: Final = ("number", "score", "candidate", "made from", "where it came from")


def notebook_html(study: StudyResult) -> str:
    """Return a study's sentences, its scores by number, and its best candidates."""
    return written(element("div", *_sentences(study), *_found(study, MOST_SHOWN)))


def plan_html(plan: StudyPlan) -> str:
    """Return a plan as a table, under its sentence."""
    headline, *_ = str(plan).splitlines()
    lines = (
        (step.what, counted(step.least, step.most), counted(*step.calls))
        for step in plan.steps
    )
    return written(
        element(
            "div",
            element("p", headline),
            table(("what", "how often", "calls"), lines, (1, 2)),
            (element("p", note) for note in plan.notes),
        )
    )


def write_page(
    study: StudyResult, path: str | Path, *, title: str, candidates: int
) -> None:
    """Write a study as a page; see `StudyResult.report`."""
    check_place(Path(path))
    facts = {**study.plain(), "candidates": len(study.candidates)}
    with written_whole(Path(path)) as file:
        for part in page(title, facts, _content(study, title, candidates)):
            file.write(part.encode())


def _content(study: StudyResult, title: str, most: int) -> Iterator[Element]:
    yield element("header", element("h1", title))
    yield element("section", *_sentences(study), class_="card")
    if study.searched is not None:
        yield element("h2", "What was searched")
        yield block("\n".join(study.searched.lines()))
    yield element("h2", "Candidates, the best first")
    for part in _found(study, most):
        yield card(part) if part.tag == "svg" else part
    if (winner := study.winner) is not None and winner.state:
        yield element("h2", f"The winner, number {winner.number}")
        yield block("\n".join(program_lines(winner.state)))
    yield element("footer", element("p", "Written by dspex."))


def _sentences(study: StudyResult) -> Iterator[Element]:
    yield element("p", study.headline())
    if study.lift is not None:
        yield element("p", str(study.lift))
    if study.line_on is not None:
        yield element("p", "To go on: ", element("code", study.line_on))


def _found(study: StudyResult, most: int) -> list[Element]:
    """Return the drawing and the table; nothing of no candidate."""
    candidates = study.candidates
    if not candidates:
        return []
    numbers = (each.number for each in candidates)
    texts = dict(zip(numbers, score_texts(candidates), strict=True))
    shown = sorted(candidates, key=best_first)[:most]
    parts = [
        _drawing(candidates, study.best),
        table(_HEADING, (_cells(each, texts, study.best) for each in shown), (0, 1)),
    ]
    if left := len(candidates) - len(shown):
        parts.append(element("p", f"{left:,} more candidates; save_csv(path) has all."))
    return parts


def _cells(
    candidate: Candidate, texts: dict[int, str], best: int | None
) -> tuple[str, ...]:
    star = "* " if candidate.number == best else ""
    return (
        f"{star}{candidate.number}",
        texts[candidate.number],
        line(candidate.label),
        ", ".join(map(str, candidate.parents)),
        line(candidate.origin),
    )


def _drawing(candidates: Sequence[Candidate], best: int | None) -> Element:
    """Draw each score by its number, and the best until then as a line."""
    known = [
        (each, score)
        for each in candidates
        if (score := score_of(each)) is not None and math.isfinite(score)
    ]
    scores = [score for _, score in known]
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    margin = (high - low) / 20 or 1.0
    last = max(candidates[-1].number, 1)
    across = Scale(low=0, high=last, start=_LEFT + 8, end=WIDTH - 12)
    up = Scale(low=low - margin, high=high + margin, start=_FLOOR, end=_TOP)
    described = (
        f"{len(candidates):,} candidates, of which {len(scores):,} have a score, from "
        f"{low:.1f} to {high:.1f}."
    )
    return element(
        "svg",
        element("title", "Score by candidate"),
        element("desc", described),
        _axes(across, up, last),
        _best_line(known, across, up),
        (
            element(
                "circle",
                element("title", f"{each.number}: {line(each.label)}, {score:.2f}"),
                cx=across(each.number),
                cy=up(score),
                r=5 if each.number == best else 3,
                fill="#c2410c" if each.number == best else "#3b6fd4",
                fill_opacity=1 if each.score is not None else 0.4,
            )
            for each, score in known
        ),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=WIDTH,
        height=HEIGHT,
        role="img",
    )


def _best_line(
    known: Sequence[tuple[Candidate, float]], across: Scale, up: Scale
) -> Element | None:
    full = [(each.number, score) for each, score in known if each.score is not None]
    if not full:
        return None
    bests = itertools.accumulate((score for _, score in full), max)
    (x, y), *steps = [
        (across(number), up(best))
        for (number, _), best in zip(full, bests, strict=True)
    ]
    path = f"M{x:.1f} {y:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in steps)
    return element("path", d=path, fill="none", stroke="#3b6fd4", stroke_width=1)


def _axes(across: Scale, up: Scale, last: int) -> Iterator[Element]:
    for tick in up.ticks(3):
        y = up(tick)
        yield element(
            "line",
            x1=_LEFT,
            x2=WIDTH - 12,
            y1=y,
            y2=y,
            stroke="#8886",
        )
        yield _text(brief(tick), _LEFT - 6, y + 4, "end")
    for number in sorted({0, last}):
        yield _text(str(number), across(number), _FLOOR + 20, "middle")


def _text(text: str, x: float, y: float, anchor: str) -> Element:
    return element(
        "text",
        text,
        x=x,
        y=y,
        text_anchor=anchor,
        font_size=12,
        font_family="sans-serif",
        fill="currentColor",
    )
