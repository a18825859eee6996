"""OpenAI's chat completions: from a request to bytes, and from bytes to a reply.

Pure functions; nothing here opens a socket. What a refusal means stands in
`openai_errors`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from dspex.client.http_messages import HttpRequest
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.openai_errors import Refusal, error_for
from dspex.client.secrets import Secret
from dspex.core.errors import ConfigurationError, LMResponseError
from dspex.core.lm import Reply, Request, Usage

__all__ = ["Endpoint", "build", "read"]

_NEVER_SENT = frozenset({"rollout_id"})
_NOT_SETTINGS = frozenset({"messages", "model", "stream"})
_ENDS_WITHOUT_TEXT = frozenset({"length", "content_filter"})


def build(
    request: Request, endpoint: Endpoint, *, request_id: str, idempotency_key: str
) -> HttpRequest:
    """Put a request into OpenAI's chat format.

    Every setting is passed on as it is, except `rollout_id`, which is only part of a
    request's identity, and settings that are `None`, which means "not set".

    Args:
        request: What to ask. Its model's name wins over the endpoint's.
        endpoint: Where to ask it.
        request_id: Our own id of this attempt.
        idempotency_key: The same for all attempts of one call, so that a provider that
            honours it bills them once.

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


def read(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    model: str,
    secret: Secret | None = None,
    wall_clock: Callable[[], float] = time.time,
) -> Reply:
    """Read a provider's response.

    Args:
        status: The HTTP status.
        headers: The response's headers, names in lower case.
        body: The whole body.
        model: The model string as the user wrote it, for errors.
        secret: The key that was sent, so that an echo of it is masked in errors.
        wall_clock: Seconds since 1970, for a `Retry-After` that is a date.

    Returns:
        The reply, with at least one text. A completion that ended at its length or in
        a filter without any text has the text `""`; a refusal's text is the refusal.

    Raises:
        LMError: The class that fits the status and the provider's own code. A success
            whose body is no completion is an `LMResponseError`.
    """
    refusal = Refusal(
        status=status,
        headers=headers,
        body=body,
        model=model,
        secret=secret,
        wall_clock=wall_clock,
    )
    if not 200 <= status < 300:
        raise error_for(refusal)
    try:
        return _reply(_parsed(body), headers)
    except _RefusedError:
        # Some gateways answer 200 and put the upstream's error into the body.
        raise error_for(refusal) from None
    except _NoReplyError as error:
        raise LMResponseError(
            f"the reply of {model!r} is no completion: {error}; expected JSON with"
            " choices[0].message.content. Check that api_base is the root of an"
            " OpenAI-compatible API.",
            model=model,
            status=status,
            request_id=refusal.request_id,
        ) from None


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
        return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError):
        _blame_setting(request.settings)


def _blame_setting(settings: Mapping[str, Any]) -> NoReturn:
    for name, value in settings.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise ConfigurationError(
                f"the setting {name!r} is of type {type(value).__name__} and cannot be"
                " written as JSON; expected numbers, texts, lists or dicts of them."
                " Convert it first."
            ) from None
    raise ConfigurationError(
        "the messages cannot be written as JSON; their contents must be texts. Convert"
        " them first."
    )


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError:
        raise _NoReplyError("it is nested too deeply") from None
    except ValueError:
        raise _NoReplyError("it is not JSON") from None
    if not isinstance(parsed, dict):
        raise _NoReplyError("it is JSON, but not an object")
    return parsed


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


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
        request_id=Refusal.request_id_in(headers),
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
    if not _is_unicode(text):
        raise _NoReplyError("a text holds half a character (a lone surrogate)")
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
    return value if isinstance(value, str) and _is_unicode(value) else ""


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
