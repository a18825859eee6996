"""Where the operations of OpenAI's API are: at OpenAI and all like it, and on Azure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from dspex.client.providers.endpoint import Endpoint
from dspex.core.errors import ConfigurationError

_AZURE_WITHOUT_DEPLOYMENTS = "/openai/v1"
"""How the root of Azure's newer API ends, which takes the deployment as the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where one operation of an API is, and what lets a caller in."""

    url: str
    """The whole URL."""
    key_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The headers that carry the key; empty without one."""


def openai_address(endpoint: Endpoint, _model: str, operation: str) -> Address:
    """Find an operation, such as `chat/completions`, under an API's root."""
    key = endpoint.api_key
    return Address(
        url=f"{endpoint.base_url}/{operation}",
        key_headers={"Authorization": f"Bearer {key.reveal()}"} if key else {},
    )


def azure_address(endpoint: Endpoint, model: str, operation: str) -> Address:
    """Find an operation of a deployment on Azure; the model's name is the deployment's.

    A base URL that ends in `/openai/v1` is the newer API, which needs no version.

    Raises:
        ConfigurationError: When the version of the API is not given and is needed.
    """
    key = endpoint.api_key
    base, version = endpoint.base_url, endpoint.api_version
    query = "?" + urlencode({"api-version": version}) if version else ""
    if not base.endswith(_AZURE_WITHOUT_DEPLOYMENTS):
        if not version:
            raise ConfigurationError(
                f"the endpoint {base!r} has no api_version; Azure expects one, such as"
                " '2024-10-21'. Pass api_version=, or set AZURE_API_VERSION."
            )
        base = f"{base}/openai/deployments/{quote(model, safe='')}"
    return Address(
        url=f"{base}/{operation}{query}",
        key_headers={"api-key": key.reveal()} if key else {},
    )
