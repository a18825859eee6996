"""What `dspex demo` found, as values, as text for people, and as JSON values.

Pure: rows in, text out. It says no more than the numbers do: a difference inside its
interval is called none, and what is only format is called format.
"""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dspex.core import statistics
from dspex.core.lm import Message, Usage
from dspex.core.statistics import Interval, PairedDifference

WIDTH = 88
"""Characters of a line of prose."""

STEPS = ("before", "labeled", "after")
"""The three measurements, in order, as JSON names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One program, measured."""

    title: str
    """What was done to the program, for people."""
    scores: tuple[float, ...]
    """One for each example, failures as zero."""
    unreadable: tuple[bool, ...]
    """For each example, whether the answer could not be read."""
    foreign: tuple[bool, ...]
    """For each example, whether the answer is none that any example of the task has."""
    failures: int
    """Examples without a score, whatever the reason."""
    of: int
    """How many examples there are; more than there are scores when it was cut short."""
    calls: int
    """Requests sent."""
    usage: Usage
    """Tokens they cost."""
    seconds: float
    """Wall time."""

    @property
    def n(self) -> int:
        """Examples measured."""
        return len(self.scores)

    @property
    def score(self) -> float:
        """Percent."""
        return 100 * (statistics.mean(self.scores) or 0.0)

    @property
    def stderr(self) -> float | None:
        """Its standard error in percent; `None` below two examples."""
        error = statistics.standard_error(self.scores)
        return None if error is None else 100 * error


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What making the bootstrapped program took, apart from measuring it."""

    calls: int
    """Requests sent."""
    usage: Usage
    """Tokens they cost."""
    seconds: float
    """Wall time."""
    kept: int
    """Answers of the model that became demos."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One question of the last program and what came back."""

    inputs: Mapping[str, Any]
    """What was asked."""
    answer_before: str
    """What zero-shot made of it."""
    messages: tuple[Message, ...]
    """The prompt, as it was sent."""
    answer: str
    """What the program made of the reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All a demo found. What was not reached, because of a Ctrl-C, is `None`."""

    model: str
    """The model string."""
    task: str
    """The task's name."""
    title: str
    """What the program has to do."""
    signature: str
    """The program's signature."""
    is_free_text: bool = False
    """Whether its output may be any text, so that every answer can be read."""
    source: str
    """Where the facts come from."""
    before: Row | None = None
    """Zero-shot."""
    labeled: Row | None = None
    """With labelled examples in the prompt."""
    after: Row | None = None
    """With bootstrapped examples in the prompt."""
    making: Making | None = None
    """What bootstrapping took."""
    calls: int = 0
    """All requests sent."""
    seconds: float = 0.0
    """Wall time of all."""
    restarts: int = 0
    """Restarts of any part of the tree, the model server included."""
    tree: str = ""
    """A picture of the tree."""
    shown: Shown | None = None
    """The optimised prompt at work."""
    saved: str | None = None
    """Where the optimised program was saved."""

    @property
    def is_empty(self) -> bool:
        """Whether no example was measured at all."""
        return not any(row.n for row in self.rows)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows that were measured, in order."""
        return tuple(
            row for row in (self.before, self.labeled, self.after) if row is not None
        )


def as_plain(report: Report) -> dict[str, Any]:
    """Return the numbers as JSON values; what was not measured is `None`."""
    return {
        "model": report.model,
        "task": report.task,
        **{step: _plain_row(getattr(report, step)) for step in STEPS},
        "calls": report.calls,
        "seconds": round(report.seconds, 2),
        "restarts": report.restarts,
    }


def as_text(report: Report) -> str:
    """Return the whole report for people, in the order in which it is told."""
    parts = [
        f"{report.title}, asked of {report.model}",
        table(report.rows),
        *prose(report),
    ]
    if report.tree:
        parts.append(f"the tree it ran on\n\n{_indented(report.tree)}")
    if report.shown is not None:
        parts.append(_prompt(report.shown))
    if report.after is not None:
        parts.append(_next(report))
    return "\n\n".join(parts)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table; an empty text of no rows."""
    if not rows:
        return "nothing was measured"
    header = (
        "",
        "score",
        "95 % interval",
        "not readable",
        "calls",
        "tokens",
        "seconds",
    )
    lines = [header, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def prose(report: Report) -> Iterator[str]:
    """Yield what the table does not say by itself, a paragraph at a time."""
    before = report.before
    for row in (report.labeled, report.after):
        if before is not None and row is not None:
            yield _filled(lift(before, row, free_text=report.is_free_text))
    if report.labeled is not None and report.after is not None:
        yield _filled(verdict(report.labeled, report.after))
    yield _filled(cost(report))
    yield _filled(f"Facts: {report.source}")


def lift(before: Row, after: Row, *, free_text: bool = False) -> str:
    """Say what a program gained over zero-shot, and how much of it is format.

    The gain that is format is the gain on examples whose answer could not be read
    before: there, knowing the form was half of it.

    Args:
        before: Zero-shot.
        after: The program to compare.
        free_text: Whether any text is an answer, so that none is unreadable; then it
            counts the answers that no example of the task has.
    """
    pair = _paired(before, after)
    if pair is None:
        return f"{after.title}: not measured on the same examples as {before.title}."
    gain = 100 * (pair.difference or 0.0)
    opening = f"{after.title} against {before.title}: {gain:+.1f} points"
    if pair.interval is not None:
        opening += f" (95 % interval {_span(pair.interval)})"
    if free_text:
        points = points_on(before.foreign, before, after)
        return (
            f"{opening}. Free text can always be read, so no answer counts as "
            f"unreadable; but {sum(before.foreign)} answers were none that any of the "
            f"task's examples has, and {sum(after.foreign)} are now. {points:+.1f} "
            "points stand on those: more a matter of format than of knowledge."
        )
    if not any(before.unreadable):
        return f"{opening}. None of that is format: every answer could be read before."
    from_format = points_on(before.unreadable, before, after)
    return (
        f"{opening}. {from_format:+.1f} of them are format: {sum(before.unreadable)} "
        f"answers could not be read before, {sum(after.unreadable)} now. "
        f"{gain - from_format:+.1f} are other answers."
    )


def points_on(marked: Sequence[bool], before: Row, after: Row) -> float:
    """Return the part of the gain, in points, that stands on some of the examples.

    Example:
        >>> usage = Usage()
        >>> rest = dict(failures=0, of=4, calls=4, usage=usage, seconds=1.0)
        >>> none = (False,) * 4
        >>> rest["foreign"] = none
        >>> bad = (True, True, False, False)
        >>> first = Row(title="a", scores=(0, 0, 0, 1), unreadable=bad, **rest)
        >>> second = Row(title="b", scores=(1, 0, 1, 1), unreadable=none, **rest)
        >>> points_on(first.unreadable, first, second)
        25.0
    """
    gained = sum(
        new - old
        for old, new, counts in zip(before.scores, after.scores, marked, strict=True)
        if counts
    )
    return 100 * gained / before.n


def verdict(labeled: Row, after: Row) -> str:
    """Say in words whether bootstrapping is better than labelled examples."""
    pair = _paired(labeled, after)
    if pair is None or pair.interval is None or pair.difference is None:
        return "Too few examples to compare bootstrapping with labelled examples."
    points = f"{100 * pair.difference:+.1f} points"
    span = f"95 % interval {_span(pair.interval)}"
    if pair.interval.low > 0:
        return (
            f"Bootstrapping is better than labelled examples here: {points} ({span})."
        )
    if pair.interval.high < 0:
        return (
            "Bootstrapping is not better than labelled examples here, it is worse: "
            f"{points} ({span})."
        )
    if not pair.wins and not pair.losses:
        return (
            "Bootstrapping is not better than labelled examples here: not one of the "
            f"{pair.n} examples came out differently."
        )
    return (
        "Bootstrapping is not better than labelled examples here. The difference of "
        f"{points} lies within what chance does on {pair.n} examples ({span}), so it "
        "counts as none."
    )


def cost(report: Report) -> str:
    """Say what all of it took."""
    text = f"In all {_counted(report.calls, 'call')} in {report.seconds:.1f} s"
    making = report.making
    if making is not None:
        text += (
            f", {making.calls} of them ({making.usage.total_tokens:,} tokens, "
            f"{making.seconds:.1f} s) to make the bootstrapped program, in which "
            f"{making.kept} answers of the model's own are demos"
        )
    if report.model.startswith("local/"):
        text += ". The first row's seconds include the start of the model server"
    lost = sum(row.of - row.n for row in report.rows)
    text += f". {_counted(report.restarts, 'restart')}; "
    if not lost:
        return f"{text}no example lost."
    return f"{text}{_counted(lost, 'example')} not measured."


def _plain_row(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "score": round(row.score, 2),
        "stderr": None if row.stderr is None else round(row.stderr, 2),
        "n": row.n,
        "failures": row.failures,
    }


def _cells(row: Row) -> tuple[str, ...]:
    interval = statistics.interval(row.scores)
    cut = f" ({row.n} of {row.of})" if row.n < row.of else ""
    return (
        row.title + cut,
        f"{row.score:.1f}",
        "-"
        if interval is None
        else f"{100 * interval.low:.1f} to {100 * interval.high:.1f}",
        str(sum(row.unreadable)),
        str(row.calls),
        f"{row.usage.total_tokens:,}",
        f"{row.seconds:.1f}",
    )


def _paired(first: Row, second: Row) -> PairedDifference | None:
    whole = first.n == first.of and second.n == second.of and first.n == second.n
    return statistics.paired_difference(first.scores, second.scores) if whole else None


def _span(interval: Interval) -> str:
    return f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f}"


def _prompt(shown: Shown) -> str:
    turns = "\n".join(
        f"{message.role:>9} | {line}" if number == 0 else f"{'':>9} | {line}"
        for message in shown.messages
        for number, line in enumerate(message.text.splitlines() or [""])
    )
    return (
        "the optimised prompt, for one question of the dev set\n\n"
        f"{turns}\n\n{'answer':>9} | {shown.answer}\n"
        f"{'zero-shot':>9} | {shown.answer_before}"
    )


def _next(report: Report) -> str:
    """Say what to type next: the same with a model, data, a program of one's own."""
    lines = [
        "next",
        "",
        "your model    dspex demo --model openai/gpt-4o-mini",
        'your data     dspex evaluate "question -> answer" --data FILE.csv \\',
        "                  --metric exact_match:answer",
        "your program  dspex evaluate my_code:program --data FILE.csv \\",
        "                  --inputs question --metric exact_match:answer",
    ]
    if report.saved:
        lines.append(f"the result    {_asking(report)}")
    return "\n".join(lines[:2] + [f"  {line}" for line in lines[2:]])


def _asking(report: Report) -> str:
    given = report.shown.inputs if report.shown is not None else {}
    words = [
        *("dspex", "predict", report.signature),
        *(f"{name}={value}" for name, value in given.items()),
        *("--program", str(report.saved)),
    ]
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    """Quote a word for a shell, with double quotes where they do: they read better."""
    if shlex.quote(word) == word:
        return word
    return shlex.quote(word) if set('"$`\\!') & set(word) else f'"{word}"'


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _indented(text: str) -> str:
    return textwrap.indent(text, "  ")
