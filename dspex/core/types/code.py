"""`Code`: program text as a field's value, out of its Markdown fence."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import create_model

from dspex.core.types.base import Type


class Code(Type):
    r"""Program text. `Code["java"]` says the language; plain `Code` means Python.

    A text with a Markdown fence gives what stands inside of its first fence.

    Example:
        >>> Code["sql"](code="```sql\nSELECT 1\n```").code
        'SELECT 1'
    """

    language: ClassVar[str] = "python"
    """The language, as it is told to the model."""

    code: str
    """The text."""

    def __class_getitem__(cls, language: str) -> type[Code]:  # type: ignore[override] # a language
        """Return the type of code in a language; the same for the same language."""
        return _in_language(cls, language)

    @classmethod
    def description(cls) -> str:
        """Return how a model has to write it."""
        fence = f"```{cls.language.lower()}\n{{code}}\n```"
        return f"{cls.language} code, as an answer in a Markdown fence:\n{fence}"

    def format(self) -> str:
        """Return the text."""
        return self.code

    @classmethod
    def read_value(cls, value: Any) -> Any:
        """Take a text, or a mapping with `code`; a fence is taken off."""
        match value:
            case Code():
                return {"code": value.code}
            case str() | {"code": str()}:
                text = value if isinstance(value, str) else value["code"]
                return {"code": without_fence(text)}
        message = "code is a text, or a mapping with the text under 'code'"
        raise ValueError(message)

    def __str__(self) -> str:
        return self.code


@lru_cache(maxsize=64)
def _in_language(cls: type[Code], language: str) -> type[Code]:
    made = create_model(f"{cls.__name__}_{language}", __base__=cls)
    made.language = language
    return made


def without_fence(text: str) -> str:
    """Return what stands in the first Markdown fence; all of it when there is none.

    A fence that is never closed, as in a reply that was cut off, holds the rest.
    """
    opening = re.search(r"```[^\n`]*\n", text)
    if opening is None:
        inline = re.search(r"```(.*?)```", text)
        return inline.group(1).strip() if inline else text
    inside = text[opening.end() :]
    # At the start of a line first, because code may have ``` in a text of its own.
    closing = re.search(r"^[ \t]*```", inside, re.MULTILINE) or re.search("```", inside)
    return inside[: closing.start() if closing else None].strip()
