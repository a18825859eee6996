"""XML as models write it: tags around texts, without the strictness of XML.

A model forgets to write `&lt;`, so nothing here refuses a text: what is no tag of
interest is text. Each function takes a time that grows with the text's length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

_NAME: Final = r"[^\W\d][\w.-]*"
_TAG: Final = re.compile(
    r"<!\[CDATA\[.*?(?:\]\]>|\Z)"
    rf"|<(?P<close>/?)(?P<name>{_NAME})(?P<rest>\s[^<>]*|/)?>",
    re.DOTALL,
)
_KEY: Final = re.compile(r"""\skey=(?:"([^"]*)"|'([^']*)')""")
_CDATA: Final = re.compile(r"<!\[CDATA\[(.*?)(?:\]\]>|\Z)", re.DOTALL)
_ENTITY: Final = re.compile(
    r"&(?:(lt|gt|amp|quot|apos)|#(\d{1,7})|#x([0-9a-fA-F]{1,6}));"
)
_ENTITIES: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


ENTRY: Final = "entry"
"""The tag of what has a `key` instead of a name that a tag can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """A tag, and what stands between it and its closing tag."""

    name: str
    """The tag's name, or its `key` where the tag is `entry`."""
    inside: str | None
    """The text as it came, tags and all; `None` for a tag that closes itself."""


def elements(
    text: str,
    is_wanted: Callable[[str], bool],
    is_plain: Callable[[str], bool],
) -> list[Element]:
    """Return the elements of a text that are not inside another, in order.

    Args:
        text: What the model wrote.
        is_wanted: Whether a tag of this name counts; others are text.
        is_plain: Whether a text stands between tags of this name, so that the first
            closing tag ends it. Otherwise elements may stand there, of the same name
            too.

    Example:
        >>> found = elements("<a>x</a> and <b/>", lambda name: True, lambda name: True)
        >>> [(each.name, each.inside) for each in found]
        [('a', 'x'), ('b', None)]
    """
    tags = [
        tag
        for tag in _TAG.finditer(text)
        if tag["name"] is not None and is_wanted(tag["name"])
    ]
    return list(_outermost(text, tags, _endings(tags, is_plain)))


def nesting_of(text: str) -> int:
    """Return how many elements stand inside one another, at the deepest place.

    Example:
        >>> nesting_of("<a><b>x</b><br></a>")
        2
    """
    tags = [tag for tag in _TAG.finditer(text) if tag["name"] is not None]
    endings = _endings(tags, lambda _: False)
    closing = set(endings.values())
    deepest = depth = 0
    for number in range(len(tags)):
        depth += (number in endings) - (number in closing)
        deepest = max(deepest, depth)
    return deepest


def _outermost(
    text: str, tags: list[re.Match[str]], endings: dict[int, int]
) -> Iterator[Element]:
    number = 0
    while number < len(tags):
        tag = tags[number]
        if _closes_itself(tag):
            yield Element(name=_name_of(tag), inside=None)
        elif number in endings:
            end = endings[number]
            yield Element(
                name=_name_of(tag), inside=text[tag.end() : tags[end].start()]
            )
            number = end
        number += 1


def _endings(
    tags: list[re.Match[str]], is_plain: Callable[[str], bool]
) -> dict[int, int]:
    """Return the closing tag of each opening one, by number; some have none."""
    endings: dict[int, int] = {}
    open_tags: dict[str, list[int]] = {}
    for number, tag in enumerate(tags):
        name = tag["name"]
        if tag["close"]:
            waiting = open_tags.get(name, [])
            while waiting:
                endings[waiting.pop()] = number
                if not is_plain(name):
                    break
        elif not _closes_itself(tag):
            open_tags.setdefault(name, []).append(number)
    return endings


def _closes_itself(tag: re.Match[str]) -> bool:
    return not tag["close"] and (tag["rest"] or "").endswith("/")


def _name_of(tag: re.Match[str]) -> str:
    key = _KEY.match(tag["rest"] or "") if tag["name"] == ENTRY else None
    if key is None:
        return str(tag["name"])
    return unescaped(key[1] if key[1] is not None else key[2])


def is_tag_name(text: str) -> bool:
    """Say whether a text can be the name of a tag."""
    return re.fullmatch(_NAME, text) is not None


def escaped(text: str) -> str:
    """Return a text that holds no tag, and that `unescaped` gives back.

    Example:
        >>> escaped(" a < b"), unescaped(escaped(" a < b"))
        ('&#32;a &lt; b', ' a < b')
    """
    plain = text.replace("&", "&amp;").replace("<", "&lt;")
    # White space around a text is the layout's, so a text's own is spelled out.
    inside = plain.strip()
    start = len(plain) - len(plain.lstrip())
    before, after = plain[:start], plain[start + len(inside) :]
    return f"{_spelled_out(before)}{inside}{_spelled_out(after)}"


def _spelled_out(text: str) -> str:
    return "".join(f"&#{ord(character)};" for character in text)


def quoted(text: str) -> str:
    """Return a text as the value of an attribute, quotes included."""
    inside = escaped(text).replace('"', "&quot;").replace(">", "&gt;")
    return f'"{inside}"'


def unescaped(text: str) -> str:
    """Return what a text between tags stands for, without white space around it."""
    pieces = _CDATA.split(text.strip())
    # The pieces are, by turns, outside of CDATA and inside.
    return "".join(
        piece if number % 2 else _ENTITY.sub(_character, piece)
        for number, piece in enumerate(pieces)
    )


def _character(found: re.Match[str]) -> str:
    name, decimal, hexadecimal = found.groups()
    if name:
        return _ENTITIES[name]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    is_character = code < 0xD800 or 0xDFFF < code <= 0x10FFFF
    return chr(code) if is_character else found[0]


def without_tags(text: str, names: frozenset[str]) -> str:
    """Return a text in which no tag of some names stands, for a reader, not a parser.

    Everything else is left as it is, code and HTML included.
    """
    return re.sub(
        rf"<(?=/?(?:{'|'.join(map(re.escape, sorted(names)))})\b)", "&lt;", text
    )
