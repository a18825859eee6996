"""Where a model is reached: a checked address, a name, perhaps a key."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from dspex.client.secrets import Secret
from dspex.core.errors import ConfigurationError

_METADATA = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
"""Metadata services outside the link-local range: Amazon's over IPv6, Alibaba's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One model at one address. Checked when it is made.

    Raises:
        ConfigurationError: When the address is not a plain `http` or `https` URL, when
            it is one where machines of a cloud keep their own secrets, or when the key
            would travel unencrypted to another machine. `allow_insecure` lifts the last
            two.
    """

    provider: str
    """The prefix of the model string, such as `openai`."""
    base_url: str
    """The root of the API, such as `https://api.openai.com/v1`; no slash at its end."""
    model: str
    """The model's name as the provider knows it."""
    api_key: Secret | None = None
    """The key, or `None` when none is sent."""
    format: str = "openai_chat"
    """The wire format spoken there; a key of `providers.formats.FORMATS`."""
    api_version: str | None = None
    """Azure's version of its API, sent with each request."""
    allow_insecure: bool = False
    """Whether a key may go unencrypted to another machine, and requests to link-local
    addresses. Only for a network you trust as you trust this machine."""

    def __post_init__(self) -> None:
        """Check the address and drop the slash at its end."""
        object.__setattr__(self, "base_url", self.base_url.strip().rstrip("/"))
        parts = _split(self.base_url)
        _check_address(parts)
        if not self.allow_insecure:
            _check_secure(parts, has_key=self.api_key is not None)

    @property
    def is_local(self) -> bool:
        """Whether the address is this machine's own."""
        return is_loopback(urlsplit(self.base_url).hostname or "")


def is_loopback(host: str) -> bool:
    """Say whether a host name means this machine.

    Example:
        >>> [is_loopback(host) for host in ("localhost", "127.0.0.9", "10.0.0.1")]
        [True, True, False]
    """
    name = host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ConfigurationError(
            f"api_base is not a URL: {error}; expected something like"
            " 'http://127.0.0.1:8080/v1'. Correct the address."
        ) from None
    return parts


def _check_address(parts: SplitResult) -> None:
    # The texts show only scheme and host: anything else may hold a key.
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"api_base has the scheme {parts.scheme!r} and the host {parts.hostname!r};"
            " expected http or https and a host. Write it like"
            " 'https://api.example.com/v1'."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(
            f"api_base for {parts.hostname!r} holds a user, a query or a fragment; only"
            " scheme, host, port and path are allowed. Pass a key with api_key=."
        )


def _check_secure(parts: SplitResult, *, has_key: bool) -> None:
    host = parts.hostname or ""
    if _keeps_secrets(host):
        raise ConfigurationError(
            f"api_base points at the link-local address {host!r}, where machines keep"
            " their own secrets; expected a model's API. Use another address, or pass"
            " allow_insecure=True when a model really is there."
        )
    if has_key and parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"the API key would go unencrypted to {host!r}; a key is sent over https,"
            " or to this machine. Use an https api_base, a tunnel to localhost, or no"
            " key; or pass allow_insecure=True on a network you trust."
        )


def _keeps_secrets(host: str) -> bool:
    """Whether a host is the metadata service of a cloud, under any of its names."""
    address = _address(host)
    if address is None:
        return host.removesuffix(".") == "metadata.google.internal"
    return address.is_link_local or address in _METADATA


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return _old_style_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _old_style_address(host: str) -> IPv4Address | None:
    """Read what resolvers take for an address too: 2852039166, 0xa9fea9fe, 127.1."""
    try:
        return IPv4Address(socket.inet_aton(host.removesuffix(".")))
    except (OSError, ValueError):
        return None
