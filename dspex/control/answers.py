"""Who answers what: a table from verbs to functions, filled by those who know.

A function is called in a thread that is no actor, so it can answer while any actor is
stuck; it must not wait for one for longer than a second or so. What it returns goes
into JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dspex.control.errors import RefusedError
from dspex.control.protocol import Request
from dspex.core.safe_text import text_of_error

Answer = Callable[[Mapping[str, Any]], Any]
"""Answers a verb. It is given the arguments and raises `RefusedError` to say no."""

_answers: dict[str, Answer] = {}


def register(verb: str, answer: Answer) -> None:
    """Have a verb answered by a function from now on; another is replaced.

    Args:
        verb: The word.
        answer: Answers it; called in any thread, several at a time.
    """
    _answers[verb] = answer


def verbs() -> tuple[str, ...]:
    """Return what can be asked, in alphabetical order."""
    return tuple(sorted(_answers))


def answered(request: Request) -> Any:
    """Return the answer to a request.

    Raises:
        RefusedError: Nobody answers that verb, or whoever does says no or fails.
    """
    answer = _answers.get(request.verb)
    if answer is None:
        known = verbs()
        text = f"there is no verb {request.verb!r} here; there is: {', '.join(known)}."
        raise RefusedError("unknown_verb", text, known=known)
    try:
        return answer(request.arguments)
    except RefusedError:
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {text_of_error(error)}"
        raise RefusedError("failed", f"{request.verb} failed: {told}") from error
