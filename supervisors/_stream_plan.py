"""What a stream of tasks does next, as a pure plan.

It holds no task, thread or clock: the driver tells what happened and when, and asks
what may be started, what is overdue and what can be handed out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finished(Generic[T]):
    """A result that can be handed out."""

    position: int
    """The number of its input, from 0."""
    result: T
    """What the driver said it is."""


class StreamPlan(Generic[T]):
    """Which inputs run, which results wait, and in which order they go out.

    Invariant: each input that was started is in exactly one of `_running`, `_behind`
    and `_ready`, or was handed out; all of them together, but for those handed out, are
    at most `max_ahead`.

    Example:
        >>> plan = StreamPlan(max_concurrency=2, ordered=True, timeout=5.0, max_ahead=9)
        >>> plan.started(now=0.0), plan.started(now=1.0), plan.wants_input()
        (0, 1, False)
        >>> plan.ended(1, "second", at=2.0), plan.take(), plan.next_due()
        (True, None, 5.0)
        >>> plan.ended(0, "first", at=3.0), plan.take()
        (True, Finished(position=0, result='first'))
    """

    def __init__(
        self,
        *,
        max_concurrency: int,
        ordered: bool,
        timeout: float | None,
        max_ahead: float,
    ) -> None:
        """Begin with nothing started.

        Args:
            max_concurrency: How many run at a time.
            ordered: Whether results go out in the order of the inputs, or as they come.
            timeout: Seconds each may run; `None` is as long as it likes.
            max_ahead: How many may be started and not handed out.
        """
        self._max_concurrency = max_concurrency
        self._ordered = ordered
        self._timeout = timeout
        self._max_ahead = max_ahead
        self._next = 0
        self._head = 0
        self._more = True
        # When each running one is overdue. Started in order and with one span for all,
        # so the first is the earliest.
        self._running: dict[int, float] = {}
        self._behind: dict[int, T] = {}
        self._ready: deque[Finished[T]] = deque()

    def wants_input(self) -> bool:
        """Whether the next input may be taken and started now."""
        return (
            self._more
            and not self._ready
            and len(self._running) < self._max_concurrency
            and len(self._running) + len(self._behind) < self._max_ahead
        )

    def started(self, now: float) -> int:
        """The next input runs from `now` on; its position."""
        position = self._next
        self._next += 1
        timeout = self._timeout
        self._running[position] = float("inf") if timeout is None else now + timeout
        return position

    def exhausted(self) -> None:
        """There is no more input."""
        self._more = False

    def ended(self, position: int, result: T, at: float) -> bool:
        """One that runs has ended with `result`.

        Returns:
            `False` when that was too late: it stays overdue, and nothing has changed.
        """
        due = self._running.get(position)
        if due is None or at > due:
            return False
        self.settle(position, result)
        return True

    def settle(self, position: int, result: T) -> None:
        """One that runs is over with `result`, whenever that was."""
        del self._running[position]
        if not self._ordered:
            self._ready.append(Finished(position, result))
            return
        self._behind[position] = result
        while self._head in self._behind:
            head = self._head
            self._ready.append(Finished(head, self._behind.pop(head)))
            self._head += 1

    def overdue(self, now: float) -> tuple[int, ...]:
        """Those that have run for longer than they may, the oldest first."""
        late = []
        for position, due in self._running.items():
            if due > now:
                break
            late.append(position)
        return tuple(late)

    def next_due(self) -> float | None:
        """When the next one is overdue, if one ever is."""
        due = next(iter(self._running.values()), None)
        return None if due is None or due == float("inf") else due

    def take(self) -> Finished[T] | None:
        """Hand the next result out, if it is there."""
        return self._ready.popleft() if self._ready else None

    def over(self) -> bool:
        """Whether all inputs were started and all results were handed out."""
        return not (self._more or self._running or self._behind or self._ready)
