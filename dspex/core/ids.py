"""Ids that nothing else has, in this process or another, and that cost next to nothing.

A call needs several. Random ones (`uuid4`) cost more than sending a message.
"""

from __future__ import annotations

import itertools
import os
import secrets

_next_number = itertools.count(1).__next__
_origin = (0, "")
"""This process, and what its ids begin with. Two threads may both make it at first;
then the ids begin in two ways, and are no less unique."""


def new_id() -> str:
    """28 hexadecimal digits that are never used again.

    Example:
        >>> len(new_id()), new_id() == new_id()
        (28, False)
    """
    global _origin  # noqa: PLW0603 - one value for the process, made when first needed
    pid = os.getpid()
    if _origin[0] != pid:
        # A forked process counts on from where it was forked, so it needs its own.
        _origin = (pid, secrets.token_hex(8))
    return f"{_origin[1]}{_next_number():012x}"
