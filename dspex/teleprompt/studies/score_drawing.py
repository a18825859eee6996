"""The scores of a study's candidates as a drawing for a terminal. Pure but `look_for`.

Few candidates are a bar each; many are columns in the order of their numbers, below
which the best of them are bars.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

from dspex.core.safe_text import safe_text
from dspex.teleprompt.studies.candidate import Candidate

MOST_BARS: Final = 30
"""Candidates of which each is a bar; of more, the best `BEST_SHOWN` are."""
BEST_SHOWN: Final = 10
"""The best ones that are shown of many."""
HEIGHT: Final = 8
"""Lines of a drawing of columns."""
LONGEST_BAR: Final = 30
"""Characters of the longest bar, where there is room."""
SHORTEST_BAR: Final = 4
"""Characters of it where there is none."""
NARROWEST: Final = 24
"""Columns that a drawing takes at least."""

_ACROSS: Final = " ▏▎▍▌▋▊▉█"
_UP: Final = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """For what kind of terminal something is drawn."""

    width: int = 80
    """Its columns."""
    has_blocks: bool = True
    """Whether it can show the eighths of a character; else `#` is all there is."""


def look_for(stream: TextIO | None) -> Look:
    """Return how to draw for a stream: as wide as its terminal, in its characters."""
    if stream is None:
        return Look()
    try:
        (_ACROSS + _UP).encode(getattr(stream, "encoding", None) or "utf-8")
        has_blocks = True
    except (UnicodeEncodeError, LookupError):
        has_blocks = False
    width = shutil.get_terminal_size().columns if stream.isatty() else Look().width
    return Look(width=width, has_blocks=has_blocks)


def drawn(
    candidates: Sequence[Candidate], best: int | None, look: Look | None = None
) -> list[str]:
    r"""Return the scores by number, and what each candidate is called.

    The winner is marked with a star. A candidate that was tried on a part of the rows
    has its score there in brackets.

    Args:
        candidates: The candidates, by number.
        best: The number of the winner.
        look: What it is drawn for; 80 columns with blocks unless given.

    Example:
        >>> tried = [
        ...     Candidate(number=0, label="as given", origin="", score=40.0),
        ...     Candidate(number=1, label="4 demos", origin="", score=80.0),
        ... ]
        >>> print("\n".join(drawn(tried, 1)))
          0  40.0  ███████████████                 as given
        * 1  80.0  ██████████████████████████████  4 demos
    """
    look = Look() if look is None else look
    if len(candidates) <= MOST_BARS:
        return list(_bars(candidates, best, look))
    ranked = sorted(candidates, key=best_first)
    shown = ranked[:BEST_SHOWN]
    if best is not None and best not in {each.number for each in shown}:
        shown[-1:] = [each for each in candidates if each.number == best]
    return [
        *_columns(candidates, look),
        "",
        f"the best {len(shown)} of {len(candidates):,}:",
        *_bars(sorted(shown, key=lambda each: each.number), best, look),
    ]


def score_of(candidate: Candidate) -> float | None:
    """Return a candidate's score, else that on the rows it was tried on."""
    return candidate.seen if candidate.score is None else candidate.score


def best_first(candidate: Candidate) -> tuple[float, int]:
    """Return what to sort candidates by: the best first, those without a score last."""
    score = score_of(candidate)
    return (math.inf if score is None else -score, candidate.number)


def score_texts(candidates: Sequence[Candidate]) -> list[str]:
    """Return the scores as text, with two digits where one would make them equal."""
    known = {one for each in candidates if (one := score_of(each)) is not None}
    digits = 1 if len({f"{score:.1f}" for score in known}) == len(known) else 2
    return [_number(each, digits) for each in candidates]


def _bars(
    candidates: Sequence[Candidate], best: int | None, look: Look
) -> Iterator[str]:
    if not candidates:
        return
    texts = score_texts(candidates)
    number_width = len(str(candidates[-1].number))
    score_width = max(map(len, texts))
    room = max(look.width, NARROWEST) - number_width - score_width - 8
    longest = max(len(each.label) for each in candidates)
    # Labels tell more than the last characters of a bar.
    bar = max(SHORTEST_BAR, min(LONGEST_BAR, max(room - longest, room // 3)))
    low = min(0.0, *map(_height, candidates))
    reach = max(0.0, *map(_height, candidates)) - low or 1.0
    for each, text in zip(candidates, texts, strict=True):
        star = "*" if each.number == best else " "
        share = 0.0 if score_of(each) is None else (_height(each) - low) / reach
        yield (
            f"{star} {each.number:>{number_width}}  {text:>{score_width}}  "
            f"{_bar(share, bar, look):<{bar}}  {_cut(each.label, room - bar)}"
        ).rstrip()


def _columns(candidates: Sequence[Candidate], look: Look) -> Iterator[str]:
    """Yield columns, each the best score among the candidates that fall into it."""
    known = [_height(each) for each in candidates if score_of(each) is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    margin = max(len(f"{low:.1f}"), len(f"{high:.1f}"))
    many = min(len(candidates), max(look.width, NARROWEST) - margin - 3)
    heights = [
        _eighths(part, low, high)
        for part in (
            candidates[
                len(candidates) * at // many : len(candidates) * (at + 1) // many
            ]
            for at in range(many)
        )
    ]
    for line in reversed(range(HEIGHT)):
        label = f"{high:.1f}" if line == HEIGHT - 1 else f"{low:.1f}" * (line == 0)
        cells = (min(max(height - 8 * line, 0), 8) for height in heights)
        drawing = "".join(_cell(cell, look) for cell in cells)
        yield f"{label:>{margin}}  {drawing}".rstrip()
    first, last = candidates[0].number, candidates[-1].number
    yield f"{'':{margin}}  {first:<{max(many - len(f'{last}'), 1)}}{last}"


def _eighths(part: Sequence[Candidate], low: float, high: float) -> int:
    """Return how high a column is; one without any score has no height at all."""
    known = [_height(each) for each in part if score_of(each) is not None]
    if not known:
        return 0
    share = (max(known) - low) / (high - low) if high > low else 1.0
    # The lowest one is seen as well.
    return 1 + round((8 * HEIGHT - 1) * share)


def _cell(eighths: int, look: Look) -> str:
    if look.has_blocks:
        return _UP[eighths]
    return "#" if eighths >= 4 else "." if eighths else " "


def _height(candidate: Candidate) -> float:
    """Return a score as a height; what is no finite number has none."""
    score = score_of(candidate)
    return score if score is not None and math.isfinite(score) else 0.0


def _number(candidate: Candidate, digits: int) -> str:
    if candidate.score is not None:
        return f"{candidate.score:.{digits}f}"
    return "-" if candidate.seen is None else f"({candidate.seen:.{digits}f})"


def _bar(share: float, width: int, look: Look) -> str:
    if not look.has_blocks:
        return "#" * round(width * share)
    full, rest = divmod(round(8 * width * share), 8)
    return _ACROSS[8] * full + (_ACROSS[rest] if rest else "")


def _cut(label: str, room: int) -> str:
    text = safe_text(label, keep="")
    return text if len(text) <= room else f"{text[: max(room - 3, 0)]}..."
