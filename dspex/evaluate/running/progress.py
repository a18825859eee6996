"""How far a run is, in one line that changes on a terminal or in a notebook.

Elsewhere there is nothing, or a line for each tenth where that is asked for. The words
are made by pure functions; where they go is the business of a `Screen`.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self, TextIO

from dspex.core import defaults
from dspex.core.elements import element, written
from dspex.core.safe_text import safe_text
from dspex.core.spoken import duration, money
from dspex.core.statistics import Interval, Moments
from dspex.evaluate.results.standing import Rules
from dspex.evaluate.running.journal import Tally
from dspex.evaluate.scheduling.pace import Pace

BAR: Final = 24
"""Characters of the bar."""
BLOCKS: Final = "█░"
"""What it is made of: what is done, what is not."""
PLAIN_BLOCKS: Final = "#-"
"""The same for a stream that cannot write those."""
LONGEST_LABEL: Final = 24
"""Characters of the label."""
QUIET_FOR: Final = 3.0
"""Seconds without an outcome after which it is asked what a run waits for."""
ASK_EVERY: Final = 1.0
"""Seconds between two such questions."""
WITHOUT_TOTAL: Final = 100
"""Examples between two lines where nobody knows how many there are."""
RULES: Final = Rules(
    failure_score=defaults.FAILURE_SCORE, metric_range=defaults.METRIC_RANGE
)
"""How scores are counted unless somebody says otherwise."""


class Standing(Protocol):
    """How far some work is, as a screen shows it."""

    @property
    def label(self) -> str:
        """What is being done."""

    @property
    def share(self) -> float | None:
        """How much of it is done, from 0 to 1; `None` when nobody knows."""

    @property
    def done(self) -> int:
        """How much of it is done, as a number."""

    def words(self) -> list[str]:
        """What there is to say, most important first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that is told of a run at one moment."""

    label: str
    """What is being done."""
    tally: Tally
    """How far it is."""
    total: int | None
    """How many there are; `None` when nobody knows."""
    rate: float | None = None
    """Examples a second."""
    left: float | None = None
    """Seconds to go."""
    waiting: str = ""
    """What holds it up, if anything does."""
    rules: Rules = RULES
    """How scores are counted."""

    @property
    def moments(self) -> Moments:
        """Of the scores so far, failures taken as the failure score."""
        tally, rules = self.tally, self.rules
        low, high = rules.worst, rules.best
        total = tally.score + tally.failures * rules.failure_score
        squares = tally.squares + tally.failures * rules.failure_score**2
        return Moments.of_sums(
            tally.accepted,
            total=total,
            squares=squares,
            # Inside 0 to 1 a score is its own square at the ends only.
            binary=low >= 0 and high <= 1 and abs(total - squares) < 1e-9,
        )

    @property
    def interval(self) -> Interval | None:
        """95 % interval of the mean so far."""
        return self.moments.interval()

    @property
    def done(self) -> int:
        """How many of them have an outcome."""
        return self.tally.accepted

    @property
    def share(self) -> float | None:
        """How much of it is done, from 0 to 1; `None` when nobody knows."""
        if self.total is None:
            return None
        return min(self.tally.accepted / self.total, 1.0) if self.total else 1.0

    def words(self) -> list[str]:
        """What there is to say, most important first."""
        tally = self.tally
        done = f"{tally.accepted:,}"
        told = [
            f"{done}/{self.total:,}" if self.total is not None else done,
            _score(self.moments.mean, self.interval, self.rules),
            f"{tally.failures:,} failed" if tally.failures else "",
            f"waiting: {self.waiting}" if self.waiting else "",
            f"{duration(self.left)} left" if self.left and self.left >= 1 else "",
            money(tally.cost) if tally.cost is not None else "",
            f"{self.rate:.1f}/s" if self.rate is not None else "",
        ]
        return [safe_text(word, keep="") for word in told if word]


def line_of(snapshot: Standing, width: int, blocks: str = BLOCKS) -> str:
    """Return one line that is no wider than it may be.

    What does not fit is left out, the least important first.
    """
    label = safe_text(snapshot.label, keep="")[:LONGEST_LABEL]
    line, *rest = snapshot.words()
    if len(label) + 1 + len(line) > width:
        # How far it is tells more than what it is.
        return line[:width]
    line = f"{label} {line}"
    for word in rest:
        if len(line) + 2 + len(word) > width:
            break
        line += f"  {word}"
    share = snapshot.share
    if share is None or len(line) + BAR + 1 > width:
        return line
    full = int(BAR * share)
    bar = f"{full * blocks[0]}{(BAR - full) * blocks[1]}"
    return f"{label} {bar}{line[len(label) :]}"


def html_of(snapshot: Standing) -> str:
    """Return the same for a notebook."""
    share = snapshot.share
    label = element("b", snapshot.label[:LONGEST_LABEL])
    bar = None if share is None else element("progress", value=share, max=1)
    return written(element("div", label, " ", bar, " ", "  ".join(snapshot.words())))


class Screen(Protocol):
    """Where progress is shown."""

    def show(self, snapshot: Standing) -> None:
        """Show how it stands now."""

    def close(self) -> None:
        """Leave the last words there."""


class Progress:
    """Shows a run's tally. Use it as a context manager.

    Args:
        label: What is being done.
        total: How many examples there are; `None` when nobody knows.
        show: `None` shows it on a terminal and in a notebook, and nothing elsewhere;
            `True` also writes lines where there is neither; `False` is quiet.
        stream: Where to; standard error unless given.
        now: Seconds of a clock that only goes forward.
        why: Says in a few words what a run waits for; asked once a second while
            nothing has ended for some.
        rules: How scores are counted.
    """

    def __init__(
        self,
        label: str,
        total: int | None,
        *,
        show: bool | None = None,
        stream: TextIO | None = None,
        now: Callable[[], float] = time.monotonic,
        why: Callable[[], str] = str,
        rules: Rules = RULES,
    ) -> None:
        self._rules = rules
        self._why = why
        self._moved = (0, now())
        self._asked = -math.inf
        self._waiting = ""
        self._label = label
        self._total = total
        self._screen = screen_for(show, stream)
        self._now = now
        self._pace = Pace()
        self._shown: tuple[int, str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._screen is not None:
            self._on_screen(self._screen.close)

    def __call__(self, tally: Tally, waiting: str = "") -> None:
        """Show a tally, if it tells anything new.

        Args:
            tally: How far the run is.
            waiting: What holds it up, in a few words; unless given, it is asked.
        """
        if self._screen is None:
            return
        now = self._now()
        waiting = waiting or self._held_up(tally.accepted, now)
        self._pace.add(now, tally.accepted)
        if (tally.accepted, waiting) == self._shown:
            return
        self._shown = tally.accepted, waiting
        snapshot = Snapshot(
            label=self._label,
            tally=tally,
            total=self._total,
            rate=self._pace.rate,
            left=self._pace.left(tally.accepted, self._total),
            waiting=waiting,
            rules=self._rules,
        )
        show = self._screen.show
        self._on_screen(lambda: show(snapshot))

    def _on_screen(self, step: Callable[[], None]) -> None:
        """Do a step on the screen; one that is gone ends the showing, not the run."""
        try:
            step()
        except (OSError, ValueError):
            # A terminal that was shut, or a stream that somebody closed.
            self._screen = None

    def _held_up(self, accepted: int, now: float) -> str:
        """What the run waits for, once nothing has ended for a while."""
        if accepted != self._moved[0]:
            self._moved, self._waiting = (accepted, now), ""
        is_quiet = now - self._moved[1] >= QUIET_FOR
        if is_quiet and now - self._asked >= ASK_EVERY:
            self._asked, self._waiting = now, self._why()
        return self._waiting


class _Terminal:
    """One line that is written over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._blocks = _blocks(stream)
        self._is_begun = False

    def show(self, snapshot: Standing) -> None:
        # One column stays free: a full line makes some terminals begin a new one.
        width = max(_columns(self._stream) - 1, 1)
        self._stream.write(f"\r{line_of(snapshot, width, self._blocks)}\x1b[K")
        self._stream.flush()
        self._is_begun = True

    def close(self) -> None:
        if self._is_begun:
            self._stream.write("\n")
            self._stream.flush()


class _Lines:
    """A line for each tenth, for a file or a log."""

    WIDTH: Final = 120

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._blocks = _blocks(stream)
        self._step = 0

    def show(self, snapshot: Standing) -> None:
        share, done = snapshot.share, snapshot.done
        step = done // WITHOUT_TOTAL if share is None else int(10 * share)
        if step == self._step:
            return
        self._step = step
        self._stream.write(f"{line_of(snapshot, self.WIDTH, self._blocks)}\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is left to say."""


class _Notebook:
    """One output of a cell that is replaced each time."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._handle: Any = None

    def show(self, snapshot: Standing) -> None:
        shown = {
            "text/html": html_of(snapshot),
            "text/plain": line_of(snapshot, _Lines.WIDTH),
        }
        if self._handle is None:
            self._handle = self._display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)

    def close(self) -> None:
        """The last output stays."""


def screen_for(show: bool | None, stream: TextIO | None = None) -> Screen | None:  # noqa: FBT001 - `None` is a third answer
    """Return where progress is shown; `None` for nowhere.

    Args:
        show: `None` shows it on a terminal and in a notebook, and nothing elsewhere;
            `True` also writes lines where there is neither; `False` is quiet.
        stream: Where to; standard error unless given.
    """
    if show is False:
        return None
    if stream is None and (display := _notebook_display()) is not None:
        return _Notebook(display)
    stream = sys.stderr if stream is None else stream
    if stream is None:
        return None  # a program without a console has no standard error
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return _Terminal(stream)
    return _Lines(stream) if show else None


def _notebook_display() -> Any:
    """Return IPython's `display` inside a notebook, without ever importing it."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return sys.modules["IPython.display"].display


def _columns(stream: TextIO) -> int:
    """How wide a terminal is; another one, or a file, may have the standard output."""
    if os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):
        columns = 0
    return columns or shutil.get_terminal_size().columns


def _score(mean: float | None, interval: Interval | None, rules: Rules) -> str:
    if mean is None:
        return ""
    score = f"{100 * mean:.1f} %"
    if interval is None:
        return score
    # No wider than scores can be.
    low, high = max(interval.low, rules.worst), min(interval.high, rules.best)
    between = " to " if low < 0 else "-"
    return f"{score} ({100 * low:.0f}{between}{100 * high:.0f})"


def _blocks(stream: TextIO) -> str:
    """Return what a bar is made of in a stream's own characters."""
    try:
        BLOCKS.encode(stream.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return PLAIN_BLOCKS
    return BLOCKS
