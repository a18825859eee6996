"""Collects what is known of a run at one moment, for `why`. Decides nothing.

Workers are not asked, so it works while all of them hang.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Mapping
from types import FrameType
from typing import Final

from dspex.client.standing import CallStanding, ClientStanding
from dspex.evaluate.results.outcome import LONGEST_TEXT
from dspex.evaluate.running.belongings import Outlook
from dspex.evaluate.running.why import Facts, Key, Working, from_own_code
from dspex.evaluate.working.attempt import Attempt

_LOOP: Final = "run_forever"
"""Who is on an event loop shares its thread with others."""


def facts_of(
    run: str,
    attempts: Iterable[Attempt],
    outlook: Outlook,
    standings: Iterable[ClientStanding],
    *,
    paused_at: float | None,
) -> Facts:
    """Say how a run stands.

    Args:
        run: Its name.
        attempts: What is in hand, in the order of handing out.
        outlook: What is yet to be handed out.
        standings: What the clients say of their calls.
        paused_at: When it was paused by hand, on the tree's clock.
    """
    attempts = tuple(attempts)
    prepared = [each.stamp.example for each in attempts if each.is_prepared]
    rest = outlook.not_handed_out
    first = prepared[0] if prepared else outlook.next_example
    frames = sys._current_frames()  # noqa: SLF001 - its documented name
    running = (each for each in attempts if each.is_running)
    return Facts(
        working=tuple(_working(each, outlook.at, frames) for each in running),
        planned=outlook.planned,
        next_example=None if not prepared and rest == 0 else first,
        not_begun=None if rest is None else rest + len(prepared),
        paused_for=None if paused_at is None else outlook.at - paused_at,
        outages=outlook.outages,
        calls=_calls(run, standings),
        now=outlook.at,
    )


def _working(attempt: Attempt, now: float, frames: Mapping[int, FrameType]) -> Working:
    metric_began = attempt.metric_began
    in_metric = metric_began is not None
    began = attempt.began if metric_began is None else metric_began
    # One may have begun since `now` was read.
    now = max(now, began)
    return Working(
        key=attempt.stamp.key,
        attempt=attempt.stamp.attempt,
        seconds=now - attempt.began,
        stage="metric" if in_metric else "program",
        stage_seconds=now - began,
        stack=_stack(attempt, frames),
    )


def where_is(attempt: Attempt) -> str:
    """Where an attempt's thread is, from the user's own code on.

    As `traceback` prints it, the innermost last and kept in any case; empty when its
    thread is in nobody's code but ours, or it has none of its own.
    """
    frames = _frames(attempt, sys._current_frames())  # noqa: SLF001 - its documented name
    own = from_own_code(frames or ())
    return "".join(own)[-LONGEST_TEXT:]


def _stack(attempt: Attempt, frames: Mapping[int, FrameType]) -> str | None:
    found = _frames(attempt, frames)
    return None if found is None else "".join(found)


def _frames(attempt: Attempt, frames: Mapping[int, FrameType]) -> list[str] | None:
    """Where an attempt's thread was; `None` when it has none of its own."""
    # Read once: a worker that comes to its end takes it away.
    ref = attempt.ref
    thread = None if ref is None else ref.life.thread
    frame = None if thread is None else frames.get(thread.ident or 0)
    # Looked at after the frames: a thread that works on it now was at it then.
    if frame is None or not attempt.is_running:
        return None
    stack = traceback.format_stack(frame)
    return None if any(_LOOP in each for each in stack) else stack


def _calls(
    run: str, standings: Iterable[ClientStanding]
) -> Mapping[Key, tuple[str, CallStanding]]:
    calls: dict[Key, tuple[str, CallStanding]] = {}
    for standing in standings:
        for call in standing.calls:
            if call.tags.get("run") == run:
                key = (call.tags["example"], call.tags["trial"])
                # Of several calls at a time, the one that was made first.
                calls.setdefault(key, (standing.label, call))
    return calls
