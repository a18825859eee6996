"""What a client is told when there is no answer: status, a stable word, a text.

An error goes in, a `Refusal` comes out. No text here holds a traceback, a key or
a prompt.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from dspex.client.secrets import MASK
from dspex.core.errors import (
    AdapterError,
    BudgetExceededError,
    CircuitOpenError,
    ContextWindowExceededError,
    LMConnectionError,
    LMError,
    LMInvalidRequestError,
    LMNotConfiguredError,
    LMProviderError,
    LMRateLimitError,
    LMServerError,
    LMTimeoutError,
    LMUnexpectedError,
    QueueFullError,
    RuntimeClosedError,
)
from dspex.core.safe_text import safe_text, text_of_error
from dspex.serve.answering import ProgramExited, RequestLostError
from supervisors import SupervisorError

RETRY_AFTER: Final = 1.0
"""Seconds to wait where nobody knows better."""
_SECRET_NAMES: Final = ("KEY", "TOKEN", "SECRET", "PASSWORD")
"""How the names of environment variables end that hold what nobody may see."""
_SHORTEST_SECRET: Final = 8
"""Characters from which a value counts as one; a shorter one stands in many texts."""
LONGEST_TEXT: Final = 500
"""Characters of an error's text that a client is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why there is no answer."""

    status: int
    """The HTTP status."""
    type: str
    """A word for the kind of error, which never changes."""
    message: str
    """What happened, what was expected, how to mend it."""
    retry_after: float | None = None
    """Seconds after which to ask again; `None` when that would not help."""
    facts: Mapping[str, Any] | None = None
    """What the text says, for programs."""
    headers: Mapping[str, str] | None = None
    """Headers of the response, besides those that follow from the rest."""
    closes: bool = False
    """Whether the connection is closed after it."""

    @property
    def is_of_others(self) -> bool:
        """Whether a provider or the time is the reason: not the client, nor our choice.

        A service that is busy or ends refuses very often, and nothing is wrong.
        """
        is_our_choice = self.type in {"busy", "draining"}
        return self.status in {429, 502, 503, 504} and not is_our_choice

    def plain(self) -> dict[str, Any]:
        """Return the body of the response, as JSON values."""
        told: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.retry_after is not None:
            told["retry_after"] = whole_seconds(self.retry_after)
        return {"error": {**told, **(self.facts or {})}}


class Refused(Exception):  # noqa: N818 - carries a refusal to where it is written
    """A request is not answered, for the reason given."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def whole_seconds(seconds: float) -> int:
    """Return seconds as the header `Retry-After` takes them: whole, and at least one.

    Example:
        >>> whole_seconds(0.2), whole_seconds(4.1)
        (1, 5)
    """
    return max(1, math.ceil(seconds))


def refusal_of(error: BaseException) -> Refusal:
    """Say what a client is told of an error that a program ended with."""
    match error:
        case Refused():
            return error.refusal
        case LMError():
            return _of_call(error)
        case AdapterError():
            return Refusal(
                status=502,
                type="unreadable_answer",
                message=_unreadable(error),
            )
        case TimeoutError():
            return _late(error)
        case RequestLostError():
            return _lost(error)
        case RuntimeClosedError() | SupervisorError():
            return Refusal(
                status=503,
                type="unavailable",
                message="the service's runtime has ended or is being started again; "
                "nothing was lost but this request. Ask again later.",
                retry_after=RETRY_AFTER,
            )
        case LMNotConfiguredError():
            return Refusal(status=500, type="not_configured", message=shown(error))
        case ProgramExited():
            return _failed(error.error)
        case _:
            return _failed(error)


def _failed(error: BaseException) -> Refusal:
    kind = type(error).__name__
    return Refusal(
        status=500,
        type="program_failed",
        message=f"the program raised {kind}: {shown(error)}",
        facts={"error_class": kind},
    )


def _of_call(error: LMError) -> Refusal:
    """Say it of a call of a model that has no answer."""
    text = shown(error)
    wait = error.retry_after
    match error:
        case CircuitOpenError():
            return _unavailable("provider_down", text, wait or error.retry_in)
        case LMRateLimitError():
            return Refusal(
                status=429,
                type="rate_limited",
                message=text,
                retry_after=wait or RETRY_AFTER,
            )
        case LMTimeoutError():
            return _late(error)
        case LMConnectionError() | LMServerError():
            return _unavailable("provider_down", text, wait)
        case QueueFullError():
            return _unavailable("busy", text, wait)
        case BudgetExceededError():
            return Refusal(status=503, type="budget_exceeded", message=text)
        case ContextWindowExceededError():
            return Refusal(status=422, type="too_long", message=text)
        case LMUnexpectedError():
            return Refusal(status=502, type="unreadable_answer", message=text)
        case LMInvalidRequestError() | LMProviderError():
            return Refusal(status=502, type="provider_refused", message=text)
        case _:
            return _unavailable("unavailable", text, wait)


def _unavailable(kind: str, text: str, wait: float | None) -> Refusal:
    return Refusal(status=503, type=kind, message=text, retry_after=wait or RETRY_AFTER)


def _late(error: BaseException) -> Refusal:
    return Refusal(status=504, type="timeout", message=shown(error))


def _lost(error: RequestLostError) -> Refusal:
    if error.begun:
        return Refusal(
            status=500,
            type="not_repeated",
            message=shown(error),
            facts={"begun": list(error.begun)},
        )
    return _unavailable("killed", shown(error), None)


def _unreadable(error: AdapterError) -> str:
    # The error's own text shows what came, and that may hold anything.
    expected: Sequence[str] = getattr(error, "expected", ())
    outputs = ", ".join(map(repr, expected)) or "the outputs of the program"
    return (
        f"the model's answer could not be read; expected {outputs}. Ask again, or show "
        "the program worked examples."
    )


def without_secrets(text: str, environ: Mapping[str, str]) -> str:
    """Return a text without the keys that the environment holds.

    A program's own error may have one in it.

    Example:
        >>> without_secrets("bad key sk-abcdefgh", {"OPENAI_API_KEY": "sk-abcdefgh"})
        'bad key ***'
    """
    for name, value in environ.items():
        if name.upper().endswith(_SECRET_NAMES) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, MASK)
    return text


def shown(error: BaseException) -> str:
    """Return an error's text as a client may see it: short, no controls, no keys."""
    if isinstance(error, ValidationError):
        # Its own text shows the values that did not fit.
        text = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['type']}"
            for each in error.errors(
                include_url=False, include_input=False, include_context=False
            )
        )
    else:
        text = text_of_error(error)
    return shortened(safe_text(without_secrets(text, os.environ)))


def shortened(text: str, most: int = LONGEST_TEXT) -> str:
    """Return a text, cut after so many characters."""
    return text if len(text) <= most else f"{text[:most]}..."
