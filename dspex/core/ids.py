"""Ids that nothing else has, in this process or another, and that cost next to nothing.

A call needs several. Random ones (`uuid4`) cost more than sending a message.
"""

from __future__ import annotations

import itertools
import os
import secrets

_next_number = itertools.count(1).__next__
_origin = ""
"""What the ids of this process begin with. Two threads may both make it at first; then
the ids begin in two ways, and are no less unique."""


def new_id() -> str:
    """28 hexadecimal digits that are never used again.

    Example:
        >>> len(new_id()), new_id() == new_id()
        (28, False)
    """
    return f"{_origin or _begin()}{_next_number():012x}"


def _begin() -> str:
    global _origin  # noqa: PLW0603 - one value for the process, made when first needed
    _origin = secrets.token_hex(8)
    return _origin


def _forget() -> None:
    global _origin  # noqa: PLW0603 - a forked process counts on, so it needs its own
    _origin = ""


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
