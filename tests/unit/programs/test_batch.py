"""What counts as done, failed and enough, over a spawner that needs no thread."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core import spawner
from dspex.core.errors import BatchError, BatchInterrupted, ConfigurationError
from dspex.core.spawner import Finished
from dspex.programs.batch import BatchOptions, run_batch


class Scripted:
    """Ends the work on the items in an order of the test's own."""

    def __init__(self, order: list[int]) -> None:
        self.order = order
        self.closed = False

    def each(
        self, work: Callable[[Any], Any], items: Iterable[Any], **_: Any
    ) -> Generator[Finished[Any], None, None]:
        every = list(items)
        try:
            for position in self.order:
                try:
                    yield Finished(position, value=work(every[position]))
                except ValueError as error:
                    yield Finished(position, error=error)
        finally:
            self.closed = True

    async def in_thread(self, work: Callable[[], Any], **_: Any) -> Any:
        return work()


@contextmanager
def spawning(scripted: Scripted) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spawner, "_made", scripted)
        yield


def options(**changes: Any) -> BatchOptions:
    return BatchOptions(**{"concurrency": 2, "max_errors": 10, **changes})


@given(st.data())
def test_every_item_is_done_or_failed_and_enough_failures_end_it(
    data: st.DataObject,
) -> None:
    fails = data.draw(st.lists(st.booleans(), max_size=12))
    order = data.draw(st.permutations(range(len(fails))))
    max_errors = data.draw(st.integers(min_value=1, max_value=13))
    scripted = Scripted(list(order))

    def work(item: tuple[int, bool]) -> int:
        number, fail = item
        if fail:
            raise ValueError(f"item {number}")
        return number

    rows, failed = list(enumerate(fails)), [n for n, fail in enumerate(fails) if fail]
    with spawning(scripted):
        if len(failed) < max_errors:
            batch = run_batch(work, rows, options(max_errors=max_errors))
            assert list(batch.failures) == failed
            assert batch.results == [None if fail else number for number, fail in rows]
        else:
            with pytest.raises(BatchError) as ended:
                run_batch(work, rows, options(max_errors=max_errors))
            assert len(ended.value.failures) == max_errors
            assert set(ended.value.failures) <= set(failed)
            assert all(ended.value.results[number] is None for number in failed)
    assert scripted.closed


def test_ctrl_c_keeps_what_was_done() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise KeyboardInterrupt
        return number * 10

    with (
        spawning(Scripted([0, 1, 2, 3])),
        pytest.raises(BatchInterrupted, match=r"2 of 4 done.*\.results") as interrupted,
    ):
        run_batch(work, range(4), options())

    assert interrupted.value.results == [0, 10, None, None]
    assert interrupted.value.failures == {}


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


def test_how_far_it_is_is_shown_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal, file = Terminal(), io.StringIO()

    with spawning(Scripted([1, 0])):
        for out in (terminal, file):
            monkeypatch.setattr(sys, "stderr", out)
            run_batch(str, range(2), options(show_progress=True, label="row"))

    assert terminal.getvalue() == "\rrow: 1 of 2\rrow: 2 of 2\n"
    assert file.getvalue() == ""


def test_without_a_runtime_the_line_to_write_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spawner, "_make", None)
    monkeypatch.setattr(spawner, "_made", None)

    with pytest.raises(ConfigurationError, match="Write import dspex"):
        run_batch(str, [1], options())
