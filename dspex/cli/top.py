"""`dspex top`: the processes that run, again and again."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

import click

from dspex.cli.console import (
    Exit,
    Failure,
    json_option,
    show,
    show_json,
    traceback_option,
)
from dspex.cli.looks import Look, look_around, screen
from dspex.cli.processes import pid_option
from dspex.cli.units import span
from dspex.core.safe_text import safe_text
from dspex.repl.leaving import left_by_signals

Draw = Callable[[Sequence[str]], None]
"""Shows the lines of a screen in the place of those before."""
Wait = Callable[[float], bool]
"""Waits so many seconds at most; whether somebody wants to leave."""


@click.command()
@pid_option
@click.option(
    "--every",
    type=span,
    default="1s",
    show_default=True,
    metavar="TIME",
    help="Look again after so long.",
)
@click.option(
    "--looks",
    type=click.IntRange(min=1),
    metavar="N",
    help="Leave after N looks; by default after one where the output is no terminal.",
)
@json_option
@traceback_option
def top(pid: int | None, every: float, looks: int | None, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Watch the processes with a runtime: runs, providers, restarts, what hangs.

    Each look asks the processes anew, as `ps`, `runs --live`, `tree` and `why` do. `q`
    or Ctrl-C leaves. With --json each look is a line.

    \b
      dspex top
      dspex top --pid 4711 --every 5s
      dspex top --looks 1
    """  # noqa: D301 - \b is click's mark for lines to keep as they are
    on_screen = not as_json and looks is None and _has_screen()
    with contextlib.suppress(KeyboardInterrupt):
        if on_screen:
            while _is_suspended(pid, every):
                os.kill(os.getpid(), signal.SIGTSTP)
        else:
            _watch(pid, every, looks or 1, None if as_json else _print, _sleep)


_LONGEST_SLEEP: Final = 0.2
"""Seconds the main thread sleeps at a time: CPython hears no signal that comes in the
moment before it sleeps until it wakes."""


class _SuspendedError(Exception):
    """Ctrl-Z was pressed."""


def _is_suspended(pid: int | None, every: float) -> bool:
    """Watch on the whole screen until it is left, and say whether by Ctrl-Z.

    The screen is given back before the process stops: the shell needs it then.
    """

    def suspend(_number: int, _frame: FrameType | None) -> None:
        raise _SuspendedError

    before = signal.signal(signal.SIGTSTP, suspend)
    try:
        with left_by_signals(), _full_screen() as (draw, wait):
            _watch(pid, every, None, draw, wait)
    except _SuspendedError:
        return True
    finally:
        signal.signal(signal.SIGTSTP, before)
    return False


def _has_screen() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _watch(
    pid: int | None, every: float, looks: int | None, draw: Draw | None, wait: Wait
) -> None:
    before: list[Look] = []
    while True:
        found = look_around(pid, time.monotonic())
        if draw is None:
            show_json([look.plain() for look in found], on_one_line=True)
        else:
            draw(list(screen(found, before, time.time())))
        before = found
        if looks is not None:
            looks -= 1
            if not looks:
                return
        if wait(every):
            return


def _print(lines: Sequence[str]) -> None:
    show("\n".join(lines))


def _sleep(seconds: float) -> bool:
    end, never = time.monotonic() + seconds, threading.Event()
    while (left := end - time.monotonic()) > 0:
        never.wait(min(left, _LONGEST_SLEEP))
    return False


@contextmanager
def _full_screen() -> Iterator[tuple[Draw, Wait]]:
    """Take the terminal's other screen; what was on it is there again afterwards.

    Raises:
        Failure: rich is not installed.
    """
    try:
        from rich.live import Live
        from rich.text import Text
    except ImportError as error:
        raise Failure(
            "dspex top draws its screen with rich, which is not installed. Install it "
            "with: pip install 'dspex[rich]'; or take one look: dspex top --looks 1.",
            Exit.CONFIGURATION,
        ) from error

    def draw(lines: Sequence[str]) -> None:
        head = f"dspex top, {time.strftime('%H:%M:%S')}; q leaves"
        told = "\n".join(safe_text(line) for line in (head, "", *lines))
        live.update(Text(told, no_wrap=True, overflow="ellipsis"), refresh=True)

    with Live(screen=True, auto_refresh=False) as live, _keys() as wait:
        yield draw, wait


@contextmanager
def _keys() -> Iterator[Wait]:
    """Hear single keys while the block runs, where there is a keyboard."""
    if not sys.stdin.isatty():
        yield _sleep
        return
    import select
    import termios
    import tty

    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)

    def wait(seconds: float) -> bool:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            sleep = min(left, _LONGEST_SLEEP)
            is_pressed = bool(select.select([keyboard], [], [], sleep)[0])
            # An empty key is the end of the keyboard: the terminal has gone.
            if is_pressed and os.read(keyboard, 1) in (b"q", b"Q", b""):
                return True
        return False

    # Without the flush that is the default: keys that were pressed already count.
    tty.setcbreak(keyboard, termios.TCSADRAIN)
    try:
        yield wait
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
