"""The wire formats dspex speaks, by the name an `Endpoint` gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dspex.client.providers.anthropic_messages import ANTHROPIC_MESSAGES
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Format
from dspex.client.providers.gemini import GEMINI
from dspex.client.providers.gemini_embeddings import GEMINI_EMBEDDINGS
from dspex.client.providers.openai_chat import AZURE_CHAT, OPENAI_CHAT
from dspex.client.providers.openai_embeddings import (
    AZURE_EMBEDDINGS,
    OPENAI_EMBEDDINGS,
)
from dspex.core.errors import ConfigurationError

FORMATS: Mapping[str, Format] = {
    "openai_chat": OPENAI_CHAT,
    "openai_embeddings": OPENAI_EMBEDDINGS,
    "azure_chat": AZURE_CHAT,
    "azure_embeddings": AZURE_EMBEDDINGS,
    "anthropic_messages": ANTHROPIC_MESSAGES,
    "gemini": GEMINI,
    "gemini_embeddings": GEMINI_EMBEDDINGS,
}
"""Every format."""

_EMBEDDINGS_BESIDE = {
    "openai_chat": "openai_embeddings",
    "azure_chat": "azure_embeddings",
    "gemini": "gemini_embeddings",
}


def format_of(endpoint: Endpoint) -> Format:
    """Find the format that is spoken at an endpoint.

    Raises:
        ConfigurationError: When its name is not that of a format.
    """
    found = FORMATS.get(endpoint.format)
    if found is None:
        raise ConfigurationError(
            f"{endpoint.format!r} is no wire format; the formats are:"
            f" {', '.join(FORMATS)}. Name one of them, or leave it out."
        )
    return found


def for_embeddings(endpoint: Endpoint) -> Endpoint:
    """Turn where a model is asked to chat into where it is asked for vectors.

    Raises:
        ConfigurationError: When the provider's format has no embeddings here.
    """
    beside = _EMBEDDINGS_BESIDE.get(endpoint.format)
    if beside is None:
        raise ConfigurationError(
            f"{endpoint.provider!r} gives no embeddings in dspex; expected a provider"
            f" with one of the formats: {', '.join(_EMBEDDINGS_BESIDE)}. Name a model"
            " of such a provider, or pass a function of your own."
        )
    return replace(endpoint, format=beside)
