"""Progress: only where somebody looks, never wider than there is room."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.safe_text import safe_text
from dspex.core.statistics import interval
from dspex.evaluate.results.outcome import Outcome, OutcomeKind, Stamp
from dspex.evaluate.results.standing import Rules
from dspex.evaluate.running.journal import Journal, Tally
from dspex.evaluate.running.progress import BAR, Progress, Snapshot, html_of, line_of
from dspex.evaluate.scheduling.pace import Pace
from supervisors.testing import ManualClock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def tally(done: int, score: float = 0.0, **fields: Any) -> Tally:
    given: dict[str, Any] = {"scored": done, "squares": score} | fields
    return Tally(accepted=done, score=score, **given)


def snapshot(done: int, score: float = 0.0, **fields: Any) -> Snapshot:
    given: dict[str, Any] = {"label": "evaluate", "total": 20} | fields
    return Snapshot(tally=tally(done, score), **given)


def shown(stream: io.StringIO, show: bool | None, total: int | None = 20) -> str:
    with Progress("evaluate", total, show=show, stream=stream) as progress:
        for done in range(21):
            progress(tally(done, done // 2))
    return stream.getvalue()


def test_a_terminal_gets_one_line_that_is_written_over() -> None:
    text = shown(Terminal(), None)

    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert "20/20" in text
    assert "50.0 %" in text
    assert "█" * BAR in text


def test_a_file_gets_nothing_unless_asked_for_and_then_a_line_each_tenth() -> None:
    assert shown(io.StringIO(), None) == ""
    lines = shown(io.StringIO(), True).splitlines()
    assert len(lines) == 10
    assert "\r" not in "".join(lines)


def test_false_is_quiet_everywhere() -> None:
    assert shown(Terminal(), False) == ""


def test_a_stream_of_unknown_length_is_counted_without_a_bar() -> None:
    text = shown(Terminal(), None, total=None)

    assert "evaluate 20  50.0 %" in text
    assert "█" not in text
    assert "left" not in text


def test_a_stream_in_a_file_is_told_of_each_hundred() -> None:
    stream = io.StringIO()
    with Progress("evaluate", None, show=True, stream=stream) as progress:
        for done in range(0, 1_000, 10):
            progress(tally(done))

    assert len(stream.getvalue().splitlines()) == 9


@pytest.mark.parametrize("columns", [1, 9, 12, 40, 80, 500])
def test_no_terminal_is_too_narrow_or_too_wide(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))

    frames = shown(Terminal(), None).removesuffix("\n").split("\r")[1:]

    lines = [frame.removesuffix("\x1b[K") for frame in frames]
    # One column stays free, where there is more than one.
    assert max(map(len, lines)) <= max(columns - 1, 1)
    assert lines[-1].startswith("evaluate" if columns > 20 else "20/20"[: columns - 1])
    assert (BAR * "█" in lines[-1]) == (columns > 40)


@pytest.mark.parametrize("error", [OSError(5, "no such terminal"), ValueError("shut")])
def test_a_terminal_that_is_gone_ends_the_showing_and_not_the_run(
    error: Exception,
) -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise error

    with Progress("evaluate", 20, stream=Gone()) as progress:
        progress(tally(1))
        progress(tally(2))


def test_a_terminal_that_cannot_go_back_gets_nothing_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "dumb")

    assert shown(Terminal(), None) == ""
    assert "\r" not in shown(Terminal(), True)


def test_a_stream_without_blocks_gets_a_plain_bar() -> None:
    class Old(Terminal):
        encoding = "ascii"

    text = shown(Old(), None)

    assert text.isascii()
    assert "#" * BAR in text


@pytest.mark.parametrize(
    ("done", "rules", "told"),
    [
        (tally(4, 12.0, squares=36.0), {"metric_range": (0, 5)}, "300.0 % (300-300)"),
        (tally(4, 4.0, squares=8.0), {"metric_range": (0, 5)}, "100.0 % (0-284)"),
        (tally(4, 2.0, scored=2), {"failure_score": 1.0}, "100.0 % (51-100)"),
        (
            tally(4, 2.0, scored=2),
            {"failure_score": -1.0},
            "0.0 % (-100 to 100)",
        ),
    ],
)
def test_the_running_score_follows_how_scores_are_counted(
    done: Tally, rules: dict[str, Any], told: str
) -> None:
    counted: dict[str, Any] = {"failure_score": 0.0, "metric_range": (0, 1)} | rules
    found = Snapshot(label="e", tally=done, total=20, rules=Rules(**counted))

    assert found.words()[1] == told


def test_nothing_new_is_not_shown_again() -> None:
    stream = Terminal()
    with Progress("evaluate", 20, stream=stream) as progress:
        for _ in range(3):
            progress(tally(1))
        progress(tally(1), "the breaker is open")

    assert stream.getvalue().count("\r") == 2
    assert "waiting: the breaker is open" in stream.getvalue()


def test_rate_and_time_left_follow_the_clock() -> None:
    clock = ManualClock()
    stream = Terminal()
    with Progress("evaluate", 100, stream=stream, now=clock.monotonic) as progress:
        # What an earlier run had done is no speed of this one.
        progress(tally(40))
        clock.advance(10)
        progress(tally(60))

    assert "20.0 s left" in stream.getvalue()
    assert "2.0/s" in stream.getvalue()


def test_a_rate_follows_what_has_changed() -> None:
    pace = Pace()
    for second in range(1_000):
        pace.add(second, second * 100)
    for second in range(70):
        pace.add(1_000 + second, 99_900 + second)

    assert pace.rate == pytest.approx(1.0)


def test_nobody_knows_a_rate_at_once() -> None:
    pace = Pace()
    assert pace.rate is None
    pace.add(5.0, 1)
    pace.add(5.5, 2)

    assert pace.rate is None
    assert pace.left(2, 10) is None


@given(st.lists(st.sampled_from([0.0, 1.0, 0.25]) | st.none(), min_size=2, max_size=40))
def test_the_running_interval_is_that_of_the_scores_so_far(
    scores: list[float | None],
) -> None:
    journal = Journal()
    for number, score in enumerate(scores):
        kind = OutcomeKind.PROGRAM if score is None else OutcomeKind.SCORED
        stamp = Stamp(run="test", example=number)
        journal.accept(Outcome(stamp=stamp, kind=kind, score=score, cost=0.5))

    found = Snapshot(label="", tally=journal.tally, total=None).interval
    whole = interval([score or 0.0 for score in scores])

    assert found is not None
    assert whole is not None
    assert (found.low, found.high) == pytest.approx((whole.low, whole.high), abs=1e-6)
    assert found.method == whole.method
    assert journal.tally.cost == 0.5 * len(scores)


def test_money_and_failures_are_told() -> None:
    told = tally(10, 5.0, scored=8, cost=1.25)

    line = line_of(Snapshot(label="evaluate", tally=told, total=20), 120)

    assert "2 failed" in line
    assert "$1.25" in line
    assert "(24-76)" in line


@given(
    st.text(),
    st.text(),
    st.integers(0, 10**7),
    st.none() | st.integers(0, 10**7),
    st.integers(20, 200),
)
def test_a_line_is_one_line_and_never_wider_than_there_is_room(
    label: str, waiting: str, done: int, total: int | None, width: int
) -> None:
    told = snapshot(done, label=label, waiting=waiting, total=total, rate=1.0, left=9)

    line = line_of(told, width)

    assert len(line) <= width
    assert safe_text(line, keep="") == line


def test_what_does_not_fit_is_left_out_from_the_least_important_on() -> None:
    told = snapshot(10, 5.0, rate=1.0, left=10.0)

    assert line_of(told, 25) == "evaluate 10/20"
    assert line_of(told, 34) == "evaluate 10/20  50.0 % (24-76)"
    assert "█" in line_of(told, 120)


def test_a_notebook_gets_one_output_that_is_replaced(
    notebook: Callable[[], list[tuple[str, dict[str, str]]]],
) -> None:
    with Progress("<b>", 20) as progress:
        progress(tally(10, 5.0))
        progress(tally(20, 10.0))

    (first, _), (second, last) = notebook()
    assert (first, second) == ("display", "update")
    assert "20/20" in last["text/html"]
    assert "&lt;b&gt;" in last["text/html"]
    assert "20/20" in last["text/plain"]


def test_a_notebook_is_quiet_when_told_so(
    notebook: Callable[[], list[tuple[str, dict[str, str]]]],
) -> None:
    with Progress("evaluate", 20, show=False) as progress:
        progress(tally(10, 5.0))

    assert notebook() == []


@pytest.fixture
def notebook(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], list[tuple[str, dict[str, str]]]]:
    """An IPython kernel as far as progress knows one; returns what it was shown."""
    seen: list[tuple[str, dict[str, str]]] = []

    class Handle:
        def update(self, shown: dict[str, str], *, raw: bool) -> None:
            assert raw
            seen.append(("update", shown))

    def display(shown: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        seen.append(("display", shown))
        return Handle()

    class Shell:
        kernel = object()

    ipython, shows = ModuleType("IPython"), ModuleType("IPython.display")
    monkeypatch.setattr(ipython, "get_ipython", Shell, raising=False)
    monkeypatch.setattr(shows, "display", display, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shows)
    return lambda: seen


def test_html_without_a_total_has_no_bar() -> None:
    assert "<progress" not in html_of(snapshot(5, total=None))
    assert 'value="0.25"' in html_of(snapshot(5))


def test_it_says_what_a_run_waits_for_once_nothing_has_ended_for_some_seconds() -> None:
    clock, asked, stream = ManualClock(), [0], Terminal()

    def why() -> str:
        asked[0] += 1
        return "openai: breaker open for 12 s"

    progress = Progress("e", 9, stream=stream, now=clock.monotonic, why=why)
    progress(tally(1))
    clock.advance(2.9)
    progress(tally(1))
    quiet = stream.getvalue()
    for _ in range(3):
        clock.advance(0.4)
        progress(tally(1))
    held = stream.getvalue()[len(quiet) :]
    progress(tally(2))
    moving = stream.getvalue()[len(quiet) + len(held) :]

    assert "waiting" not in quiet
    assert "waiting: openai: breaker open for 12 s" in held
    assert "2/9" in moving
    assert "waiting" not in moving
    assert asked == [1]


@pytest.mark.parametrize("columns", [30, 200])
def test_it_fits_the_terminal_it_is_on_and_not_the_one_of_the_output(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    termios = pytest.importorskip("termios")
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("TERM", raising=False)
    ours, its = os.openpty()
    termios.tcsetwinsize(its, (24, columns))
    with open(its, "w") as stream, Progress("evaluate", 20, stream=stream) as progress:  # noqa: PTH123 - it is open already
        progress(tally(10, 5.0))
        told = os.read(ours, 4096).decode().removeprefix("\r").removesuffix("\x1b[K")
    os.close(ours)

    assert len(told) < columns
    assert ("█" in told) == (columns > 80)
