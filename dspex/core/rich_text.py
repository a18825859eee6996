"""What rich shows of our objects: text, whatever is written in it."""

from __future__ import annotations

from typing import Any

from dspex.core.safe_text import safe_text


def as_rich(text: str) -> Any:
    """Return a text for rich, to be called by its `__rich__` hook only.

    It is rich's `Text`, in which square brackets are no markup; what could steer a
    terminal, and rich would let through, is written out.
    """
    from rich.text import Text

    return Text(safe_text(text))
