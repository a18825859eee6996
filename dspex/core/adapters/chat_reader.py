"""Reading one field of an answer in the chat adapter's format, piece by piece."""

from __future__ import annotations

import re
from typing import Final

from dspex.core.adapters.chat import HEADER
from dspex.core.adapters.field_reader import Stripped, WholeCharacters

_OPENING: Final = "[[ ## "
_CLOSING: Final = " ## ]]"
_OPENED: Final = re.compile(r"\[\[ ## \w+")

_ESCAPE_BEGUN: Final = re.compile(r"\\(\[(\[\s*#?)?)?$")
"""The end of a text that may still become an escaped header."""

_ESCAPED: Final = re.compile(r"\\\[\[(?=\s*##)")


class ChatReader:
    r"""Reads the text under the first header of a name.

    A line is looked at as soon as it cannot become a header any more, so that text is
    given while its line is still being written.

    Example:
        >>> reader = ChatReader("answer")
        >>> [reader.feed(piece) for piece in ("[[ ## answer", " ## ]]", "\nLi", "ma")]
        ['', '', 'Li', 'ma']
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._characters = WholeCharacters()
        self._stripped = Stripped()
        # The line that is being written, as far as nothing was decided about it.
        self._line = ""
        # Whether it is known to be no header, so that what comes of it is content.
        self._is_content = False
        self._is_inside = False
        # Content that may be part of an escaped header.
        self._held = ""
        self.is_done = False

    @property
    def held(self) -> int:
        """Characters that wait for what comes."""
        return len(self._line) + len(self._held) + self._stripped.held

    def feed(self, text: str) -> str:
        """Take the next piece of the answer; return what is new of the field."""
        if self.is_done:
            return ""
        return self._read(self._characters.feed(text))

    def finish(self) -> str:
        """Say that the answer has ended; return what is left of the field."""
        if self.is_done:
            return ""
        rest = self._read(self._characters.finish())
        line, self._line = self._line, ""
        return rest + self._content(line) + self._end()

    def _read(self, text: str) -> str:
        """Go through the text by lines; a line feed alone ends one, as in `parse`."""
        found = ""
        first, *others = text.split("\n")
        found += self._go_on(first)
        for line in others:
            found += self._new_line()
            found += self._go_on(line)
            if self.is_done:
                break
        return found

    def _go_on(self, text: str) -> str:
        """Take more of the current line."""
        if self.is_done:
            return ""
        if self._is_content:
            return self._content(text)
        self._line += text
        begun = self._line.lstrip()
        if header := HEADER.match(begun):
            return self._header(header[1], begun[header.end() :])
        if _may_become_header(begun):
            return ""
        self._is_content = True
        line, self._line = self._line, ""
        return self._content(line)

    def _header(self, name: str, rest: str) -> str:
        self._line = ""
        self._is_content = True
        if self._is_inside:
            return self._end()
        self._is_inside = name == self._name
        return self._content(rest)

    def _new_line(self) -> str:
        line, self._line = self._line, ""
        self._is_content = False
        return self._content(f"{line}\n")

    def _content(self, text: str) -> str:
        """Take content; give what cannot become anything else."""
        if not self._is_inside or self.is_done:
            return ""
        text = self._held + text
        begun = _ESCAPE_BEGUN.search(text)
        sure = text[: begun.start()] if begun else text
        self._held = text[len(sure) :]
        return self._stripped.feed(_ESCAPED.sub("[[", sure))

    def _end(self) -> str:
        """End the field: what was held is what it looks like."""
        if not self._is_inside or self.is_done:
            return ""
        self.is_done = True
        held, self._held = self._held, ""
        return self._stripped.feed(held)


def _may_become_header(begun: str) -> bool:
    if _OPENING.startswith(begun):
        return True
    opened = _OPENED.match(begun)
    return opened is not None and _CLOSING.startswith(begun[opened.end() :])
