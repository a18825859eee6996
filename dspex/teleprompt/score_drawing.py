"""The scores of a study's candidates as a drawing for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dspex.core.safe_text import safe_text
from dspex.teleprompt.candidate import Candidate

BAR = 30
"""Characters of the longest bar."""
WIDEST_LABEL = 40
"""Characters of a label that are shown."""
_EIGHTHS = " ▏▎▍▌▋▊▉"


def drawn(candidates: Sequence[Candidate], best: int | None) -> list[str]:
    r"""Return one line for each candidate: number, score, bar, and what it is called.

    The winner is marked with a star. A candidate that was tried on a part of the rows
    has its score there in brackets.

    Example:
        >>> tried = [
        ...     Candidate(number=0, label="as given", origin="", score=40.0),
        ...     Candidate(number=1, label="4 demos", origin="", score=80.0),
        ... ]
        >>> print("\n".join(drawn(tried, 1)))
          0    40.0  ███████████████                 as given
        * 1    80.0  ██████████████████████████████  4 demos
    """
    if not candidates:
        return []
    width = len(str(candidates[-1].number))
    shown = [_shown(each) for each in candidates]
    low, high = min(0.0, *shown), max(0.0, *shown)
    reach = high - low or 1.0
    return [
        f"{'*' if each.number == best else ' '} {each.number:>{width}}  {_number(each)}"
        f"  {_bar((score - low) / reach):<{BAR}}  {_label(each)}"
        for each, score in zip(candidates, shown, strict=True)
    ]


def _shown(candidate: Candidate) -> float:
    if candidate.score is not None:
        return candidate.score
    return 0.0 if candidate.seen is None else candidate.seen


def _number(candidate: Candidate) -> str:
    if candidate.score is not None:
        return f"{candidate.score:>6.1f}"
    return "     -" if candidate.seen is None else f"({candidate.seen:.1f})".rjust(6)


def _bar(share: float) -> str:
    eighths = round(8 * BAR * share)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def _label(candidate: Candidate) -> str:
    return safe_text(candidate.label, keep="")[:WIDEST_LABEL]
