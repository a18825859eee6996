"""OpenAI's chat completions, the format most servers speak.

Pure functions; nothing here opens a socket. How a request is written stands in
`openai_request`, how an answer is read in `openai_reply` and `openai_stream`, and what
a refusal means in `openai_errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

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
from dspex.client.providers.openai_reply import NoReplyError, RefusedError, reply_of
from dspex.client.providers.openai_request import chat_body
from dspex.client.providers.openai_stream import OpenAIStream
from dspex.client.providers.rate_limit_headers import openai_limits
from dspex.client.providers.refusals import is_success, unreadable
from dspex.client.providers.request_headers import request_headers
from dspex.client.providers.whole_body import WholeBody, is_json
from dspex.core.lm import Reply, Request

_EXPECTED = "JSON with choices[0].message.content"


class OpenAIChat:
    """The format of `/v1/chat/completions`; what differs on Azure is the address."""

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
        """Put a request into bytes; `chat_body` says what becomes of the settings."""
        if not request.model:
            request = replace(request, model=endpoint.model)
        address = self._find(endpoint, request.model, "chat/completions")
        headers = request_headers(
            request_id=request_id, idempotency_key=idempotency_key, stream=stream
        )
        return HttpRequest(
            method="POST",
            url=address.url,
            headers={**headers, **address.key_headers},
            body=chat_body(request, endpoint, stream=stream),
        )

    def read(self, response: HttpResponse, sender: Sender) -> Reply:
        """Read a whole response; `reply_of` says what counts as a completion.

        Raises:
            LMError: The class that fits the status and the provider's own code. A
                success whose body is no completion is an `LMResponseError`.
        """
        if not is_success(response.status):
            raise error_for(response, sender)
        try:
            return reply_of(read_object(response.body), response.headers)
        except RefusedError as error:
            # Some gateways answer 200 and put the upstream's error into the body.
            raise error_for(replace(response, body=error.body), sender) from None
        except (JsonError, NoReplyError) as error:
            raise unreadable(
                response, sender, problem=str(error), expected=_EXPECTED
            ) from None

    def reader(self, headers: Mapping[str, str], sender: Sender) -> StreamReader:
        """A reader for the body of a success, whether it is a stream or came whole."""
        if is_json(headers):
            return WholeBody(headers, lambda response: self.read(response, sender))
        return OpenAIStream(headers, sender)

    def limits(
        self,
        headers: Mapping[str, str],
        wall_clock: Callable[[], float],  # noqa: ARG002 - these headers hold no date
    ) -> RateLimits:
        """Read the `x-ratelimit-*` headers."""
        return openai_limits(headers)


OPENAI_CHAT = OpenAIChat()
"""The format as everybody but Azure has it."""

AZURE_CHAT = OpenAIChat(azure_address)
"""The format as Azure has it."""
