"""What the formats of embeddings share: texts out of a request, vectors out of JSON.

A request for vectors is a user's turn for each text, in order. Its reply has `vectors`
in that order and no text. Whether there are as many vectors as texts is the asker's to
check: a format keeps nothing between a request and its answer.
"""

from __future__ import annotations

from dspex.core.errors import ConfigurationError
from dspex.core.lm import Message, Request


def texts_of(request: Request, *, stream: bool) -> list[str]:
    """Take the texts out of a request.

    Raises:
        ConfigurationError: When a turn is no text of a user, or when a stream is asked
            for.
    """
    if stream:
        raise ConfigurationError(
            "vectors were asked for as a stream; they come whole. Leave stream out."
        )
    return [_text(turn, at) for at, turn in enumerate(request.messages)]


def vector_of(value: object) -> tuple[float, ...]:
    """Return the numbers of a vector; none when what came is no vector.

    Example:
        >>> vector_of([1, 0.5]), vector_of(["1"]), vector_of("AACAPw==")
        ((1.0, 0.5), (), ())
    """
    numbers = value if isinstance(value, list) else []
    if not all(type(number) in {int, float} for number in numbers):
        return ()
    try:
        return tuple(float(number) for number in numbers)
    except OverflowError:
        return ()


def _text(turn: Message, at: int) -> str:
    if turn.role != "user" or not isinstance(turn.content, str):
        raise ConfigurationError(
            f"messages[{at}] of a request for vectors is not a text of the role 'user';"
            " expected one such turn for each text. Pass texts."
        )
    return turn.content
