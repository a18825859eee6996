"""What signals mean, and that a reload is whole or not at all."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

import pytest

from dspex.core.errors import ConfigurationError
from dspex.serve.reload import Reloading
from dspex.serve.signals import Signals, Starting

pytestmark = pytest.mark.skipif(
    sys.platform == "win32"
    or threading.current_thread() is not threading.main_thread(),
    reason="signals are for the main thread, and SIGHUP is POSIX",
)


class LeftError(BaseException):
    """The process would have ended here."""


def leave(code: int) -> NoReturn:
    raise LeftError(code)


def test_the_first_wish_is_told_and_the_second_ends_the_process_at_once() -> None:
    told: list[int] = []

    with Signals(on_end=told.append, on_reload=lambda: None, leave=leave):
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(LeftError) as left:
            signal.raise_signal(signal.SIGINT)

    assert told == [signal.SIGTERM]
    assert left.value.args == (128 + signal.SIGINT,)


def test_a_wish_to_reload_is_told_each_time_and_ends_nothing() -> None:
    told: list[str] = []

    with Signals(
        on_end=lambda _: told.append("end"),
        on_reload=lambda: told.append("reload"),
        leave=leave,
    ):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)

    assert told == ["reload", "reload"]


def test_the_handlers_of_before_are_there_again_after_it() -> None:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]

    with Signals(on_end=print, on_reload=print):
        within = [signal.getsignal(number) for number in numbers]

    assert [signal.getsignal(number) for number in numbers] == before
    assert not set(map(str, within)) & set(map(str, before))


def test_before_it_serves_an_end_is_one_at_once_and_a_reload_is_kept() -> None:
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]

    with Starting(leave=leave) as starting:
        wants = [starting.wants_reload]
        signal.raise_signal(signal.SIGHUP)
        wants.append(starting.wants_reload)
        with pytest.raises(LeftError) as left:
            signal.raise_signal(signal.SIGTERM)

    assert wants == [False, True]
    assert left.value.args == (0,)
    assert [signal.getsignal(number) for number in numbers] == before


def test_in_another_thread_nothing_is_installed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    within = []

    def start() -> None:
        with Starting(leave=leave):
            within.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert within == [before]


# Reloads.


class Book:
    """What is read, and where it is swapped in."""

    def __init__(self) -> None:
        self.text = "old"
        self.used: list[str] = []
        self.told: list[str] = []
        self.ended = asyncio.Event()
        self.is_unfit = False

    def read(self) -> str:
        if self.text == "wrong":
            raise ConfigurationError("it is wrong. Mend it.")
        if self.text == "broken":
            raise ZeroDivisionError
        return self.text

    async def swap(self, text: str) -> None:
        if self.is_unfit:
            raise ConfigurationError("it does not fit. Mend it.")
        self.used.append(text)

    def end(self) -> None:
        self.told.append("end")
        self.ended.set()


def reload(*edits: Callable[[Book], object]) -> tuple[Book, Reloading[str]]:
    """Reload after each edit, one after another."""

    async def main() -> tuple[Book, Reloading[str]]:
        book = Book()
        reloading = Reloading(
            read=book.read,
            swap=book.swap,
            on_begin=lambda: book.told.append("begin"),
            on_end=book.end,
        )
        task = asyncio.create_task(reloading.run())
        for edit in edits:
            edit(book)
            book.ended.clear()
            reloading.wish()
            async with asyncio.timeout(30):
                await book.ended.wait()
        task.cancel()
        return book, reloading

    return asyncio.run(main())


def saying(text: str) -> Callable[[Book], None]:
    return lambda book: setattr(book, "text", text)


def test_what_was_read_is_swapped_in() -> None:
    book, reloading = reload(saying("new"), saying("newer"))

    assert book.used == ["new", "newer"]
    assert book.told == ["begin", "end"] * 2
    assert (reloading.done, reloading.failed) == (2, 0)
    assert not reloading.was_refused


@pytest.mark.parametrize("text", ["wrong", "broken"])
def test_what_is_wrong_keeps_the_old_and_the_next_one_is_read_again(text: str) -> None:
    book, reloading = reload(saying(text), saying("mended"))

    assert book.used == ["mended"]
    assert book.told == ["begin", "end"] * 2
    assert (reloading.done, reloading.failed) == (1, 1)
    assert not reloading.was_refused


def test_what_cannot_be_swapped_in_is_no_reload() -> None:
    book, reloading = reload(lambda book: setattr(book, "is_unfit", True))

    assert book.used == []
    assert (reloading.done, reloading.failed) == (0, 1)
    assert reloading.was_refused


def test_wishes_during_a_reload_are_one_more_after_it() -> None:
    async def main() -> list[str]:
        reads: list[str] = []
        begun, opened = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def read() -> str:
            reads.append("read")
            loop.call_soon_threadsafe(begun.set)
            assert opened.wait(30)
            return "text"

        ended = asyncio.Semaphore(0)

        async def swap(_text: str) -> None:
            """Use it."""

        reloading = Reloading(
            read=read, swap=swap, on_begin=lambda: None, on_end=ended.release
        )
        task = asyncio.create_task(reloading.run())
        reloading.wish()
        await begun.wait()
        for _ in range(5):
            reloading.wish()
        opened.set()
        for _ in range(2):
            async with asyncio.timeout(30):
                await ended.acquire()
        # Were there a third, it would begin now.
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        return reads

    assert asyncio.run(main()) == ["read", "read"]
