"""OpenAI's chat completions: from a request to bytes, and from bytes to a reply.

Pure functions; nothing here opens a socket. What a refusal means stands in
`openai_errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from dspex.client.http_messages import HttpRequest, HttpResponse
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Sender
from dspex.client.providers.json_body import JsonError, read_object, write_json
from dspex.client.providers.openai_errors import error_for
from dspex.client.providers.refusals import is_success, request_id_in, unreadable
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Reply, Request, Usage

_NEVER_SENT = frozenset({"rollout_id"})
_NOT_SETTINGS = frozenset({"messages", "model", "stream"})
_ENDS_WITHOUT_TEXT = frozenset({"length", "content_filter"})
_EXPECTED = "JSON with choices[0].message.content"


class OpenAIChat:
    """The format of `/v1/chat/completions`."""

    def build(
        self,
        request: Request,
        endpoint: Endpoint,
        *,
        request_id: str,
        idempotency_key: str,
    ) -> HttpRequest:
        """Put a request into OpenAI's chat format.

        Every setting is passed on as it is, except `rollout_id`, which is only part of
        a request's identity, and settings that are `None`, which means "not set".

        Raises:
            ConfigurationError: When a setting is no JSON value, or is not a setting.
        """
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "dspex",
            "X-Client-Request-Id": request_id,
            "Idempotency-Key": idempotency_key,
        }
        if endpoint.api_key is not None:
            headers["Authorization"] = f"Bearer {endpoint.api_key.reveal()}"
        return HttpRequest(
            method="POST",
            url=f"{endpoint.base_url}/chat/completions",
            headers=headers,
            body=_body(request, endpoint),
        )

    def read(self, response: HttpResponse, sender: Sender) -> Reply:
        """Read a whole response.

        Returns:
            The reply, with at least one text. A completion that ended at its length or
            in a filter without any text has the text `""`; a refusal's text is the
            refusal.

        Raises:
            LMError: The class that fits the status and the provider's own code. A
                success whose body is no completion is an `LMResponseError`.
        """
        if not is_success(response.status):
            raise error_for(response, sender)
        try:
            return _reply(read_object(response.body), response.headers)
        except _RefusedError:
            # Some gateways answer 200 and put the upstream's error into the body.
            raise error_for(response, sender) from None
        except (JsonError, _NoReplyError) as error:
            raise unreadable(
                response, sender, problem=str(error), expected=_EXPECTED
            ) from None


OPENAI_CHAT = OpenAIChat()
"""The format, which keeps no state."""


class _NoReplyError(Exception):
    """A body is not what the format promises; the text says where."""


class _RefusedError(Exception):
    """A body holds an error although the status says success."""


def _body(request: Request, endpoint: Endpoint) -> bytes:
    wrong = sorted(_NOT_SETTINGS & request.settings.keys())
    if wrong:
        raise ConfigurationError(
            f"{wrong[0]!r} is not a setting of a call; it is part of the request itself"
            " or not supported. Leave it out."
        )
    fields: dict[str, Any] = {
        "model": request.model or endpoint.model,
        "messages": [
            {"role": turn.role, "content": turn.content} for turn in request.messages
        ],
    }
    fields |= {
        name: value
        for name, value in request.settings.items()
        if value is not None and name not in _NEVER_SENT
    }
    try:
        return write_json(fields)
    except JsonError:
        _blame_setting(request.settings)


def _blame_setting(settings: Mapping[str, Any]) -> NoReturn:
    for name, value in settings.items():
        try:
            write_json(value)
        except JsonError:
            raise ConfigurationError(
                f"the setting {name!r} is of type {type(value).__name__} and cannot be"
                " written as JSON; expected numbers, texts, lists or dicts of them."
                " Convert it first."
            ) from None
    raise ConfigurationError(
        "the messages cannot be written as JSON; their contents must be texts. Convert"
        " them first."
    )


def _reply(parsed: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
    if parsed.get("error") and not parsed.get("choices"):
        raise _RefusedError
    choices = parsed.get("choices")
    if not isinstance(choices, list) or not choices:
        raise _NoReplyError("it has no choices")
    return Reply(
        texts=tuple(_text(choice) for choice in choices),
        usage=_usage(parsed.get("usage")),
        model=_text_or_empty(parsed.get("model")),
        finish_reasons=tuple(
            _text_or_empty(choice.get("finish_reason")) for choice in choices
        ),
        request_id=request_id_in(headers),
    )


def _text(choice: object) -> str:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise _NoReplyError("a choice has no message")
    text = _content(message)
    if text is None and choice.get("finish_reason") in _ENDS_WITHOUT_TEXT:
        text = ""
    if text is None:
        raise _NoReplyError("a message has no text content")
    return text


def _content(message: Mapping[str, Any]) -> str | None:
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        texts = [part for part in parts if isinstance(part, str)]
        return "".join(texts) if texts else None
    if isinstance(content, str):
        return content
    refusal = message.get("refusal")
    return refusal if isinstance(refusal, str) else None


def _usage(usage: object) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    return Usage(
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
    )


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return max(value, 0)


def _text_or_empty(value: object) -> str:
    return value if isinstance(value, str) else ""
