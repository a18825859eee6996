"""OpenAI's embeddings: texts in, a vector for each out; see `embedded_texts`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dspex.client.providers.embedded_texts import texts_of, vector_of
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.json_values import object_of, text_of
from dspex.client.providers.openai_addresses import azure_address
from dspex.client.providers.openai_format import OpenAIFormat
from dspex.client.providers.openai_reply import NoReplyError, RefusedError, usage_of
from dspex.client.providers.openai_request import sent_settings
from dspex.client.providers.request_body import written
from dspex.core.lm import Reply, Request


def vectors_body(request: Request, _endpoint: Endpoint, /, *, stream: bool) -> bytes:
    """Write a request for vectors.

    Raises:
        ConfigurationError: When a turn is no text of a user, when a stream is asked
            for, or when a setting is no JSON value or not a setting.
    """
    settings = sent_settings(request.settings)
    texts = texts_of(request, stream=stream)
    return written({"model": request.model, "input": texts, **settings}, settings)


def vectors_of(parsed: Mapping[str, Any], request_id: str | None) -> Reply:
    """Read the vectors of a whole answer.

    Raises:
        RefusedError: When an error is inside.
        NoReplyError: When there are no vectors of one length, or their numbers have
            gaps.
    """
    rows = parsed.get("data")
    if parsed.get("error") and not rows:
        raise RefusedError(parsed["error"])
    if not isinstance(rows, list) or not rows:
        raise NoReplyError("it has no data")
    found = {_index(row, at): _vector(row) for at, row in enumerate(rows)}
    if found.keys() != set(range(len(rows))):
        raise NoReplyError("its vectors are not numbered from 0 on, each once")
    vectors = tuple(found[at] for at in range(len(rows)))
    if len({len(vector) for vector in vectors}) != 1:
        raise NoReplyError("its vectors are not of one length")
    return Reply(
        vectors=vectors,
        usage=usage_of(parsed.get("usage")),
        model=text_of(parsed.get("model")),
        request_id=request_id,
    )


OPENAI_EMBEDDINGS = OpenAIFormat(
    operation="embeddings",
    expected="JSON with data[0].embedding, a list of numbers",
    body_of=vectors_body,
    reply_of=vectors_of,
)
"""The format of `/v1/embeddings`, as everybody but Azure has it."""

AZURE_EMBEDDINGS = replace(OPENAI_EMBEDDINGS, find=azure_address)
"""The format as Azure has it."""


def _index(row: object, at: int) -> int:
    index = object_of(row).get("index", at)
    if type(index) is not int:
        raise NoReplyError("a row has an index that is no number")
    return index


def _vector(row: object) -> tuple[float, ...]:
    vector = vector_of(object_of(row).get("embedding"))
    if not vector:
        raise NoReplyError("a row has no embedding, or one of what is no number")
    return vector
