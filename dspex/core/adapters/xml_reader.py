"""Reading one field of an answer in the XML adapter's format, piece by piece."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from dspex.core.adapters.field_reader import Stripped, WholeCharacters
from dspex.core.adapters.xml_text import unescaped

_TAG: Final = re.compile(
    r"<(?P<close>/?)(?P<name>[^\W\d][\w.-]*)(?P<rest>\s[^<>]*|/)?>"
)
_TAG_BEGUN: Final = re.compile(r"<(/?([^\W\d][\w.-]*(\s[^<>]*|/)?)?)?")
_CDATA: Final = "<![CDATA["
_CDATA_END: Final = "]]>"
_ENTITY_BEGUN: Final = re.compile(r"&(#?\w{0,7})?$")
"""The end of a text that may still become `&lt;` or `&#32;`."""


class XmlReader:
    """Reads the text between the first tags of a name that are not inside others.

    Inside another output's tags it waits for their end, because what stands there may
    be a part of that output.

    Args:
        name: The output.
        nested: For each output whether elements stand in it, and not a text.

    Example:
        >>> reader = XmlReader("answer", {"answer": False})
        >>> [reader.feed(piece) for piece in ("<ans", "wer>Li", "ma &", "lt;</answer>")]
        ['', 'Li', 'ma ', '<']
    """

    def __init__(self, name: str, nested: Mapping[str, bool]) -> None:
        self._name = name
        self._nested = nested
        self._characters = WholeCharacters()
        self._stripped = Stripped()
        # What was fed and not read yet: half a tag, or half a CDATA section.
        self._rest = ""
        # The other output whose tags stand around what comes, and how many of them.
        self._around = ""
        self._depth = 0
        self._is_inside = False
        self._is_cdata = False
        # The end of a text that may be half an entity.
        self._held = ""
        self.is_done = False

    @property
    def held(self) -> int:
        """Characters that wait for what comes."""
        return len(self._rest) + len(self._held) + self._stripped.held

    def feed(self, text: str) -> str:
        """Take the next piece of the answer; return what is new of the field."""
        if self.is_done:
            return ""
        return self._read(self._rest + self._characters.feed(text))

    def finish(self) -> str:
        """Say that the answer has ended; nothing is left of a field without its end."""
        self.is_done = True
        return ""

    def _read(self, text: str) -> str:
        found = []
        while text and not self.is_done:
            if self._is_cdata:
                piece, text = self._in_cdata(text)
                found.append(piece)
                if self._waits:
                    break
                continue
            before, mark, behind = text.partition("<")
            found.append(self._text(before))
            text = mark + behind
            if not mark or self._is_open(text):
                break
            piece, text = self._at_mark(text)
            found.append(piece)
        self._rest = "" if self.is_done else text
        return "".join(found)

    @property
    def _waits(self) -> bool:
        """Whether the end of a CDATA section is still to come."""
        return self._is_cdata

    def _is_open(self, text: str) -> bool:
        """Say whether only what comes tells what this `<` begins."""
        if _CDATA.startswith(text):
            return True
        if text.startswith(_CDATA):
            return False
        return _TAG_BEGUN.fullmatch(text) is not None

    def _at_mark(self, text: str) -> tuple[str, str]:
        """Read a tag, the start of a CDATA section, or a `<` that is neither."""
        if text.startswith(_CDATA):
            self._is_cdata = True
            return self._end_of_text(), text[len(_CDATA) :]
        tag = _TAG.match(text)
        if tag is None or tag["name"] not in self._nested:
            return self._text("<"), text[1:]
        if self._is_inside:
            if tag["close"] and tag["name"] == self._name:
                self.is_done = True
                return self._end_of_text(), ""
            return self._text("<"), text[1:]
        self._outside(tag)
        return "", text[tag.end() :]

    def _outside(self, tag: re.Match[str]) -> None:
        """Take a tag of an output into account, outside of the field."""
        name = tag["name"]
        closes_itself = not tag["close"] and (tag["rest"] or "").endswith("/")
        if self._around:
            if name == self._around and not closes_itself:
                is_counted = self._nested[name] or tag["close"]
                self._depth += (-1 if tag["close"] else 1) if is_counted else 0
            if self._depth == 0:
                self._around = ""
        elif closes_itself:
            self.is_done = name == self._name
        elif not tag["close"] and name == self._name:
            self._is_inside = True
        elif not tag["close"]:
            self._around, self._depth = name, 1

    def _in_cdata(self, text: str) -> tuple[str, str]:
        """Read a CDATA section, as far as it is there."""
        end = text.find(_CDATA_END)
        if end < 0:
            sure = len(text) - len(_CDATA_END) + 1
            return self._literal(text[: max(0, sure)]), text[max(0, sure) :]
        self._is_cdata = False
        return self._literal(text[:end]), text[end + len(_CDATA_END) :]

    def _literal(self, text: str) -> str:
        return self._stripped.inside(text) if self._is_inside else ""

    def _text(self, text: str) -> str:
        """Take text of the field; give what cannot become anything else."""
        if not self._is_inside:
            return ""
        text = self._held + self._stripped.feed(text)
        begun = _ENTITY_BEGUN.search(text)
        sure = text[: begun.start()] if begun else text
        self._held = text[len(sure) :]
        return _plain(sure)

    def _end_of_text(self) -> str:
        held, self._held = self._held, ""
        return _plain(held)


def _plain(text: str) -> str:
    """Replace entities, and leave white space alone."""
    inside = text.strip()
    start = text.find(inside) if inside else len(text)
    return text[:start] + unescaped(inside) + text[start + len(inside) :]
