"""Which proxy a request goes through. Pure: the caller reads the environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Self
from urllib.parse import SplitResult, urlsplit

from dspex.client.providers.endpoint import is_loopback
from dspex.core.errors import ConfigurationError

__all__ = ["NO_PROXIES", "Proxies"]

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """The proxies for plain and encrypted requests, and the hosts that need none.

    An `https` request is tunnelled (`CONNECT`): the proxy sees the host's name and
    nothing else. A plain one is read by the proxy, with its key.

    Raises:
        ConfigurationError: When a proxy is not an `http` or `https` URL with a host.

    Example:
        >>> proxies = Proxies.from_environment(
        ...     {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".corp.example"}
        ... )
        >>> proxies.for_url("https://api.openai.com/v1")
        'http://proxy:3128'
        >>> proxies.for_url("https://models.corp.example/v1") is None
        True
    """

    http: str | None = field(default=None, repr=False)
    """The proxy's URL for `http`. Not part of the `repr`: it may hold a password."""
    https: str | None = field(default=None, repr=False)
    """The same for `https`."""
    exceptions: tuple[str, ...] = ()
    """Hosts that are reached directly, in the words of `NO_PROXY`."""
    spares_loopback: bool = True
    """Whether this machine's own addresses are always reached directly."""

    def __post_init__(self) -> None:
        """Check the proxies' own addresses."""
        for url in (self.http, self.https):
            if url is not None:
                _check(url)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.

        A name in lower case wins over its twin in capitals, an empty value counts as
        none, and a proxy without a scheme is an `http` one. Loopback addresses are
        never sent to a proxy found here.
        """
        every = _variable(environ, "all_proxy")
        return cls(
            http=_with_scheme(_variable(environ, "http_proxy") or every),
            https=_with_scheme(_variable(environ, "https_proxy") or every),
            exceptions=_words(_variable(environ, "no_proxy")),
        )

    @classmethod
    def only(cls, url: str) -> Self:
        """Send every request through one proxy, those to this machine too."""
        proxy = _with_scheme(url.strip())
        return cls(http=proxy, https=proxy, spares_loopback=False)

    def for_url(self, url: str) -> str | None:
        """Return the proxy for a request to `url`; `None` means a direct connection."""
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        if self.spares_loopback and is_loopback(host):
            return None
        port = parts.port or _PORTS.get(parts.scheme, 0)
        if any(_covers(rule, host, port) for rule in self.exceptions):
            return None
        return self.https if parts.scheme == "https" else self.http


NO_PROXIES = Proxies()
"""Every connection is direct."""


def _variable(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _with_scheme(proxy: str) -> str | None:
    if not proxy:
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _words(text: str) -> tuple[str, ...]:
    words: Iterable[str] = (word.strip().lower() for word in text.split(","))
    return tuple(word for word in words if word)


def _check(proxy: str) -> None:
    parts = _split(proxy)
    if parts is None or parts.scheme not in _PORTS or not parts.hostname:
        scheme = parts.scheme if parts else ""
        raise ConfigurationError(
            f"a proxy has the scheme {scheme!r}; expected a URL such as"
            " 'http://proxy.example:3128', with http or https. Correct proxy= or the"
            " variables HTTP_PROXY, HTTPS_PROXY and ALL_PROXY."
        )


def _split(proxy: str) -> SplitResult | None:
    try:
        parts = urlsplit(proxy)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _covers(rule: str, host: str, port: int) -> bool:
    """Say whether a word of `NO_PROXY` covers a host.

    A word is `*`, a name (which covers the names below it, with or without a leading
    dot), an address, a network such as `10.0.0.0/8`, each perhaps with a port.
    """
    if rule == "*":
        return True
    if _is_address(host):
        return _covers_address(rule, host, port)
    name, _, of_port = rule.partition(":")
    if of_port and of_port != str(port):
        return False
    name = name.removeprefix("*").removeprefix(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _covers_address(rule: str, host: str, port: int) -> bool:
    address = ip_address(host)
    for known, of_port in _networks(rule):
        try:
            network = ip_network(known, strict=False)
        except ValueError:
            continue
        if of_port in {"", str(port)} and address in network:
            return True
    return False


def _networks(rule: str) -> Iterable[tuple[str, str]]:
    # "::1" is an address, "[::1]:80" one with a port, and "1.2.3.4:80" too.
    yield rule.strip("[]"), ""
    known, separator, of_port = rule.rpartition(":")
    if separator and of_port.isdecimal():
        yield known.strip("[]"), of_port


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
