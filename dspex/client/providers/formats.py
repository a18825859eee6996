"""The wire formats dspex speaks, by the name an `Endpoint` gives."""

from __future__ import annotations

from collections.abc import Mapping

from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Format
from dspex.client.providers.openai_chat import OPENAI_CHAT
from dspex.core.errors import ConfigurationError

FORMATS: Mapping[str, Format] = {
    "openai_chat": OPENAI_CHAT,
}
"""Every format."""


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
