"""Why a request is or was a miss: what the file knows of it, and what is nearest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from dspex.cache.database import Database
from dspex.cache.entry import Absence
from dspex.cache.key import Identity

COMPARED: Final = 1_000
"""Answers, those used last, among which the nearest is looked for."""
LONGEST_SHOWN: Final = 40
"""Characters of a setting that are shown; of what was said, none are."""
_MISSING: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a request is a hit or a miss in the file. `str()` is for people."""

    key: str
    """The key of the request."""
    is_there: bool = False
    """Whether its answer is in the file and counts."""
    absence: Absence | None = None
    """Why its answer is not there although it was once; `None` when it never was."""
    at: float | None = None
    """When its answer came or went, in seconds since 1970."""
    nearest: str | None = None
    """The key of the other answer whose request is most like this one. With the answer
    itself there, it tells why that one had to be fetched."""
    differences: tuple[str, ...] = ()
    """In what the two differ, a line each; values of settings, never of what was
    said."""

    def __str__(self) -> str:
        lines = [self._verdict()]
        if self.nearest is not None:
            lines.append(f"The nearest other is {self.nearest[:12]}; it differs in:")
            lines += [f"  {each}" for each in self.differences]
        return "\n".join(lines)

    def _verdict(self) -> str:
        if self.is_there:
            return "The answer is in the file."
        match self.absence:
            case None:
                return "This request was never seen, or it was forgotten."
            case Absence.CUT_OFF | Absence.REFUSED | Absence.UNCACHEABLE:
                return f"The answer came and was not kept: {self.absence.value}."
            case _:
                return f"The answer was there and is no more: {self.absence.value}."


def explain(database: Database, identity: Identity) -> Explanation:
    """Say whether a request is a miss and why, and what is nearest to it.

    Args:
        database: The file.
        identity: The request, from `identify`. With a key alone, the nearest answer is
            looked for if the file has what was asked.
    """
    if not database.path.exists():
        return Explanation(key=identity.key)
    with database.use() as connection:
        row = connection.execute(
            "SELECT identity, created FROM entries WHERE key = ?", (identity.key,)
        ).fetchone()
        gone = connection.execute(
            "SELECT identity, why, at FROM absences WHERE key = ?", (identity.key,)
        ).fetchone()
    known = row or gone
    text = identity.text or (known[0] if known else "")
    nearest, differences = _nearest(database, identity.key, text)
    found = Explanation(key=identity.key, nearest=nearest, differences=differences)
    if row is not None and isinstance(row[1], float):
        is_over = row[1] + database.ttl <= database.now()
        absence = Absence.EXPIRED if is_over else None
        return replace(found, is_there=not is_over, absence=absence, at=row[1])
    if gone is not None:
        return replace(found, absence=_absence(gone[1]), at=gone[2])
    return found


def _absence(value: Any) -> Absence | None:
    """The reason a row tells; the file may hold anything."""
    return next((each for each in Absence if each.value == value), None)


def differences(asked: Any, there: Any) -> tuple[str, ...]:
    """In what two requests differ, as canonical JSON values; a line each.

    Example:
        >>> asked = {"settings": {"temperature": 0.0}, "messages": [{"content": "abc"}]}
        >>> there = {"settings": {"temperature": 0.7}, "messages": [{"content": "abd"}]}
        >>> for line in differences(asked, there):
        ...     print(line)
        messages[0].content differs from character 3 on
        settings.temperature: 0.0 here, 0.7 there
    """
    return tuple(_differences("", asked, there))


def _differences(path: str, asked: Any, there: Any) -> Iterator[str]:
    if isinstance(asked, Mapping) and isinstance(there, Mapping):
        for name in sorted(asked.keys() | there.keys()):
            inner = f"{path}.{name}" if path else str(name)
            yield from _differences(
                inner, asked.get(name, _MISSING), there.get(name, _MISSING)
            )
    elif _is_list(asked) and _is_list(there) and len(asked) == len(there):
        for at, (one, other) in enumerate(zip(asked, there, strict=True)):
            yield from _differences(f"{path}[{at}]", one, other)
    elif asked != there or type(asked) is not type(there):
        yield _difference(path, asked, there)


def _difference(path: str, asked: Any, there: Any) -> str:
    if _is_list(asked) and _is_list(there):
        return f"{path}: {len(asked)} here, {len(there)} there"
    if path.startswith(("messages", "attachments")):
        # What was said may be private, and long: where is enough.
        if isinstance(asked, str) and isinstance(there, str):
            return f"{path} differs from character {_first(asked, there)} on"
        return f"{path} differs"
    return f"{path}: {_shown(asked)} here, {_shown(there)} there"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _first(one: str, other: str) -> int:
    """The first character that differs, counted from 1."""
    for at, (left, right) in enumerate(zip(one, other, strict=False), start=1):
        if left != right:
            return at
    return min(len(one), len(other)) + 1


def _shown(value: Any) -> str:
    if value is _MISSING:
        return "none"
    text = json.dumps(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _nearest(
    database: Database, key: str, text: Any
) -> tuple[str | None, tuple[str, ...]]:
    """The other answer whose request differs in the fewest places, and in which."""
    asked = _parsed(text)
    if asked is None:
        return None, ()
    with database.use() as connection:
        rows = connection.execute(
            "SELECT key, identity FROM entries WHERE key != ? "
            "ORDER BY used DESC LIMIT ?",
            (key, COMPARED),
        ).fetchall()
    compared = [
        (other, differences(asked, there))
        for other, told in rows
        if (there := _parsed(told)) is not None
    ]
    return min(compared, key=lambda each: _distance(each[1]), default=(None, ()))


def _distance(found: tuple[str, ...]) -> int:
    """How far two requests are apart; another chat is further than another setting."""
    return len(found) + sum(each.startswith("messages") for each in found)


def _parsed(text: Any) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
