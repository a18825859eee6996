"""Anthropic's Messages API as a wire format.

What goes out is written in `anthropic_request`, what comes back is read in
`anthropic_reply`; here are the address and the headers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.providers.anthropic_reply import AnthropicStream, reply_in
from dspex.client.providers.anthropic_request import body_of
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import RateLimits, Sender, StreamReader
from dspex.client.providers.rate_limit_headers import anthropic_limits
from dspex.client.providers.request_headers import request_headers
from dspex.client.providers.whole_body import WholeBody, is_json
from dspex.core.lm import Reply, Request

API_VERSION = "2023-06-01"
"""The version of the API that is spoken, sent with each request."""


class AnthropicMessages:
    """The format of `/v1/messages`.

    It has one completion for each request and neither seeds nor log-probabilities. A
    picture is sent inside the request or as an `https` address. An answer by a JSON
    schema needs a model of Claude 4.5 or newer.

    A call of a tool is handed on without the model's thoughts before it, which the API
    wants back when a model of Claude 4.5 or older thinks and uses tools in one chat.
    """

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

        `max_tokens` is 4,096 unless a setting says otherwise; a model that thinks gets
        up to 16,384 more for that. `reasoning_effort` becomes a budget of tokens for
        models before Claude 4.6 (minimal 1,024, low 2,048, medium 4,096, high 16,384)
        and the API's own effort for newer ones.

        Raises:
            ConfigurationError: A setting is no JSON value, or nothing the API has.
        """
        headers = request_headers(
            request_id=request_id, idempotency_key=idempotency_key, stream=stream
        )
        headers["anthropic-version"] = API_VERSION
        if endpoint.api_key is not None:
            headers["x-api-key"] = endpoint.api_key.reveal()
        return HttpRequest(
            method="POST",
            url=f"{endpoint.base_url}/messages",
            headers=headers,
            body=body_of(request, endpoint, stream=stream),
        )

    def read(self, response: HttpResponse, sender: Sender) -> Reply:
        """Read a whole response.

        Returns:
            The reply, with one text; it is empty when the model only called tools.

        Raises:
            LMError: The class that fits the status and the provider's own word.
        """
        return reply_in(response, sender)

    def reader(self, headers: Mapping[str, str], sender: Sender) -> StreamReader:
        """A reader for the events of a stream."""
        if is_json(headers):
            return WholeBody(headers, lambda response: reply_in(response, sender))
        return AnthropicStream(headers, sender)

    def limits(
        self, headers: Mapping[str, str], wall_clock: Callable[[], float], /
    ) -> RateLimits:
        """Read the `anthropic-ratelimit-*` headers."""
        return anthropic_limits(headers, wall_clock)


ANTHROPIC_MESSAGES = AnthropicMessages()
"""The format, which keeps no state."""
