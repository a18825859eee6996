"""Who may ask: the name a service is asked under, and a token. Pure."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection
from dataclasses import dataclass

from dspex.client.secrets import Secret
from dspex.serve.refusals import Refusal, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorkeeper:
    """Decides whether a request may come in.

    A page of a stranger can have its own name lead to this machine and then read what
    a service here answers its browser. So a service without a token answers to
    addresses, to `localhost`, and to the names it was given.
    """

    token: Secret | None = None
    """What has to stand in `Authorization: Bearer`; `None` asks for nothing."""
    hosts: Collection[str] = ()
    """Names that the service answers to besides; `"*"` is any."""

    def check_host(self, host: str | None) -> None:
        """Let a request pass that was sent to a name of this service.

        Args:
            host: Its header `Host`. A browser always sends one; some health checks of
                proxies send none.

        Raises:
            Refused: It was sent to another.
        """
        if self.token is not None or "*" in self.hosts or host is None:
            return
        name = _without_port(host)
        known = {"localhost", *(each.lower() for each in self.hosts)}
        if name in known or _is_address(name):
            return
        raise Refused(
            Refusal(
                status=421,
                type="wrong_host",
                message="this service does not answer to the name in the header Host; "
                "expected an address, localhost, or a name it was started with. Start "
                "it with that name among its hosts.",
            )
        )

    def check_token(self, authorization: str | None) -> None:
        """Let a request pass that has the token.

        Args:
            authorization: Its header of that name.

        Raises:
            Refused: It has none, or another.
        """
        if self.token is None:
            return
        kind, _, given = (authorization or "").partition(" ")
        # Both sides always, and whole: how long it takes tells nothing of the token.
        is_right = hmac.compare_digest(
            _bytes(given.strip()), _bytes(self.token.reveal())
        )
        if kind.lower() == "bearer" and is_right:
            return
        raise Refused(
            Refusal(
                status=401,
                type="unauthorized",
                message="this service wants its token, and the request has none or "
                "another. Send it with the header Authorization: Bearer ...",
                headers={"WWW-Authenticate": "Bearer"},
            )
        )


def _bytes(text: str) -> bytes:
    # A header or a variable that is no UTF-8 has lone surrogates in it.
    return text.encode(errors="surrogateescape")


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
