"""What is wrong with a configuration: all of it at once, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dspex.configuration.origin import Origin
from dspex.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong."""

    origin: Origin
    """Where it stands."""
    key: str
    """The key; empty when no key can be read at all."""
    text: str
    """What is wrong, what was expected, and how to mend it."""

    def __str__(self) -> str:
        named = f"{self.key}: " if self.key else ""
        return f"{self.origin}: {named}{self.text}"


class WrongConfigurationError(ConfigurationError):
    """Files, variables or flags hold what is no configuration.

    The text has a line for each fault, with file, line and key.
    """

    code = "wrong_configuration"

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        """What is wrong, in the order it was found."""
        super().__init__("\n".join(map(str, self.faults)))
