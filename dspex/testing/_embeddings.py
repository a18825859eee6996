"""OpenAI's embeddings, made from hashes: the same text has the same vector."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from dspex.core.lm import Usage
from dspex.testing._dialect import MalformedError, number_in, words
from dspex.testing._dice import throw

_DIMENSIONS = 8


def vector_of(text: str, dimensions: int = _DIMENSIONS) -> tuple[float, ...]:
    """Return the vector the fake provider gives a text; its length is 1.

    Different texts have different vectors, but near texts are not nearer.

    Args:
        text: What to embed.
        dimensions: How many numbers.

    Example:
        >>> vector_of("Lima") == vector_of("Lima") != vector_of("Oslo")
        True
    """
    drawn = [throw(0, text, at) - 0.5 for at in range(dimensions)]
    length = math.hypot(*drawn)
    return tuple(number / length for number in drawn)


def embedded(body: Mapping[str, Any]) -> tuple[dict[str, Any], Usage]:
    """Answer a request for embeddings.

    Raises:
        MalformedError: It has no text to embed.
    """
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    are_texts = isinstance(texts, list) and all(isinstance(one, str) for one in texts)
    if not texts or not are_texts:
        raise MalformedError("'input' must be a text or a list of texts")
    size = number_in(body, "dimensions", _DIMENSIONS) or _DIMENSIONS
    usage = Usage(prompt_tokens=words(texts))
    counted = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.total_tokens}
    answer = {
        "object": "list",
        "model": body.get("model", "fake"),
        "data": list(_data(texts, size, body.get("encoding_format"))),
        "usage": counted,
    }
    return answer, usage


def _data(texts: list[str], size: int, encoding: object) -> Iterator[dict[str, Any]]:
    for index, text in enumerate(texts):
        vector = vector_of(text, size)
        packed = struct.pack(f"<{size}f", *vector)
        is_packed = encoding == "base64"
        written = base64.b64encode(packed).decode() if is_packed else list(vector)
        yield {"object": "embedding", "index": index, "embedding": written}
