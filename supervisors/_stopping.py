"""Stopping actors as their shutdown policies say: asked, waited for, then given up."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Any, cast

from supervisors._waiting import waiting_for
from supervisors.child_spec import ShutdownPolicy
from supervisors.exits import ExitReason
from supervisors.ref import Ref


def stop(ref: Ref[Any], policy: ShutdownPolicy) -> ExitReason:
    """Stop an actor, and return why it ended.

    The seconds are real ones, also in a tree whose clock is wound by hand: they bound a
    wait for a thread.
    """
    _ask(ref, policy)
    return _wait(ref, _patience(policy))


def stop_side_by_side(children: Iterable[tuple[Ref[Any], ShutdownPolicy]]) -> None:
    """Ask all to stop at the same moment, and wait until each has ended."""
    # The impatient first, so that nobody is waited for longer than they may take.
    in_order = sorted(children, key=lambda child: _patience(child[1]))
    asked_at = time.monotonic()
    for ref, policy in in_order:
        _ask(ref, policy)
    for ref, policy in in_order:
        _wait(ref, asked_at + _patience(policy) - time.monotonic())


def _patience(policy: ShutdownPolicy) -> float:
    match policy:
        case "brutal_kill":
            return 0.0
        case "infinity":
            return math.inf
        case seconds:
            return seconds


def _ask(ref: Ref[Any], policy: ShutdownPolicy) -> None:
    if policy == "brutal_kill":
        ref.kill()
    else:
        ref.shutdown()


def _wait(ref: Ref[Any], seconds: float) -> ExitReason:
    life = ref.life
    with waiting_for(life.ended, life, "end"):
        ended = life.ended.wait(None if math.isinf(seconds) else max(0.0, seconds))
    if not ended:
        ref.kill()
    # A kill that came second finds the end claimed, and told a moment later.
    return cast("ExitReason", life.ended.get())
