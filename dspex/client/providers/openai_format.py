"""What the operations of OpenAI's API have in common: how one is called and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import RateLimits, Sender, StreamReader
from dspex.client.providers.json_body import JsonError, read_object
from dspex.client.providers.openai_addresses import Address, openai_address
from dspex.client.providers.openai_errors import error_for
from dspex.client.providers.openai_reply import NoReplyError, RefusedError
from dspex.client.providers.rate_limit_headers import openai_limits
from dspex.client.providers.refusals import is_success, request_id_in, unreadable
from dspex.client.providers.request_headers import request_headers
from dspex.client.providers.whole_body import WholeBody, is_json
from dspex.core.lm import Reply, Request


class WriteBody(Protocol):
    """Writes the body of a request that names its model."""

    def __call__(
        self, request: Request, endpoint: Endpoint, /, *, stream: bool
    ) -> bytes:
        """Write it.

        Raises:
            ConfigurationError: When something of it cannot be asked for.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIFormat:
    """The format of one operation; what differs on Azure is the address."""

    operation: str
    """Its path under the API's root, such as `chat/completions`."""
    expected: str
    """What a success holds, for an error about one that does not."""
    body_of: WriteBody
    """Writes the body."""
    reply_of: Callable[[Mapping[str, Any], str | None], Reply]
    """Reads the JSON of a success; it is given the provider's id of the request, and
    may raise a `RefusedError` or a `NoReplyError`."""
    stream_reader: Callable[[Mapping[str, str], Sender], StreamReader] | None = None
    """Makes a reader of events; `None` when an answer always comes whole."""
    find: Callable[[Endpoint, str, str], Address] = openai_address
    """Finds the operation for a model."""

    def build(
        self,
        request: Request,
        endpoint: Endpoint,
        *,
        request_id: str,
        idempotency_key: str,
        stream: bool = False,
    ) -> HttpRequest:
        """Put a request into bytes; `body_of` says what becomes of the settings."""
        if not request.model:
            request = replace(request, model=endpoint.model)
        address = self.find(endpoint, request.model, self.operation)
        headers = request_headers(
            request_id=request_id, idempotency_key=idempotency_key, stream=stream
        )
        return HttpRequest(
            method="POST",
            url=address.url,
            headers={**headers, **address.key_headers},
            body=self.body_of(request, endpoint, stream=stream),
        )

    def read(self, response: HttpResponse, sender: Sender) -> Reply:
        """Read a whole response; `reply_of` says what counts as an answer.

        Raises:
            LMError: The class that fits the status and the provider's own code. A
                success whose body is no answer is an `LMResponseError`.
        """
        if not is_success(response.status):
            raise error_for(response, sender)
        try:
            return self.reply_of(
                read_object(response.body), request_id_in(response.headers, sender)
            )
        except RefusedError as error:
            # Some gateways answer 200 and put the upstream's error into the body.
            raise error_for(replace(response, body=error.body), sender) from None
        except (JsonError, NoReplyError) as error:
            raise unreadable(
                response, sender, problem=str(error), expected=self.expected
            ) from None

    def reader(self, headers: Mapping[str, str], sender: Sender) -> StreamReader:
        """A reader for the body of a success, whether it is a stream or came whole."""
        if self.stream_reader is None or is_json(headers):
            return WholeBody(headers, lambda response: self.read(response, sender))
        return self.stream_reader(headers, sender)

    def limits(
        self, headers: Mapping[str, str], _wall_clock: Callable[[], float], /
    ) -> RateLimits:
        """Read the `x-ratelimit-*` headers, which hold no date."""
        return openai_limits(headers)
