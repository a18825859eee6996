"""The children of one supervisor that are dead while their threads still run.

A thread cannot be killed, so each of them keeps a thread and what it holds until its
callback returns. There may be so many: then nothing more is started that could become
another.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from supervisors._life import Life


@dataclass(frozen=True, slots=True)
class TooManyZombies:
    """The term of the reason why a child was not started."""

    limit: int
    """How many there may be."""
    labels: tuple[str, ...]
    """Whose threads they are."""

    def __str__(self) -> str:
        names = ", ".join(sorted(set(self.labels)))
        return (
            f"the threads of {len(self.labels)} dead children have not ended, which is "
            f"the max_zombies of their supervisor: {names}. Find out what they wait for"
        )


A_TURN = 0.1
"""Seconds that an actor on an event loop may take to be cancelled."""


class Zombies:
    """Kept by the supervisor's thread; anybody may read."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lives: list[Life] = []

    def note(self, life: Life) -> bool:
        """Count a child that was ended; `False` when its thread has left its code.

        One that has ended by itself is not counted: its thread is on its way out.
        """
        if life.abandoned_at is None:
            return False
        if life.on_abandon is not None:
            # A task is cancelled for real, which takes its loop a turn.
            life.thread_left.wait(A_TURN)
        if not life.in_thread() or life in self._lives:
            return False
        self._lives.append(life)
        thread = life.thread
        if thread is not None and life.loop is None:
            _rename(thread, life)
        return True

    def present(self) -> tuple[Life, ...]:
        """Those whose threads have not left yet."""
        if not self._lives:
            return ()
        return tuple(life for life in tuple(self._lives) if life.in_thread())

    def too_many(self) -> TooManyZombies | None:
        """Why nothing more may be started, if so."""
        if not self._lives:
            return None
        self._lives = list(self.present())
        if len(self._lives) < self.limit:
            return None
        return TooManyZombies(self.limit, tuple(life.label for life in self._lives))


def _rename(thread: threading.Thread, life: Life) -> None:
    """Let the thread say whose it is, until it is used again."""
    name = thread.name
    thread.name = f"{name} (given up: {life.label})"

    def give_back(_left: object) -> None:
        thread.name = name

    life.thread_left.on_done(give_back)
