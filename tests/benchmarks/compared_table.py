"""The table that `tests.benchmarks.compared` prints, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, Any]

TITLES = {"dspy": "DSPy"}
"""Of those whose module is called otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table."""

    what: str
    section: str
    """Where its figures are."""
    write: Callable[[Figures], str]
    """Writes those of one contestant."""


def _says(told: Figures) -> str:
    return " ".join(str(told["says"]).split()).replace("|", "/")


ROWS = (
    Row(
        what="load it and leave: CPU time (wall)",
        section="importing",
        write=lambda it: f"{it['cpu_s']:.2f} s ({it['wall_s']:.2f} s)",
    ),
    Row(
        what="a whole run of a few examples: CPU time (wall)",
        section="evaluating",
        write=lambda it: f"{it['cpu_start_s']:.2f} s ({it['start_wall_s']:.2f} s)",
    ),
    Row(
        what="CPU time for a further example",
        section="evaluating",
        write=lambda it: f"{it['cpu_ms']:.2f} ms",
    ),
    Row(
        what="wall time of the further examples",
        section="evaluating",
        write=lambda it: f"{it['wall_s']:.2f} s",
    ),
    Row(
        what="requests on the bill after `kill -9` and going on",
        section="killed",
        write=lambda it: str(it["requests"]),
    ),
    Row(
        what="of these, answered before and asked again",
        section="killed",
        write=lambda it: str(it["answered_twice"]),
    ),
    Row(what="what the result says then", section="killed", write=_says),
    Row(
        what="score where the metric raises",
        section="failing",
        write=lambda it: "none" if it["score"] is None else f"{it['score']:.1f}",
    ),
    Row(what="what the result says of them", section="failing", write=_says),
)


def table(figures: Figures, names: Sequence[str]) -> str:
    """Write the rows of the sections that were measured, and who was left out."""
    imported = figures.get("importing", {})
    titles = [_title(name, imported.get(name, {})) for name in names]
    lines = [_line(["what", *titles]), _line(["---"] * (1 + len(names)))]
    for row in ROWS:
        found = figures.get(row.section)
        if found is not None:
            cells = [_cell(row, found[name]) for name in names]
            lines.append(_line([row.what, *cells]))
    lines.append("")
    lines.append(f"load: {figures['load_before']:.1f}, {figures['load_after']:.1f}")
    lines += [
        f"left out: {name}; name it with {option}"
        for name, option in figures["left_out"].items()
    ]
    return "\n".join(lines)


def _title(name: str, imported: Figures) -> str:
    words = [TITLES.get(name, name), imported.get("version")]
    return " ".join(word for word in words if word)


def _cell(row: Row, found: Figures) -> str:
    if "error" in found:
        return "failed"
    return row.write(found)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
