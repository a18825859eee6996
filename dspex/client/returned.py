"""What a model in the user's own code returned, as a reply. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dspex.core.errors import LMError
from dspex.core.lm import Reply, Usage

Vector = tuple[float, ...]
"""One embedded text."""


def reply_from(returned: object, label: str) -> Reply:
    """Take what a model's `forward` returned.

    Args:
        returned: A text, a list of texts (one for each completion), a `Reply`, or what
            OpenAI's API answers, as an object or a dict: that is what DSPy's models
            return.
        label: The model as errors name it.

    Raises:
        LMError: It is none of these, or holds no text. It is not tried again.

    Example:
        >>> reply_from("Lima", "mine").texts, reply_from(["a", "b"], "mine").texts
        (('Lima',), ('a', 'b'))
    """
    if isinstance(returned, Reply):
        return returned
    if isinstance(returned, str):
        return Reply(texts=(returned,), finish_reasons=("stop",))
    if isinstance(returned, list | tuple):
        return _from_texts(returned, label)
    choices = _part(returned, "choices")
    if isinstance(choices, list | tuple):
        return _from_choices(choices, returned, label)
    raise _no_reply(label, f"returned {type(returned).__name__!r}")


def vectors_from(returned: object, count: int, label: str) -> tuple[Vector, ...]:
    """Take what a function that embeds texts returned.

    Args:
        returned: For each text a sequence of numbers; arrays will do.
        count: How many texts there were.
        label: The function as errors name it.

    Raises:
        LMError: It is something else, or a number is not finite. It is not tried again.
    """
    if isinstance(returned, str) or not isinstance(returned, Iterable):
        raise _no_vectors(label, f"returned {type(returned).__name__!r}")
    try:
        vectors = tuple(tuple(float(x) for x in vector) for vector in returned)
    except (TypeError, ValueError) as error:
        raise _no_vectors(label, f"returned what are no numbers ({error})") from error
    if len(vectors) != count:
        raise _no_vectors(label, f"returned {len(vectors)} vectors for {count} texts")
    if not all(vector and all(map(math.isfinite, vector)) for vector in vectors):
        raise _no_vectors(label, "returned a vector that is empty or not finite")
    return vectors


def _from_texts(texts: Sequence[Any], label: str) -> Reply:
    if not texts:
        raise _no_reply(label, "returned no text at all")
    for text in texts:
        if not isinstance(text, str):
            raise _no_reply(label, f"returned a list with {type(text).__name__!r}")
    return Reply(texts=tuple(texts), finish_reasons=("stop",) * len(texts))


def _from_choices(choices: Sequence[Any], returned: object, label: str) -> Reply:
    texts = [_part(_part(choice, "message"), "content") for choice in choices]
    reasons = [_part(choice, "finish_reason") or "stop" for choice in choices]
    usage = _part(returned, "usage")
    reply = _from_texts(["" if text is None else text for text in texts], label)
    return Reply(
        texts=reply.texts,
        finish_reasons=tuple(map(str, reasons)),
        model=str(_part(returned, "model") or ""),
        usage=Usage(
            prompt_tokens=_count(usage, "prompt_tokens"),
            completion_tokens=_count(usage, "completion_tokens"),
        ),
    )


def _part(value: object, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name)
    return getattr(value, name, None)


def _count(usage: object, name: str) -> int:
    count = _part(usage, name)
    return count if isinstance(count, int) and count > 0 else 0


def _no_reply(label: str, what: str) -> LMError:
    return LMError(
        f"{label!r} {what}; a text, a list of texts or a Reply was expected. Return "
        "one of them from the model's code.",
        model=label,
    )


def _no_vectors(label: str, what: str) -> LMError:
    return LMError(
        f"{label!r} {what}; a list of numbers for each text was expected. Return that "
        "from the function.",
        model=label,
    )
