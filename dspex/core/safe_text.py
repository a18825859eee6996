"""Text from outside, made fit to be shown: nothing in it can steer a terminal.

A language model, a data file or a provider may send escape sequences, control
characters, or marks that turn the direction of writing around. They are shown as what
they are. Everything a person can read is left as it came.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any, Final

_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of what is not seen but acts: controls (ESC and C1 too), format
marks (bidirectional ones too), halves of characters, line and paragraph separators."""

_JOINERS: Final = frozenset("\u200c\u200d")
"""Parts of how several scripts and emoji are written; they steer nothing."""


def safe_text(text: str, *, keep: str = "\n") -> str:
    r"""Return a text in which whatever could steer a terminal is written out.

    Args:
        text: A text from anywhere.
        keep: Characters to leave alone; the line feed by default.

    Example:
        >>> print(safe_text("Lima\x1b[2J\r\u202eamiL"))
        Lima\x1b[2J\r\u202eamiL
    """
    # Most texts need nothing; `isprintable` is far quicker than a look at each.
    if text.isprintable():
        return text
    return "".join(
        character
        if character in keep or not _is_unsafe(character)
        else _named(character)
        for character in text
    )


def text_of_error(error: BaseException) -> str:
    """Return an error's text, whatever its own `__str__` does.

    Example:
        >>> text_of_error(ValueError("no such city"))
        'no such city'
    """
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - a user's __str__ may do anything
        return f"(its text cannot be shown: {type(broken).__name__})"


def safe_json(value: Any, *, indent: int | None = 2) -> str:
    r"""Return JSON that is fit for a terminal as well, and reads back unchanged.

    Args:
        value: JSON values.
        indent: Spaces of a level; `None` puts all on one line.

    Letters of any script stand as they are; what `safe_text` would write out is
    escaped in JSON's own way.

    Example:
        >>> print(safe_json({"capital": "Bogot\u00e1\x9b"}))
        {
          "capital": "Bogotá\u009b"
        }
    """
    plain = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    # A line feed here is always one of the layout: inside a text it is escaped.
    return "".join(
        json.dumps(character)[1:-1]
        if character != "\n" and _is_unsafe(character)
        else character
        for character in plain
    )


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE and character not in _JOINERS


def _named(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
