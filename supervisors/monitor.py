"""Links and monitors: how one actor hears of another's end.

A monitor is one-way and brings exactly one `Down`, also for an actor that is dead
already. A link is two-way: the end of one side reaches the other as an exit signal,
which ends it too, unless it traps exits and gets an `ExitSignal` instead. Both as in
OTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pykka._envelope import Envelope

from supervisors._life import Life
from supervisors.exits import NO_PROCESS, ExitReason
from supervisors.ref import Ref


class Monitor:
    """One watch over one incarnation, from `Actor.monitor`. Compared by identity."""

    __slots__ = ("_bring", "_open", "_watcher", "called_off", "ref")

    def __init__(self, ref: Ref[Any], watcher: Life) -> None:
        self.ref = ref
        self._watcher = watcher
        self.called_off = False
        # Whoever pops it decides: its `Down` is sent, or it was called off.
        self._open = [True]
        self._bring: Callable[[Any], object] | None = None

    def __repr__(self) -> str:
        return f"<Monitor of {self.ref.life.label!r}>"

    def call_off(self) -> bool:
        """Drop its `Down`, come or not; `False` when it had come before."""
        self.called_off = True
        self._watcher.watches.pop(self, None)
        if self._bring is not None:
            self.ref.life.ended.forget(self._bring)
        return self._take()

    def _take(self) -> bool:
        try:
            return self._open.pop()
        except IndexError:
            return False


@dataclass(frozen=True, slots=True)
class Down:
    """The actor of a monitor has ended: OTP's `'DOWN'`. Sent to who watches it."""

    monitor: Monitor
    """The watch that brought it."""
    ref: Ref[Any]
    """The incarnation that ended."""
    reason: ExitReason
    """Why; `NoProcess` when it had ended before the watch began."""


@dataclass(frozen=True, slots=True)
class ExitSignal:
    """An exit signal that was trapped: OTP's `'EXIT'`. Sent to an actor that traps."""

    source: Ref[Any] | None
    """The incarnation that ended, or `None` for a stranger's signal."""
    reason: ExitReason
    """Why it ended, or what the stranger gave as the reason."""


def watch(ref: Ref[Any], watcher: Life) -> Monitor:
    """Have the end of `ref` told to `watcher` by exactly one `Down`."""
    monitor = Monitor(ref, watcher)

    def bring(reason: ExitReason) -> None:
        watcher.watches.pop(monitor, None)
        if monitor._take():  # noqa: SLF001 - one idea in two parts
            watcher.inbox.put_system(Envelope(Down(monitor, ref, reason)))

    if ref.life.over():
        bring(NO_PROCESS)
        return monitor
    monitor._bring = told = lambda ended: bring(ended.get())  # noqa: SLF001 - as above
    watcher.watches[monitor] = monitor.call_off
    ref.life.ended.on_done(told)
    if watcher.over():
        # It may have looked through its watches before this one was among them.
        monitor.call_off()
    return monitor
