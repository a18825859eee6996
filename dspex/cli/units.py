"""Spans of time, sizes and numbers as people type and read them."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import datetime
from typing import Any, Final

import click

_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES: Final = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}
_NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")


class Finite(click.ParamType[float]):
    """A number to hold a score against: NaN is no bound for anything."""

    name = "number"

    def convert(self, value: Any, parameter: Any, context: Any) -> float:
        """Read the text of the command line."""
        number = click.FLOAT.convert(value, parameter, context)
        if not math.isfinite(number):
            self.fail(
                f"{value!r} is no finite number. Write one such as 80.",
                parameter,
                context,
            )
        return number


def span(text: str) -> float:
    """Read a span of time into seconds: `12h`, `30d`.

    Raises:
        click.BadParameter: It is none.
    """
    found = _read(text, _SECONDS)
    if found is None:
        raise click.BadParameter(
            f"{text!r} is no span of time. Write a number and one of "
            f"{', '.join(_SECONDS)}, such as 12h or 30d."
        )
    return found


def size(text: str) -> float:
    """Read a size into bytes: `500MB`, `2GB`.

    Raises:
        click.BadParameter: It is none.
    """
    found = _read(text, _BYTES)
    if found is None:
        raise click.BadParameter(
            f"{text!r} is no size. Write a number and one of {', '.join(_BYTES)}, such "
            "as 500MB or 2GB."
        )
    return found


def _read(text: str, units: dict[str, float]) -> float | None:
    match = _NUMBER.fullmatch(text.strip())
    known = {name.lower(): value for name, value in units.items()}
    if match is None or match.group(2).lower() not in known:
        return None
    return float(match.group(1)) * known[match.group(2).lower()]


def size_text(count: float) -> str:
    """A number of bytes for people.

    Example:
        >>> [size_text(count) for count in (0, 999, 1_500, 2_340_000, 10e9)]
        ['0 B', '999 B', '1.5 kB', '2.3 MB', '10.0 GB']
    """
    if count < 1_000:
        return f"{count:.0f} B"
    for unit, bytes_of_it in (("kB", 1e3), ("MB", 1e6)):
        if count < 1_000 * bytes_of_it:
            return f"{count / bytes_of_it:.1f} {unit}"
    return f"{count / 1e9:.1f} GB"


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes.

    Example:
        >>> [columns_of(text) for text in ("capital", "首都", "e\u0301")]
        [7, 4, 1]
    """
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    none = sum(unicodedata.combining(each) > 0 for each in text)
    return len(text) + wide - none


def date_text(moment: float | None) -> str:
    """A moment in seconds since 1970, in the time of this machine."""
    if moment is None:
        return "never"
    return datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M")
