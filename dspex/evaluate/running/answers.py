"""What a process says of its runs, and does with them, when asked through the socket.

`runs`, `why`, `pause`, `resume` and `stop`. They act as the methods of a run that was
started do; a part of an optimiser's study is only looked at, as the study would take
what is left of it for a measurement.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from dspex.control import answers
from dspex.control.errors import RefusedError
from dspex.evaluate.running.live import LiveRun, live_runs
from dspex.evaluate.running.why import Waiting

STOP_WITHIN: Final = 5.0
"""Seconds to wait for a run to end before it is told that it will."""

_LOOKS: Final = 100
"""How often to look whether a run that goes on again is still held."""
_LOOK_EVERY: Final = 0.01
"""Seconds between two of those looks."""


def offer() -> None:
    """Answer for the runs of this process from now on."""
    for verb, answer in _ANSWERS.items():
        answers.register(verb, answer)


def _runs(_arguments: Mapping[str, Any]) -> Any:
    return [_plain(run) for run in _seen()]


def _why(arguments: Mapping[str, Any]) -> Any:
    run = _named(arguments)
    explained = run.why()
    return {
        **_plain(run),
        "waiting": [_waiting(each) for each in explained.waiting],
        "silent": list(explained.silent),
    }


def _pause(arguments: Mapping[str, Any]) -> Any:
    run = _steered(arguments)
    run.pause()
    return _plain(run)


def _resume(arguments: Mapping[str, Any]) -> Any:
    run = _steered(arguments)
    run.resume()
    # The coordinator says a moment later whether anything else holds the run.
    patience = threading.Event()
    for _ in range(_LOOKS):
        if run.state != "held":
            break
        patience.wait(_LOOK_EVERY)
    return _plain(run)


def _stop(arguments: Mapping[str, Any]) -> Any:
    run = _steered(arguments)
    has_ended = run.stop(STOP_WITHIN)
    return {**_plain(run), "state": "stopped" if has_ended else "ending"}


_ANSWERS = {
    "runs": _runs,
    "why": _why,
    "pause": _pause,
    "resume": _resume,
    "stop": _stop,
}


def _seen() -> list[LiveRun]:
    """Return the runs of those trees that are to be seen from outside."""
    return [run for run in live_runs() if run.runtime.config.control]


def _named(arguments: Mapping[str, Any]) -> LiveRun:
    name, runs = arguments.get("run"), _seen()
    for run in runs:
        if run.name == name:
            return run
    known = [run.name for run in runs]
    told = ", ".join(map(repr, known)) or "none"
    text = f"there is no run {name!r} at work here; there is: {told}."
    raise RefusedError("no_such_run", text, known=known)


def _steered(arguments: Mapping[str, Any]) -> LiveRun:
    run = _named(arguments)
    if run.part_of is None:
        return run
    raise RefusedError(
        "part_of_study",
        f"the run {run.name!r} is a part of the study {run.part_of!r}, which would "
        "take what is left of it for a measurement. Name the study instead.",
        study=run.part_of,
    )


def _plain(run: LiveRun) -> dict[str, Any]:
    tally = run.tally
    return {
        "run": run.name,
        "kind": run.kind,
        "part_of": run.part_of,
        "state": run.state,
        "progress": run.progress,
        "outcomes": tally.accepted,
        "scored": tally.scored,
        "total": run.total,
        "score": 100.0 * tally.score / tally.accepted if tally.accepted else None,
    }


def _waiting(waiting: Waiting) -> dict[str, Any]:
    return {
        "example": waiting.example,
        "trial": waiting.trial,
        "attempt": waiting.attempt,
        "cause": waiting.cause.value,
        "seconds": waiting.seconds,
        "text": str(waiting),
    }
