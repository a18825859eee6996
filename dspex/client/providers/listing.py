"""A provider's list of its models, which is free of charge. Pure functions.

It tells whether a key is accepted without a token being paid.
"""

from __future__ import annotations

from urllib.parse import urlencode

from dspex.client.http_messages import HttpRequest
from dspex.client.providers.anthropic_messages import API_VERSION
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.json_body import JsonError, read_object

_MOST = 1000
"""Models asked for at once: what the providers that give pages allow at most."""
_AZURE_WITHOUT_VERSION = "/openai/v1"


def listing_request(endpoint: Endpoint) -> HttpRequest:
    """Ask for the models, in the provider's own way; without a key where it has none.

    Example:
        >>> there = Endpoint(provider="openai", base_url="http://localhost", model="m")
        >>> listing_request(there).url
        'http://localhost/models'
    """
    return HttpRequest(
        method="GET",
        url=_url(endpoint),
        headers={"Accept": "application/json", "User-Agent": "dspex"}
        | _headers(endpoint),
    )


def listed_models(body: bytes, endpoint: Endpoint) -> frozenset[str] | None:
    """The names in a list of models, as calls use them.

    Returns:
        `None` when the body is no such list, or does not name what calls name: Azure
        lists the models there are, and calls name deployments of them.
    """
    if endpoint.format.startswith("azure"):
        return None
    field, name = ("models", "name") if _is_gemini(endpoint) else ("data", "id")
    try:
        entries = read_object(body).get(field)
    except JsonError:
        return None
    if not isinstance(entries, list):
        return None
    names = (entry.get(name) for entry in entries if isinstance(entry, dict))
    return frozenset(
        found.removeprefix("models/") for found in names if isinstance(found, str)
    )


def _is_gemini(endpoint: Endpoint) -> bool:
    return endpoint.format.startswith("gemini")


def _url(endpoint: Endpoint) -> str:
    base, version = endpoint.base_url, endpoint.api_version
    if endpoint.format.startswith("azure"):
        # The list belongs to the resource, not to one of its deployments.
        root = base if base.endswith(_AZURE_WITHOUT_VERSION) else f"{base}/openai"
        query = "?" + urlencode({"api-version": version}) if version else ""
        return f"{root}/models{query}"
    if endpoint.format == "anthropic_messages":
        return f"{base}/models?limit={_MOST}"
    if _is_gemini(endpoint):
        return f"{base}/models?pageSize={_MOST}"
    return f"{base}/models"


def _headers(endpoint: Endpoint) -> dict[str, str]:
    is_anthropic = endpoint.format == "anthropic_messages"
    version = {"anthropic-version": API_VERSION} if is_anthropic else {}
    if endpoint.api_key is None:
        return version
    key = endpoint.api_key.reveal()
    if is_anthropic:
        return {**version, "x-api-key": key}
    if _is_gemini(endpoint):
        return {"x-goog-api-key": key}
    if endpoint.format.startswith("azure"):
        return {"api-key": key}
    return {"Authorization": f"Bearer {key}"}
