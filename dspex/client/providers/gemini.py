"""Gemini's generateContent as a wire format.

What goes out is written in `gemini_request`, what comes back is read in `gemini_reply`;
here are the address and the headers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import RateLimits, Sender, StreamReader
from dspex.client.providers.gemini_reply import GeminiStream, reply_in
from dspex.client.providers.gemini_request import body_of
from dspex.client.providers.request_headers import request_headers
from dspex.client.providers.whole_body import WholeBody, is_json
from dspex.core.lm import Reply, Request


class Gemini:
    """The format of `/v1beta/models/...:generateContent`.

    The key travels in a header, never in the address, which ends up in logs. Gemini
    tells nothing of its limits before they are reached.

    The id of a tool call holds the model's signature too, which Gemini 3 wants back
    with the call; hand ids on as they are.
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

        `reasoning_effort` becomes a budget of tokens for models before Gemini 3
        (minimal and low 1,024, medium 8,192, high 24,576, none 0) and a level for newer
        ones, which do not know "none".

        Raises:
            ConfigurationError: A setting is no JSON value, or nothing Gemini has.
        """
        model = request.model or endpoint.model
        headers = request_headers(
            request_id=request_id, idempotency_key=idempotency_key, stream=stream
        )
        if endpoint.api_key is not None:
            headers["x-goog-api-key"] = endpoint.api_key.reveal()
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return HttpRequest(
            method="POST",
            url=f"{endpoint.base_url}/{path_of(model)}:{method}",
            headers=headers,
            body=body_of(request, model),
        )

    def read(self, response: HttpResponse, sender: Sender) -> Reply:
        """Read a whole response.

        Returns:
            The reply, with at least one text. A prompt that a filter did not let
            through is a reply that is `refused`.

        Raises:
            LMError: The class that fits the status and Gemini's own word.
        """
        return reply_in(response, sender)

    def reader(self, headers: Mapping[str, str], sender: Sender) -> StreamReader:
        """A reader for the chunks of a stream."""
        if is_json(headers):
            return WholeBody(headers, lambda response: reply_in(response, sender))
        return GeminiStream(headers, sender)

    def limits(
        self, _headers: Mapping[str, str], _wall_clock: Callable[[], float], /
    ) -> RateLimits:
        """Nothing: Gemini's headers do not tell its limits."""
        return RateLimits()


GEMINI = Gemini()
"""The format, which keeps no state."""


def path_of(model: str) -> str:
    """The path of a model; one that was tuned has a folder of its own.

    Example:
        >>> path_of("gemini-2.5-flash"), path_of("tunedModels/mine")
        ('models/gemini-2.5-flash', 'tunedModels/mine')
    """
    folder, slash, name = model.partition("/")
    if not slash or folder not in {"models", "tunedModels"}:
        folder, name = "models", model
    return f"{folder}/{quote(name, safe='')}"
