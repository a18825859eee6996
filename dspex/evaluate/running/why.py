"""Why an evaluation is not finished: one line for each example that is open.

Everything here is worked out from facts that were collected before: who works on what
and where its thread is, what the clients say of their calls, and what the hand-out
waits for. Holds no clock and no actor.
"""

from __future__ import annotations

import re
import sysconfig
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

import supervisors
from dspex.client.standing import CallStanding, HeldBy
from dspex.evaluate.results.outcome import Stage
from dspex.evaluate.scheduling.outage import Outage

Key = tuple[int, int]
"""An example and its trial."""

_FRAME: Final = re.compile(r'^\s*File "(?P<file>.+)", line (?P<line>\d+), in ', re.M)
_CACHE: Final = ("dspex", "cache", "cache.py")


class Cause(Enum):
    """What an open example waits for."""

    BREAKER = "breaker"
    """The provider's breaker is open."""
    DOUBT = "doubt"
    """Others have failed; it waits until the provider has answered somebody."""
    LIMIT = "limit"
    """A rate limit holds its request back."""
    RETRY = "retry"
    """A call or the whole example is tried again after a pause."""
    REQUEST = "request"
    """Its request is out."""
    SERVER = "server"
    """The local model server is not ready."""
    PLACE = "place"
    """As many requests are out as may be, or a budget has no room."""
    SHARED = "shared"
    """Another example has asked the same; its answer will do for both."""
    PROGRAM = "program"
    """The program's own code runs."""
    METRIC = "metric"
    """The metric's own code runs."""
    OUTAGE = "outage"
    """Nothing is handed out until something that all need is back."""
    PAUSED = "paused"
    """Nothing is handed out, because you said so."""
    NOT_BEGUN = "not_begun"
    """All workers are busy with others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why one example has no outcome yet. `str()` is the line for people."""

    example: int
    """The example's place in the set, from 0."""
    trial: int = 0
    """Which repetition of it."""
    attempt: int = 1
    """Which attempt at it is open, or comes next."""
    cause: Cause
    """What it waits for."""
    seconds: float | None = None
    """For how long it has been so; for a limit or a retry, how long it will be; `None`
    where nobody knows."""
    text: str
    """The cause in words."""

    def __str__(self) -> str:
        trial = f" (trial {self.trial + 1})" if self.trial else ""
        return f"example {self.example}{trial}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """A worker at one moment."""

    key: Key
    """What it works on."""
    attempt: int
    """Which attempt that is."""
    seconds: float
    """For how long it has worked."""
    stage: Stage | None = None
    """In whose code it is, where that is known."""
    stage_seconds: float | None = None
    """For how long it has been there."""
    stack: str | None = None
    """Where its thread is, as `traceback` prints it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An example that will be tried again."""

    key: Key
    """The example."""
    attempt: int
    """Which attempt that will be."""
    left: float
    """Seconds until it may begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A run at one moment."""

    working: tuple[Working, ...] = ()
    """Its workers."""
    planned: tuple[Planned, ...] = ()
    """What is tried again."""
    next_example: int | None = None
    """The first example that was not handed out; `None` when all were."""
    not_begun: int | None = None
    """How many were not; `None` for a stream, which does not say."""
    paused_for: float | None = None
    """Seconds for which it has been paused by hand; `None` when it is not."""
    outages: tuple[Outage, ...] = ()
    """Why nothing is handed out, besides."""
    calls: Mapping[Key, tuple[str, CallStanding]] = field(default_factory=dict)
    """The provider's name and the open call of an example, if it has one."""
    now: float = 0.0
    """The moment, in monotonic seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why a run is not finished, as far as it was told in time."""

    waiting: tuple[Waiting, ...] = ()
    """What each open example waits for."""
    silent: tuple[str, ...] = ()
    """The names of the actors that did not answer; without the coordinator nothing is
    known of what was not begun, without a client nothing of its calls."""


def in_short(waiting: Sequence[Waiting]) -> str:
    """What holds most of the open examples up, in a few words; empty for nothing.

    A program or a metric at work is no hold-up, and neither is a request that is out.
    """
    held = [each for each in waiting if each.cause not in _AT_WORK]
    if not held:
        return ""
    many = Counter(each.cause for each in held)
    most = max(held, key=lambda each: many[each.cause])
    others = many[most.cause] - 1
    return f"{most.text} (and {others:,} like it)" if others else most.text


_AT_WORK: Final = frozenset(
    {Cause.PROGRAM, Cause.METRIC, Cause.REQUEST, Cause.NOT_BEGUN}
)


def reasons(facts: Facts) -> tuple[Waiting, ...]:
    """Say of each open example what it waits for, in the order of the examples.

    Those that were not begun are many, and all wait for the same: one stands for them.
    """
    open_ones = [_of_worker(facts, worker) for worker in facts.working]
    open_ones += [_of_planned(facts, planned) for planned in facts.planned]
    open_ones.sort(key=lambda each: (each.example, each.trial))
    return (*open_ones, *_of_the_rest(facts))


def _of_worker(facts: Facts, worker: Working) -> Waiting:
    call = facts.calls.get(worker.key)
    if call is not None:
        cause, seconds, text = _of_call(*call)
    else:
        cause, seconds, text = _of_code(worker)
    return _waiting(worker.key, worker.attempt, cause, seconds, text)


def _of_call(label: str, call: CallStanding) -> tuple[Cause, float | None, str]:
    match call.held_by:
        case HeldBy.ANSWER:
            span = _span(call.since or 0.0)
            return Cause.REQUEST, call.since, f"request out for {span}"
        case HeldBy.RETRY:
            text = f"retry {call.sent} of a call in {_span(call.left or 0.0)}"
            return Cause.RETRY, call.left, text
        case HeldBy.BREAKER:
            span = _span(call.since or 0.0)
            return Cause.BREAKER, call.since, f"breaker of {label} open for {span}"
        case HeldBy.DOUBT:
            text = f"waits until {label} has answered somebody; others have failed"
            return Cause.DOUBT, None, text
        case HeldBy.LIMIT:
            text = f"waits for a rate limit of {label}, {_span(call.left or 0.0)}"
            return Cause.LIMIT, call.left, text
        case HeldBy.SERVER:
            return Cause.SERVER, None, f"waits until {label} is ready"
        case HeldBy.PLACE:
            text = f"waits for a place among the requests to {label}"
            return Cause.PLACE, None, text


def _of_code(worker: Working) -> tuple[Cause, float | None, str]:
    frames = frames_of(worker.stack or "")
    if any(Path(file).parts[-3:] == _CACHE for file, _ in frames):
        text = "waits for an answer that another example has asked for"
        return Cause.SHARED, worker.seconds, text
    in_metric = worker.stage == "metric"
    seconds = worker.seconds if worker.stage_seconds is None else worker.stage_seconds
    name = "metric" if in_metric else "program"
    place = own_place(frames)
    at = "" if place is None else f" at {Path(place[0]).name}:{place[1]}"
    cause = Cause.METRIC if in_metric else Cause.PROGRAM
    return cause, seconds, f"{name} running for {_span(seconds)}{at}"


def _of_planned(facts: Facts, planned: Planned) -> Waiting:
    held = _held(facts)
    if held is None:
        cause: Cause = Cause.RETRY
        seconds: float | None = planned.left
        text = f"retry {planned.attempt - 1} in {_span(planned.left)}"
        if planned.left <= 0:
            text = f"retry {planned.attempt - 1} when a worker is free"
    else:
        cause, seconds, text = held
        text = f"retry {planned.attempt - 1} later: {text}"
    return _waiting(planned.key, planned.attempt, cause, seconds, text)


def _of_the_rest(facts: Facts) -> Iterator[Waiting]:
    if facts.next_example is None or facts.not_begun == 0:
        return
    busy = len(facts.working)
    workers = f"{busy} worker{'' if busy == 1 else 's'} busy"
    cause, seconds, why = _held(facts) or (Cause.NOT_BEGUN, None, workers)
    more = "" if facts.not_begun is None else f" and {facts.not_begun - 1} more"
    more = " and all later" if facts.not_begun is None else more
    more = "" if facts.not_begun == 1 else more
    text = f"not begun{more}: {why}"
    yield _waiting((facts.next_example, 0), 1, cause, seconds, text)


def _held(facts: Facts) -> tuple[Cause, float, str] | None:
    """Why nothing at all is handed out, if that is so."""
    if facts.paused_for is not None:
        text = f"paused by you, {_span(facts.paused_for)} ago"
        return Cause.PAUSED, facts.paused_for, text
    for outage in facts.outages:
        seconds = facts.now - outage.began
        text = f"{outage.what} is down for {_span(seconds)}"
        if outage.is_told:
            left = _span(max(0.0, outage.look_at - facts.now))
            text = f"{outage.what} wants no request for {left}"
        return Cause.OUTAGE, seconds, text
    return None


def _waiting(
    key: Key, attempt: int, cause: Cause, seconds: float | None, text: str
) -> Waiting:
    example, trial = key
    return Waiting(
        example=example,
        trial=trial,
        attempt=attempt,
        cause=cause,
        seconds=seconds,
        text=text,
    )


def frames_of(stack: str) -> tuple[tuple[str, int], ...]:
    """The files and lines of a stack as `traceback` prints it, the innermost last."""
    return tuple(
        (match["file"], int(match["line"])) for match in _FRAME.finditer(stack)
    )


def own_place(frames: tuple[tuple[str, int], ...]) -> tuple[str, int] | None:
    """The innermost line of a user's own code; `None` when there is none.

    Args:
        frames: Files and lines, the innermost last.
    """
    libraries = _libraries()
    for file, line in reversed(frames):
        if not file.startswith((*libraries, "<")):
            return file, line
    return None


def from_own_code(stack: Sequence[str]) -> Sequence[str]:
    """Leave out what stands above a user's own code; all, where there is none.

    Args:
        stack: Frames as `traceback` prints them, the innermost last.
    """
    for number, frame in enumerate(stack):
        if own_place(frames_of(frame)) is not None:
            return stack[number:]
    return ()


def _libraries() -> tuple[str, ...]:
    """Folders whose code is not the user's."""
    ours = (Path(__file__).parents[2], Path(supervisors.__file__).parent)
    paths = sysconfig.get_paths()
    theirs = (paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return tuple({f"{folder}/" for folder in (*map(str, ours), *theirs)})


def _span(seconds: float) -> str:
    """A span as a person would say it: "0.4 s", "12 s", "2 min 5 s".

    Example:
        >>> [_span(seconds) for seconds in (0.42, 12.3, 125)]
        ['0.4 s', '12 s', '2 min 5 s']
    """
    if seconds < 1:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{whole} s" if minutes < 2 else f"{minutes} min {rest} s"
