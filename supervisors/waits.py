"""Who waits for whom at this moment, and whether some wait in a circle.

Nobody is asked, so the report works while everybody is stuck, which is when it is
wanted.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from supervisors._cycles import find_cycles
from supervisors._durations import in_words
from supervisors._life import Life, now
from supervisors._waiting import OpenCall, WaitingFor, open_calls

_FOR: dict[WaitingFor, str] = {
    "reply": "for a reply of",
    "start": "for the start of",
    "end": "for the end of",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Somebody waits for somebody else."""

    waiter: str
    """The actor, as its path from the root; or the name of a thread in no actor."""
    what: WaitingFor
    """What it waits for: a `reply`, a child's `start`, or a child's `end`."""
    target: str
    """The actor that is waited for, or the name that nobody has yet."""
    seconds: float
    """For how long."""

    def __str__(self) -> str:
        span = in_words(self.seconds)
        return f"{self.waiter} waits {_FOR[self.what]} {self.target}, {span}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Everybody in this process who waits for an actor. `str()` is for people."""

    waits: tuple[Wait, ...]
    """The longest first."""
    cycles: tuple[tuple[str, ...], ...]
    """Actors that wait in a circle, each for the next and the last for the first. They
    do so until a timeout, or until one of them is ended."""

    def __str__(self) -> str:
        if not self.waits:
            return "nobody waits"
        circles = (" -> ".join((*cycle, cycle[0])) for cycle in self.cycles)
        lines = (*map(str, self.waits), *(f"deadlock: {circle}" for circle in circles))
        return "\n".join(lines)


def waits() -> Waits:
    """Report who waits for a reply, and which supervisor for a child's start or end.

    Calls of actors, of plain threads and of coroutines are in it. A circle is found
    when each actor in it waits in its own callback; a coroutine that an actor on a loop
    has spawned holds nobody up.

    Example:
        >>> print(waits())
        nobody waits
    """
    calls = open_calls()
    at = now()
    # By life and not by name: two trees may use the same names.
    cycles = find_cycles(
        (call.waiter, call.target)
        for call in calls
        if call.waiter is not None and isinstance(call.target, Life)
    )
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return Waits(
        waits=tuple(
            Wait(
                waiter=_waiter(call, names),
                what=call.what,
                target=_name(call.target),
                seconds=at - call.since,
            )
            for call in sorted(calls, key=lambda call: call.since)
        ),
        cycles=tuple(tuple(map(_name, _from_first(cycle))) for cycle in cycles),
    )


def _waiter(call: OpenCall, names: dict[int | None, str]) -> str:
    if call.waiter is not None:
        return _name(call.waiter)
    return f"thread {names.get(call.thread, call.thread)!r}"


def _name(who: Life | str) -> str:
    if isinstance(who, str):
        return who
    return "/".join(who.path) or who.label


def _from_first(cycle: tuple[Life, ...]) -> tuple[Life, ...]:
    """The same circle, told from the actor whose name comes first."""
    start = min(range(len(cycle)), key=lambda index: _name(cycle[index]))
    return cycle[start:] + cycle[:start]
