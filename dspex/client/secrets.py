"""API keys, kept out of texts, logs and files."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import NoReturn

from dspex.core.errors import ConfigurationError

MASK = "***"
"""What stands where a key would be."""


class Secret:
    r"""A key that shows itself only when asked by `reveal()`.

    White space around it is dropped, as copied keys often end with a newline. It is
    compared by value and cannot be pickled or copied into a file by accident.

    Raises:
        ConfigurationError: When the key is empty, or has a character inside that no
            HTTP header can carry. The text does not show the key.

    Example:
        >>> key = Secret("sk-very-secret\n")
        >>> print(key)
        ***
        >>> key.reveal()
        'sk-very-secret'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        stripped = value.strip()
        if not stripped:
            raise ConfigurationError(
                "the API key is empty; a key is a line of printable ASCII. Set it, or "
                "leave it out when the server needs none."
            )
        if not all(" " <= character <= "~" for character in stripped):
            raise ConfigurationError(
                "the API key holds a control character or one outside ASCII; an HTTP "
                "header cannot carry it. Copy the key again, without line breaks or "
                "typographic dashes."
            )
        self._value = stripped

    def reveal(self) -> str:
        """Return the key itself, for the header that needs it."""
        return self._value

    def scrub(self, text: str) -> str:
        """Replace the key wherever it stands in a text."""
        return text.replace(self._value, MASK)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, _spec: str) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Secret cannot be pickled or deep-copied; keys stay in the process that "
            "read them. Make the LM anew in the other process, which reads its own."
        )


def forget_locals(error: BaseException) -> None:
    """Drop the values in the frames that an error and its causes came through.

    They hold headers, and those the key; tools that report errors with the variables
    of each frame would write it down. Files and line numbers stay.
    """
    for each in _chain(error):
        traceback.clear_frames(each.__traceback__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all that led to it, each once."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            left += (each.__cause__, each.__context__)
