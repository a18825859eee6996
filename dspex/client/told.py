"""What a client tells of its requests, in the context of whoever asked."""

from __future__ import annotations

from functools import partial
from typing import Any

from dspex.client.call import AttemptRecord, Call, Fate
from dspex.core.errors import LMError
from dspex.core.events import LM_ATTEMPT_EXCEPTION, LM_ATTEMPT_START, LM_ATTEMPT_STOP
from supervisors import Events


def is_attempt_wanted(events: Events) -> bool:
    """Whether anybody wants to know of requests, of their start or of their end."""
    return (
        events.are_wanted(LM_ATTEMPT_STOP)
        or events.are_wanted(LM_ATTEMPT_START)
        or events.are_wanted(LM_ATTEMPT_EXCEPTION)
    )


def tell_of_attempt(
    events: Events,
    record: AttemptRecord,
    seconds: float,
    call: Call,
    provider: str,
    error: LMError | None,
) -> None:
    """Tell that a request has begun, or has ended.

    Args:
        events: Who is told.
        record: The request.
        seconds: How long ago it was sent.
        call: What it was made for; handlers run in its caller's context.
        provider: Who is asked.
        error: How it failed, if it did.
    """
    name, facts = _end(record, error)
    measured = {} if name == LM_ATTEMPT_START else {"seconds": seconds}
    tell = partial(
        events.emit,
        name,
        measured,
        record=record,
        provider=provider,
        model=call.request.model,
        **facts,
    )
    # Only the client's thread ever enters the context, and never inside itself.
    if call.context is None:
        tell()
    else:
        call.context.run(tell)


def _end(
    record: AttemptRecord, error: LMError | None
) -> tuple[tuple[str, ...], dict[str, Any]]:
    match record.fate:
        case Fate.OPEN:
            return LM_ATTEMPT_START, {}
        case Fate.FAILED:
            status = None if error is None else error.status
            return LM_ATTEMPT_EXCEPTION, {"error": error, "status": status}
        case _:
            return LM_ATTEMPT_STOP, {}
