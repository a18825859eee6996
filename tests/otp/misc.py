"""What the replays of the `misc_*` recordings share: words and reasons."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from supervisors import (
    ActorDownError,
    CallTimeoutError,
    Crashed,
    ExitReason,
    Failed,
    Killed,
    NoProcess,
    Normal,
    SelfCallError,
    Shutdown,
)
from supervisors.exits import KILLED, NORMAL, SHUTDOWN
from tests.otp.trace import GOLDEN, Json

_REASONS: dict[str, ExitReason] = {
    "normal": NORMAL,
    "shutdown": SHUTDOWN,
    "killed": KILLED,
}


def recorded(family: str) -> list[Json]:
    """The cases of one recording."""
    cases: list[Json] = json.loads((GOLDEN / f"misc_{family}.json").read_text())[
        "cases"
    ]
    return cases


def reason(word: Json) -> ExitReason:
    """Erlang's exit reason, as recorded, in our values."""
    if isinstance(word, dict):
        return Shutdown(word["shutdown"])
    return _REASONS.get(word, Failed(word))


def word(ours: ExitReason) -> Json:
    """Our exit reason as the recording would write it."""
    match ours:
        case Shutdown(term) if term is not None:
            return {"shutdown": term}
        case Normal() | Shutdown():
            return str(ours)
        case Killed():
            return "killed"
        case NoProcess():
            return "noproc"
        case Failed("start timeout"):
            return "timeout"
        case Failed(term):
            return term
        case Crashed(SelfCallError()):
            return "calling_self"
        case Crashed(error):
            return {"raise": str(error)}
        case _:
            raise AssertionError(ours)


def outcome(call: Callable[[], Any]) -> Json:
    """What a caller saw: in Erlang it exits where ours gets an error raised."""
    try:
        return {"ok": call()}
    except CallTimeoutError:
        return {"exit": "timeout"}
    except ActorDownError as error:
        return {"exit": word(error.reason)}
