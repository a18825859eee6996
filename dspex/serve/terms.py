"""On what terms a service answers: how many, for how long, and whom."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from dspex.client.secrets import Secret
from dspex.core import defaults
from dspex.core.errors import ConfigurationError
from dspex.serve.doorkeeper import Doorkeeper


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a service holds its requests to."""

    max_in_flight: int
    """Requests worked on at a time."""
    timeout: float
    """Seconds that a request may take at most."""
    doorkeeper: Doorkeeper
    """Who may ask at all."""

    @classmethod
    def of(
        cls,
        *,
        max_in_flight: int = defaults.SERVE_IN_FLIGHT,
        timeout: float = defaults.SERVE_TIMEOUT,
        token: str | None = None,
        hosts: Collection[str] = (),
    ) -> Self:
        """Read and check what `Service` is given.

        Raises:
            ConfigurationError: A number is not above zero, or there is no token where
                one was said to be.
        """
        check_above_zero(max_in_flight=max_in_flight, timeout=timeout)
        doorkeeper = Doorkeeper(token=_secret(token), hosts=frozenset(hosts))
        return cls(max_in_flight=max_in_flight, timeout=timeout, doorkeeper=doorkeeper)


def check_above_zero(**numbers: float) -> None:
    """Hold that numbers are above zero.

    Raises:
        ConfigurationError: One is not.
    """
    for name, number in numbers.items():
        if not number > 0:
            raise ConfigurationError(
                f"{name} is {number!r}; it must be above zero. Leave it out for the "
                "default."
            )


def _secret(token: str | None) -> Secret | None:
    if token is None:
        return None
    if not token.startswith("$"):
        if not token.strip():
            raise ConfigurationError(
                "the service's token is empty, so that any would do; expected a long "
                "random text. Write one, or leave token= out."
            )
        return Secret(token.strip())
    name = token.removeprefix("$")
    if not os.environ.get(name, "").strip():
        raise ConfigurationError(
            f"the environment variable {name!r} is not set; the service's token was "
            "expected there. Set it, or leave token= out."
        )
    return Secret(os.environ[name].strip())
