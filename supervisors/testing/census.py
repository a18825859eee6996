"""What must not be: actors left alive, threads in dead actors' code, ask cycles."""

from __future__ import annotations

import time

from supervisors import _census
from supervisors._life import Life
from supervisors._mailbox import remaining
from supervisors._stacks import look_at_stacks
from supervisors.waits import waits


def living() -> frozenset[Life]:
    """The actors of this process that are alive now, to leave out later."""
    return frozenset(_census.alive())


def assert_no_actor_left(
    timeout: float = 10.0, *, besides: frozenset[Life] = frozenset()
) -> None:
    """Assert that every actor of this process has ended.

    Args:
        timeout: Seconds to wait for all of them.
        besides: Actors that may live on; take them with `living()` before.

    Raises:
        AssertionError: Some are alive, or threads are still in dead actors' code; those
            are shown with their stacks.
    """
    deadline = time.monotonic() + timeout
    for life in living() - besides:
        life.ended.wait(remaining(deadline))
    for life in _census.zombies():
        life.thread_left.wait(remaining(deadline))
    left = sorted(life.label for life in living() - besides)
    stack_of = look_at_stacks()
    busy = {
        life.label: stack_of(life) for life in _census.zombies() if life.in_thread()
    }
    if left or busy:
        stacks = "".join(f"\n{label}:\n{stack}" for label, stack in busy.items())
        msg = (
            f"actors still alive: {left}; "
            f"abandoned but still running: {sorted(busy)}{stacks}"
        )
        raise AssertionError(msg)


def assert_no_ask_cycle() -> None:
    """Assert that at this moment no actors wait for each other in a circle.

    Raises:
        AssertionError: Some do; the text tells who waits for whom.
    """
    report = waits()
    if report.cycles:
        msg = f"actors wait for each other in a circle:\n{report}"
        raise AssertionError(msg)
