"""Reading one field of an answer in the line adapter's format, piece by piece."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from dspex.core.adapters.field_reader import Stripped, WholeCharacters
from dspex.core.adapters.line import SEPARATOR, is_placeholder, label_of, labels_of
from dspex.core.signature import Signature

_LINE_END: Final = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""What `str.splitlines` ends a line at."""

_PLACEHOLDER_BEGUN: Final = tuple("${<[(.…_")
"""What a placeholder begins with; whether it is one, only its whole line tells."""


class LineReader:
    r"""Reads the first line of a label, or the first line for the output asked for.

    Args:
        signature: Whose answer it is.
        name: The output.

    Example:
        >>> from dspex.core.signature import make_signature
        >>> reader = LineReader(make_signature("country -> capital"), "capital")
        >>> [reader.feed(piece) for piece in (" Li", "ma", "\nmore")]
        ['Li', 'ma', '']
    """

    def __init__(self, signature: type[Signature], name: str) -> None:
        self._name = name
        self._labels: Mapping[str, str] = labels_of(signature)
        self._asked = next(iter(signature.output_fields), "")
        self._characters = WholeCharacters()
        self._stripped = Stripped()
        # The current line, as far as nothing was given of it.
        self._line = ""
        self._return = ""
        self._is_given = False
        self._has_begun = False
        self.is_done = False

    @property
    def held(self) -> int:
        """Characters that wait for what comes."""
        return len(self._line) + self._stripped.held

    def feed(self, text: str) -> str:
        """Take the next piece of the answer; return what is new of the field."""
        if self.is_done:
            return ""
        text = self._return + self._characters.feed(text)
        # Half of a line's end may come with the next piece.
        self._return = "\r" if text.endswith("\r") else ""
        return self._read(text.removesuffix(self._return))

    def finish(self) -> str:
        """Say that the answer has ended; return what is left of the field."""
        if self.is_done:
            return ""
        rest = self._read(self._return + self._characters.finish())
        return rest + self._end_of_line()

    def _read(self, text: str) -> str:
        found = ""
        first, *others = _LINE_END.split(text)
        found += self._go_on(first)
        for line in others:
            if self.is_done:
                break
            found += self._end_of_line()
            found += self._go_on(line)
        return found

    def _go_on(self, text: str) -> str:
        """Take more of the current line; give what is sure of it."""
        if self.is_done:
            return ""
        if self._is_given:
            return self._stripped.feed(text)
        self._line += text
        value = self._value()
        if value is None or self._is_open(value):
            return ""
        self._is_given = True
        self._line = ""
        return self._stripped.feed(value)

    def _end_of_line(self) -> str:
        """End the current line: it is now known what it was."""
        if self.is_done:
            return ""
        line, self._line = self._line, ""
        if self._is_given:
            self.is_done = True
            return ""
        if not line.strip():
            # White space before the answer does not count, a gap in it ends it.
            self.is_done = self._has_begun
            return ""
        if line.strip() == SEPARATOR:
            self.is_done = True
            return ""
        value = _value_of(line, self._name, self._labels, self._asked_now)
        self._has_begun = True
        if value is None:
            return ""
        self.is_done = True
        return "" if is_placeholder(self._name, value) else value.strip()

    @property
    def _asked_now(self) -> str:
        """Which output a line without a label answers: only the first line does."""
        return "" if self._has_begun else self._asked

    def _value(self) -> str | None:
        """Return what the current line says of the field so far, if it is known."""
        line = self._line.lstrip()
        if ":" not in line and self._may_become_a_label(line):
            return None
        return _value_of(line, self._name, self._labels, self._asked_now)

    def _may_become_a_label(self, line: str) -> bool:
        start = line.casefold()
        return any(
            label.casefold().startswith(start.rstrip())
            for label in self._labels.values()
        )

    def _is_open(self, value: str) -> bool:
        """Say whether only the whole line tells what the value is."""
        text = value.strip()
        return (
            not text
            or text.startswith(_PLACEHOLDER_BEGUN)
            or SEPARATOR.startswith(self._line.strip())
        )


def _value_of(
    line: str, name: str, labels: Mapping[str, str], asked: str
) -> str | None:
    """Return what a line says of a field; `None` when it is about another."""
    label = label_of(line, labels.values())
    if not label:
        return line if asked == name else None
    return line.partition(":")[2] if labels[name] == label else None
