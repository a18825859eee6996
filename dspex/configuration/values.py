"""What a key takes: each function reads a value of TOML, or says what was expected.

A `ValueError` holds the text for people. No text repeats a value that may be a key.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from dspex.client.price import LongPrompt, Price
from dspex.client.proxies import Proxies
from dspex.core.errors import ConfigurationError
from dspex.core.key_shapes import LOOKS_LIKE_A_KEY
from dspex.core.setting_names import is_secret, not_settings
from dspex.runtime.config import Config

NO_SECRETS: Final = (
    "a key or a password does not belong into a configuration. Put it into a variable "
    'of the environment and name that one: api_key_env = "MY_KEY".'
)
"""What is said of a secret; never with the secret."""

_DEEPEST: Final = 50
"""Levels of tables and lists in a value."""
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def looks_secret(value: Any) -> bool:
    """Say whether a value, or one inside it, looks like a key.

    Example:
        >>> looks_secret("sk-abcdefghijklmnop"), looks_secret("openai/gpt-4o-mini")
        (True, False)
    """
    match value:
        case str():
            return LOOKS_LIKE_A_KEY.search(value) is not None
        case Mapping():
            return any(map(looks_secret, value.values()))
        case list() | tuple():
            return any(map(looks_secret, value))
        case _:
            return False


def is_deep(value: Any) -> bool:
    """Say whether a value has more levels than any configuration."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return False
    return True


def text(value: Any) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise _unfit(value, "a text in quotes, not an empty one")
    return value


def whole(value: Any) -> int:
    """Read a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _unfit(value, "a whole number, without quotes")
    if value.bit_length() > 63:
        raise _unfit(value, "a whole number of at most 18 digits")
    return value


def count(value: Any) -> int:
    """Read a whole number from 1 on."""
    if whole(value) < 1:
        raise _unfit(value, "a whole number from 1 on")
    return int(value)


def number(value: Any) -> float:
    """Read a finite number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not _is_finite(value):
        raise _unfit(value, "a number, without quotes")
    return float(value)


def flag(value: Any) -> bool:
    """Read `true` or `false`."""
    if not isinstance(value, bool):
        raise _unfit(value, "true or false, without quotes")
    return value


def path(value: Any) -> Path:
    """Read a path; `~` is the user's folder."""
    if "\0" in text(value):
        raise _unfit(value, "a path, without a NUL in it")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise _unfit(value, "a path below '~' or the folder of a user here") from error


def one_of(words: Sequence[str]) -> Callable[[Any], str]:
    """Return what reads one of these words."""

    def read(value: Any) -> str:
        if value not in words:
            raise _unfit(value, f"one of {', '.join(map(repr, words))}")
        return str(value)

    return read


def address(value: Any) -> str:
    """Read the root of an API, without a password."""
    _refuse_password(value)
    if {"?", "#"} & set(value):
        # Not shown: what stands behind a question mark is often a key.
        raise ValueError(
            "the address has a query or a fragment; expected the root of an API alone. "
            "Take out what stands behind '?' or '#'."
        )
    parts = _split(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _unfit(value, "a URL such as 'http://127.0.0.1:8000/v1', with its scheme")
    return str(value)


def variable_name(value: Any) -> str:
    """Read the name of a variable; the text of the error does not repeat it."""
    if not _VARIABLE.fullmatch(text(value)):
        raise ValueError(
            "this is not the name of a variable; expected letters, digits and _, and "
            'never the key itself. Write a name such as "OPENAI_API_KEY".'
        )
    return str(value)


def settings(value: Any) -> dict[str, Any]:
    """Read what is sent with each call: a table of plain values."""
    found = table(value)
    if any(map(is_secret, _names_in(found))):
        raise ValueError(NO_SECRETS)
    wrong = not_settings(found)
    if wrong:
        raise ValueError(
            f"{wrong[0]!r} is not sent to a model; expected settings such as "
            "temperature. Write api_base and api_key_env as keys of their own."
        )
    for name, one in found.items():
        if not _is_json(one):
            raise ValueError(
                f"{name!r} has a value that JSON cannot hold; expected texts, finite "
                "numbers, true, false, lists and tables of these. Correct it."
            )
    return found


def prices(value: Any) -> dict[str, Price]:
    """Read prices by model string."""
    return {model: _price(table(one)) for model, one in table(value).items()}


def proxies(value: Any) -> Proxies:
    """Read which requests go through a proxy."""
    found = table(value)
    for name, each in found.items():
        if name in _OF_PROXIES:
            _OF_PROXIES[name](each)
    made: Proxies = _made(Proxies, found)
    return made


def table(value: Any) -> dict[str, Any]:
    """Read a table."""
    if not isinstance(value, Mapping):
        raise _unfit(value, "a table, such as { temperature = 0 }")
    return dict(value)


def by_config(name: str, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what reads a field of `Config`, with that class's own checks."""

    def checked(value: Any) -> Any:
        found = read(value)
        try:
            Config(**{name: found})
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        return found

    return checked


def _price(found: dict[str, Any]) -> Price:
    if "long_prompt" in found:
        long = table(found["long_prompt"])
        above = whole(long.pop("above", None))
        found["long_prompt"] = LongPrompt(above=above, price=_price(long))
    for name, figure in found.items():
        if name != "long_prompt":
            number(figure)
    made: Price = _made(Price, found)
    return made


def _made(kind: type[Price | Proxies], found: Mapping[str, Any]) -> Any:
    """Make a value of a table, with the class's own checks."""
    names = [each.name for each in fields(kind)]
    extra = [name for name in found if name not in names]
    if extra:
        raise ValueError(
            f"{extra[0]!r} is not part of it; expected {', '.join(names)}. Take it out."
        )
    arguments: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one
        for name, one in found.items()
    }
    try:
        return kind(**arguments)
    except (TypeError, ConfigurationError) as error:
        told = str(error).removeprefix(f"{kind.__name__}.__init__() ")
        raise ValueError(f"{told}. Its parts are: {', '.join(names)}.") from error


def _refuse_password(value: Any) -> None:
    if "@" in _split(text(value)).netloc:
        raise ValueError(NO_SECRETS)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise _unfit(url, "a URL such as 'http://127.0.0.1:8000/v1'") from error
    return parts


def _texts(value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _unfit(value, "a list of texts in quotes")


_OF_PROXIES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "http": _refuse_password,
    "https": _refuse_password,
    "exceptions": _texts,
    "spares_loopback": flag,
}
"""What checks the parts of `proxies`."""


def _unfit(value: Any, expected: str) -> ValueError:
    # A value may be a key that stands in the wrong place.
    shown = "the value" if _is_long(value) else repr(value)
    return ValueError(f"{shown} does not fit; expected {expected}. Correct it.")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def _names_in(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from map(str, value)
    for inner in _inside(value):
        yield from _names_in(inner)


def _is_json(value: Any) -> bool:
    if isinstance(value, int | float):
        return _is_finite(value)
    is_plain = isinstance(value, str | Mapping | list)
    return is_plain and all(map(_is_json, _inside(value)))


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        # A whole number that no float can hold.
        return False


def _is_long(value: Any) -> bool:
    if isinstance(value, int):
        # Such a one may have more digits than Python writes.
        return value.bit_length() > 200
    return len(repr(value)) > 60
