"""The progress bar: only where somebody looks."""

from __future__ import annotations

import io

from dspex.evaluate.journal import Tally
from dspex.evaluate.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def tally(done: int, score: float = 0.0) -> Tally:
    return Tally(accepted=done, score=score, scored=done)


def shown(stream: io.StringIO, show: bool | None) -> str:
    with Progress("evaluate", 20, show=show, stream=stream) as progress:
        for done in range(21):
            progress(tally(done, done / 2))
    return stream.getvalue()


def test_a_terminal_gets_one_line_that_is_written_over() -> None:
    text = shown(Terminal(), None)

    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert "20/20" in text
    assert "50.0 %" in text


def test_a_file_gets_nothing_unless_asked_for_and_then_a_line_each_tenth() -> None:
    assert shown(io.StringIO(), None) == ""
    lines = shown(io.StringIO(), True).splitlines()
    assert len(lines) == 10
    assert "\r" not in "".join(lines)


def test_false_is_quiet_everywhere() -> None:
    assert shown(Terminal(), False) == ""
