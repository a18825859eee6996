"""Anthropic's Messages API as a wire format.

What goes out is written in `anthropic_request`, what comes back is read in
`anthropic_reply`; here are the address, the headers and the limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.providers.anthropic_reply import AnthropicStream, reply_in
from dspex.client.providers.anthropic_request import body_of
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Allowance, RateLimits, Sender, StreamReader
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
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream" if stream else "application/json",
            "User-Agent": "dspex",
            "X-Client-Request-Id": request_id,
            "Idempotency-Key": idempotency_key,
            "anthropic-version": API_VERSION,
        }
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
        return AnthropicStream(headers, sender)

    def limits(
        self, headers: Mapping[str, str], wall_clock: Callable[[], float]
    ) -> RateLimits:
        """Read the `anthropic-ratelimit-...` headers.

        The API gives the tightest limit of tokens as `tokens`; where that is missing,
        it is the scarcer of those sent and those received.
        """
        found = {
            name: _allowance(headers, name, wall_clock)
            for name in ("requests", "tokens", "input-tokens", "output-tokens")
        }
        tokens = found["tokens"]
        if tokens == Allowance():
            tokens = min(found["input-tokens"], found["output-tokens"], key=_share_left)
        return RateLimits(requests=found["requests"], tokens=tokens)


ANTHROPIC_MESSAGES = AnthropicMessages()
"""The format, which keeps no state."""


def _allowance(
    headers: Mapping[str, str], name: str, wall_clock: Callable[[], float]
) -> Allowance:
    prefix = f"anthropic-ratelimit-{name}"
    return Allowance(
        limit=_number(headers.get(f"{prefix}-limit", "")),
        remaining=_number(headers.get(f"{prefix}-remaining", "")),
        reset_in=_seconds_until(headers.get(f"{prefix}-reset", ""), wall_clock),
    )


def _share_left(allowance: Allowance) -> float:
    if not allowance.limit or allowance.remaining is None:
        return 1.0
    return allowance.remaining / allowance.limit


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _seconds_until(text: str, wall_clock: Callable[[], float]) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, aware.timestamp() - wall_clock())
    except (ValueError, OverflowError):
        return None
