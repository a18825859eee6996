"""Which actor this thread is running, to refuse a call to oneself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisors._life import Life


class _Current(threading.local):
    life: Life | None = None


_current = _Current()


def current_life() -> Life | None:
    """The life of the actor whose callback this thread is in, if any."""
    return _current.life


def enter(life: Life | None) -> None:
    """Note that this thread now runs callbacks of `life`, or of nobody."""
    _current.life = life
