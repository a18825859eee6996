"""Whether passages contain an answer, compared word by word as DSPy compares them.

Pure. A word is a run of letters, digits and combining marks; every other character that
is neither space nor control is a word of its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import groupby


def has_answer(passages: Sequence[str], answers: Sequence[str]) -> bool:
    """Say whether the words of one of the answers follow each other in a passage.

    An answer without words is in every passage, and where there is no passage there is
    no answer.

    Example:
        >>> has_answer(["Lima is in Peru."], ["in peru"])
        True
        >>> has_answer(["start"], ["art"])
        False
    """
    wanted = [words_of(answer) for answer in answers]
    return any(
        _contains(words, answer)
        for words in map(words_of, passages)
        for answer in wanted
    )


def words_of(text: str) -> list[str]:
    """Return the words of a text, decomposed (NFD) and in lower case.

    Example:
        >>> words_of("It's 3.14")
        ['it', "'", 's', '3', '.', '14']
    """
    decomposed = unicodedata.normalize("NFD", text)
    words: list[str] = []
    for kind, run in groupby(decomposed, _kind):
        if kind == "word":
            words.append("".join(run).lower())
        elif kind == "sign":
            words += (sign.lower() for sign in run)
    return words


def _kind(character: str) -> str:
    """Say what a character is part of: a "word", a "sign" of its own, or a "gap"."""
    match unicodedata.category(character)[0]:
        case "L" | "N" | "M":
            return "word"
        case "Z" | "C":
            return "gap"
        case _:
            return "sign"


def _contains(words: Sequence[str], answer: Sequence[str]) -> bool:
    length = len(answer)
    return any(
        words[start : start + length] == answer
        for start in range(len(words) - length + 1)
    )
