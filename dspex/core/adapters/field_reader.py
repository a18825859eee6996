"""Reading one field of an answer while the answer is still being written.

A reader is fed the answer in pieces, cut anywhere, and gives what is sure of its field:
put together it is the text that the adapter finds in the whole answer. It holds no
clock and no thread.
"""

from __future__ import annotations

from typing import Final, Protocol

from dspex.core.adapters.render import well_formed

MUCH: Final = 1_000
"""Characters that a reader may hold and be fed each piece as it comes."""

SHARE: Final = 8
"""Of what a reader with more than that holds, the part that a piece must be."""


class FieldReader(Protocol):
    """Reads one field."""

    @property
    def is_done(self) -> bool:
        """Whether the field has ended, so that nothing more comes of it."""

    @property
    def held(self) -> int:
        """Characters that were fed and wait for what comes, to be looked at again."""

    def feed(self, text: str) -> str:
        """Take the next piece of the answer; return what is new of the field."""

    def finish(self) -> str:
        """Say that the answer has ended; return what is left of the field."""


class NothingEarly:
    """Gives nothing before the end: for formats that are read as a whole."""

    is_done = False
    held = 0

    def feed(self, text: str) -> str:  # noqa: ARG002 - part of what a reader is
        """Give nothing."""
        return ""

    def finish(self) -> str:
        """Give nothing; whoever has read the whole answer knows the field."""
        return ""


class Unhurried:
    """Feeds a reader larger pieces while it holds much, so that its work is bounded.

    A reader looks again at what it holds with each piece. A text made for it, such as
    a header without an end, would cost a time that grows with its square.

    Args:
        reader: Whose pieces these are.
    """

    def __init__(self, reader: FieldReader) -> None:
        self._reader = reader
        self._waiting: list[str] = []
        self._length = 0

    @property
    def is_done(self) -> bool:
        """Whether the field has ended, so that nothing more comes of it."""
        return self._reader.is_done

    @property
    def held(self) -> int:
        """Characters that wait for what comes."""
        return self._reader.held + self._length

    def feed(self, text: str) -> str:
        """Take the next piece of the answer; return what is new of the field."""
        self._waiting.append(text)
        self._length += len(text)
        held = self._reader.held
        if held > MUCH and self._length < held // SHARE:
            return ""
        return self._fed()

    def finish(self) -> str:
        """Say that the answer has ended; return what is left of the field."""
        return self._fed() + self._reader.finish()

    def _fed(self) -> str:
        text, self._waiting, self._length = "".join(self._waiting), [], 0
        return self._reader.feed(text)


class WholeCharacters:
    """Joins halves of characters that come apart, and replaces those that stay alone.

    Pieces that went through it are together what `well_formed` makes of the whole.
    """

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        """Return what is whole."""
        text = self._half + text
        self._half = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return well_formed(text)

    def finish(self) -> str:
        """Return what stands for a half that stayed alone."""
        half, self._half = self._half, ""
        return well_formed(half)


class Stripped:
    """Leaves out the white space around a text that comes in pieces."""

    def __init__(self) -> None:
        self._has_begun = False
        # White space that is inside of the text only if more follows.
        self._space = ""

    @property
    def held(self) -> int:
        """Characters of white space that wait for what comes."""
        return len(self._space)

    def feed(self, text: str) -> str:
        """Return what is surely inside."""
        text = self._space + text
        if not self._has_begun:
            text = text.lstrip()
        inside = text.rstrip()
        self._has_begun = self._has_begun or bool(inside)
        self._space = text[len(inside) :]
        return inside

    def inside(self, text: str) -> str:
        """Return a text that is inside whatever it is made of."""
        space, self._space = self._space, ""
        self._has_begun = True
        return space + text
