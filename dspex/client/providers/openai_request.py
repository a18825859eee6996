"""From a request to the body of a chat completion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.request_body import NEVER_SENT, written
from dspex.core.chat import turn_of
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Request

_NOT_SETTINGS = frozenset(
    {
        *("messages", "model", "input", "stream", "stream_options"),
        *("api_key", "api_base", "api_version", "base_url", "allow_insecure"),
        *("headers", "extra_headers", "extra_body", "extra_query"),
    }
)
_REASONING = re.compile(r"(?:^|[/:])(?:o[1-9]|gpt-[5-9])(?:[-.:]|$)")
"""The o series, and GPT-5 on; a fine-tuned one has its base after a colon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dialect:
    """Where a server refuses OpenAI's words and has others for the same."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    """Its names of settings, by OpenAI's."""
    counts_unasked: bool = False
    """Whether a stream tells its usage without being asked, and must not be asked."""


_PLAIN = _Dialect()
_OPENAI_REASONING = _Dialect(renamed={"max_tokens": "max_completion_tokens"})
_MISTRAL = _Dialect(
    renamed={"seed": "random_seed", "max_completion_tokens": "max_tokens"},
    counts_unasked=True,
)


def is_reasoning_model(name: str) -> bool:
    """Whether a name is one of OpenAI's reasoning models, at whatever provider.

    They may think for minutes before the first byte, and at OpenAI and Azure they
    refuse `max_tokens`.

    Example:
        >>> [is_reasoning_model(name) for name in ("o3-mini", "openai/gpt-5.1")]
        [True, True]
        >>> [is_reasoning_model(name) for name in ("gpt-4o", "qwen3-o1", "o1ive")]
        [False, False, False]
    """
    return _REASONING.search(name) is not None


def chat_body(request: Request, endpoint: Endpoint, *, stream: bool) -> bytes:
    """Write a chat request.

    Every setting is passed on as it is, so that a server's own ones work too, with
    these exceptions: `rollout_id` is only part of a request's identity; `None` means
    "not set"; `max_tokens` becomes `max_completion_tokens` for those models of OpenAI
    that know no other word; and Mistral gets its own word for `seed`.

    Raises:
        ConfigurationError: When a setting is no JSON value, or is not a setting.
    """
    dialect = _dialect(endpoint.provider, request.model)
    settings = _renamed(sent_settings(request.settings), dialect.renamed)
    if stream:
        settings["stream"] = True
    if stream and not dialect.counts_unasked:
        settings["stream_options"] = {"include_usage": True}
    turns = [turn_of(turn) for turn in request.messages]
    body = {"model": request.model, "messages": turns, **settings}
    return written(body, settings)


def sent_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the settings that are sent.

    Raises:
        ConfigurationError: When one of them is not a setting of a call.
    """
    wrong = sorted(_NOT_SETTINGS & settings.keys())
    if wrong:
        raise ConfigurationError(
            f"{wrong[0]!r} is not a setting of a call; it is part of the request, of"
            " the model, or not supported. Leave it out, or give it to dspex.LM()."
        )
    return {
        name: value
        for name, value in settings.items()
        if value is not None and name not in NEVER_SENT
    }


def _dialect(provider: str, model: str) -> _Dialect:
    if provider in {"openai", "azure"} and is_reasoning_model(model):
        return _OPENAI_REASONING
    return _MISTRAL if provider == "mistral" else _PLAIN


def _renamed(settings: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    # Whoever gives a setting under both names means both; the server will say more.
    names = {old: new for old, new in renamed.items() if new not in settings}
    return {names.get(name, name): value for name, value in settings.items()}
