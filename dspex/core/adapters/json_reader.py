"""Reading one field of an answer that is a JSON object, piece by piece."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final

from dspex.core.adapters.field_reader import WholeCharacters
from dspex.core.adapters.parse import MAX_DEPTH

_ESCAPES: Final = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_SPACE: Final = " \t\n\r"
_PLAIN: Final = re.compile(r'[^"\\]*')
_HEX: Final = re.compile(r"[0-9a-fA-F]{4}")
_SCALAR: Final = re.compile(r"[-+.\w]*")
_INSIDE: Final = re.compile(r'[^"\[\]{}]*')


class JsonReader:
    r"""Reads the value of one key of the object that answers.

    A text is given as it reads, anything else as the JSON it is written in. Where the
    answer is no JSON it goes quiet, because what mending would make of it is known at
    the end only.

    Args:
        name: The key.
        names: All keys, any of which makes an object the answer.
        takes_text: Whether the field is a text, so that only a text is its value as it
            stands.

    Example:
        >>> reader = JsonReader("answer", ["answer"], takes_text=True)
        >>> [reader.feed(piece) for piece in ('{"answer', '": "Li', 'ma\\n"', "}")]
        ['', 'Li', 'ma\n', '']
    """

    def __init__(self, name: str, names: Collection[str], *, takes_text: bool) -> None:
        self._name = name
        self._names = frozenset(names)
        self._takes_text = takes_text
        self._characters = WholeCharacters()
        # What was fed and not read yet: half an escape, or nothing.
        self._rest = ""
        self._step: Callable[[str], str] = self._seek
        self._found: list[str] = []
        self._key = ""
        self._is_answer = False
        self._is_given = False
        self._depth = 0
        self.is_done = False

    @property
    def held(self) -> int:
        """Characters that wait for what comes."""
        return len(self._rest)

    def feed(self, text: str) -> str:
        """Take the next piece of the answer; return what is new of the field."""
        rest = self._rest + text
        while rest and not self.is_done:
            step = self._step
            left = step(rest)
            if left == rest and step == self._step:
                break
            rest = left
        self._rest = "" if self.is_done else rest
        return self._taken()

    def finish(self) -> str:
        """Say that the answer has ended; return what is left of the field."""
        self.is_done = True
        return self._taken() + self._characters.finish()

    def _taken(self) -> str:
        found, self._found = self._found, []
        return self._characters.feed("".join(found))

    # Each step reads what it can from the front of a text and returns the rest; the
    # same rest with the same step next means that it needs more.

    def _seek(self, text: str) -> str:
        start = text.find("{")
        if start < 0:
            return ""
        self._is_answer = False
        self._step = self._first_key
        return text[start + 1 :]

    def _first_key(self, text: str) -> str:
        text = text.lstrip(_SPACE)
        if text[:1] == "}":
            return self._end_of_object(text[1:])
        return self._next_key(text)

    def _next_key(self, text: str) -> str:
        text = text.lstrip(_SPACE)
        if not text:
            return text
        if text[0] != '"':
            return self._lost()
        self._key = ""
        self._step = self._in_key
        return text[1:]

    def _in_key(self, text: str) -> str:
        piece, rest, ended = self._string(text)
        self._key += piece
        if ended:
            self._step = self._colon
        return rest

    def _colon(self, text: str) -> str:
        text = text.lstrip(_SPACE)
        if not text:
            return text
        if text[0] != ":":
            return self._lost()
        self._is_answer = self._is_answer or self._key in self._names
        if self._is_given and self._key == self._name:
            # JSON's last value of a key counts, and the first was given already.
            return self._lost()
        self._step = self._value
        return text[1:]

    def _value(self, text: str) -> str:
        text = text.lstrip(_SPACE)
        if not text:
            return text
        match text[0]:
            case '"':
                self._step = self._in_text
                return text[1:]
            case "{" | "[":
                self._depth = 0
                self._step = self._in_structure
                return text
            case "}" | "]" | "," | ":":
                return self._lost()
            case _:
                self._step = self._in_scalar
                return text

    def _in_text(self, text: str) -> str:
        piece, rest, ended = self._string(text)
        self._give(piece)
        if ended:
            self._end_of_value()
        return rest

    def _in_scalar(self, text: str) -> str:
        found = _SCALAR.match(text)
        end = found.end() if found else 0
        self._give(text[:end], is_text=False)
        if end < len(text):
            self._end_of_value()
        return text[end:]

    def _in_structure(self, text: str) -> str:
        """Read a list or an object inside of a value, as it is written."""
        found = _INSIDE.match(text)
        end = found.end() if found else 0
        mark = text[end : end + 1]
        self._give(text[: end + len(mark)], is_text=False)
        match mark:
            case '"':
                self._step = self._in_inner_text
            case "{" | "[":
                self._depth += 1
            case "}" | "]":
                self._depth -= 1
        if self._depth == 0:
            self._end_of_value()
        if self._depth > MAX_DEPTH:
            return self._lost()
        return text[end + len(mark) :]

    def _in_inner_text(self, text: str) -> str:
        _, rest, ended = self._string(text)
        self._give(text[: len(text) - len(rest)], is_text=False)
        if ended:
            self._step = self._in_structure
        return rest

    def _after_value(self, text: str) -> str:
        text = text.lstrip(_SPACE)
        match text[:1]:
            case "":
                return text
            case ",":
                self._step = self._next_key
                return text[1:]
            case "}":
                return self._end_of_object(text[1:])
            case _:
                return self._lost()

    def _end_of_value(self) -> None:
        self._is_given = self._is_given or self._key == self._name
        self._step = self._after_value

    def _end_of_object(self, rest: str) -> str:
        self.is_done = self._is_answer
        self._step = self._seek
        return rest

    def _lost(self) -> str:
        self.is_done = True
        return ""

    def _give(self, text: str, *, is_text: bool = True) -> None:
        if self._key == self._name and (is_text or not self._takes_text):
            self._found.append(text)

    def _string(self, text: str) -> tuple[str, str, bool]:
        """Read inside of a string: what it says, the rest, and whether it has ended."""
        said = []
        while text:
            plain = _PLAIN.match(text)
            end = plain.end() if plain else 0
            said.append(text[:end])
            text = text[end:]
            if text[:1] == '"':
                return "".join(said), text[1:], True
            length = _escape_length(text)
            if length == 0:
                break
            if length < 0:
                self._lost()
                break
            said.append(_unescaped(text[:length]))
            text = text[length:]
        return "".join(said), text, False


def _escape_length(text: str) -> int:
    """Return how long the escape at the front is: 0 if half of it, -1 if it is none."""
    if len(text) < 2:
        return 0
    if text[1] in _ESCAPES:
        return 2
    if text[1] != "u":
        return -1
    if len(text) < 6:
        return 0
    return 6 if _HEX.fullmatch(text[2:6]) else -1


def _unescaped(escape: str) -> str:
    if escape[1] == "u":
        return chr(int(escape[2:], 16))
    return _ESCAPES[escape[1]]
