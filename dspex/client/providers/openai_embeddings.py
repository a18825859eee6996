"""OpenAI's embeddings: texts in, a vector for each out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import RateLimits, Sender, StreamReader
from dspex.client.providers.json_body import JsonError, read_object
from dspex.client.providers.openai_addresses import (
    Address,
    azure_address,
    openai_address,
)
from dspex.client.providers.openai_errors import error_for
from dspex.client.providers.openai_reply import (
    NoReplyError,
    RefusedError,
    text_or_empty,
    usage_of,
)
from dspex.client.providers.openai_request import sent_settings, written
from dspex.client.providers.rate_limit_headers import openai_limits
from dspex.client.providers.refusals import is_success, request_id_in, unreadable
from dspex.client.providers.request_headers import request_headers
from dspex.client.providers.whole_body import WholeBody
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Message, Reply, Request

_EXPECTED = "JSON with data[0].embedding, a list of numbers"


class OpenAIEmbeddings:
    """The format of `/v1/embeddings`; what differs on Azure is the address.

    A request is a user's turn for each text, in order. Its reply has `vectors` in that
    order and no text. Whether there are as many vectors as texts is the asker's to
    check: a format keeps nothing between a request and its answer.
    """

    def __init__(
        self, find: Callable[[Endpoint, str, str], Address] = openai_address
    ) -> None:
        self._find = find

    def build(
        self,
        request: Request,
        endpoint: Endpoint,
        *,
        request_id: str,
        idempotency_key: str,
        stream: bool = False,
    ) -> HttpRequest:
        """Put a request into bytes.

        Raises:
            ConfigurationError: When a turn is no text of a user, when a stream is asked
                for, or when a setting is no JSON value or not a setting.
        """
        if stream:
            raise ConfigurationError(
                "vectors were asked for as a stream; they come whole. Leave stream out."
            )
        model = request.model or endpoint.model
        address = self._find(endpoint, model, "embeddings")
        headers = request_headers(
            request_id=request_id, idempotency_key=idempotency_key, stream=False
        )
        texts = [_text(turn, at) for at, turn in enumerate(request.messages)]
        return HttpRequest(
            method="POST",
            url=address.url,
            headers={**headers, **address.key_headers},
            body=written(
                {"model": model, "input": texts}, sent_settings(request.settings)
            ),
        )

    def read(self, response: HttpResponse, sender: Sender) -> Reply:
        """Read a whole response.

        Raises:
            LMError: The class that fits the status and the provider's own code. A
                success whose body holds no vectors is an `LMResponseError`.
        """
        if not is_success(response.status):
            raise error_for(response, sender)
        try:
            return _reply(read_object(response.body), response.headers)
        except RefusedError as error:
            raise error_for(replace(response, body=error.body), sender) from None
        except (JsonError, NoReplyError) as error:
            raise unreadable(
                response, sender, problem=str(error), expected=_EXPECTED
            ) from None

    def reader(self, headers: Mapping[str, str], sender: Sender) -> StreamReader:
        """A reader for a body that comes whole, as vectors always do."""
        return WholeBody(headers, lambda response: self.read(response, sender))

    def limits(
        self,
        headers: Mapping[str, str],
        wall_clock: Callable[[], float],  # noqa: ARG002 - these headers hold no date
    ) -> RateLimits:
        """Read the `x-ratelimit-*` headers."""
        return openai_limits(headers)


OPENAI_EMBEDDINGS = OpenAIEmbeddings()
"""The format as everybody but Azure has it."""

AZURE_EMBEDDINGS = OpenAIEmbeddings(azure_address)
"""The format as Azure has it."""


def _text(turn: Message, at: int) -> str:
    if turn.role != "user" or not isinstance(turn.content, str):
        raise ConfigurationError(
            f"messages[{at}] of a request for vectors is not a text of the role 'user';"
            " expected one such turn for each text. Pass texts."
        )
    return turn.content


def _reply(parsed: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
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
        model=text_or_empty(parsed.get("model")),
        request_id=request_id_in(headers),
    )


def _index(row: object, at: int) -> int:
    index = row.get("index", at) if isinstance(row, dict) else at
    if type(index) is not int:
        raise NoReplyError("a row has an index that is no number")
    return index


def _vector(row: object) -> tuple[float, ...]:
    numbers = row.get("embedding") if isinstance(row, dict) else None
    if not isinstance(numbers, list) or not numbers:
        raise NoReplyError("a row has no embedding")
    if not all(type(number) in {int, float} for number in numbers):
        raise NoReplyError("an embedding holds what is no number")
    try:
        return tuple(float(number) for number in numbers)
    except OverflowError:
        raise NoReplyError("an embedding holds a number too large") from None
