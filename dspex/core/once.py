"""What is never run again: tools and programs marked `retry=False`.

Whoever runs such a thing says so here, and whoever is about to start something over
looks here first. It follows the context: threads that run in a copy of it are seen too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from dspex.core.blocks import put_back


class Unrepeatable:
    """What was begun in a block and is never to be run again; false while empty.

    Args:
        told: Hears of each before it begins; what this raises keeps it from beginning.
    """

    __slots__ = ("_names", "_told")

    def __init__(self, told: Callable[[str], object] = lambda _name: None) -> None:
        self._told = told
        self._names: list[str] = []

    @property
    def names(self) -> tuple[str, ...]:
        """What was begun, in order; a tool that was run twice stands there twice."""
        return tuple(self._names)

    def add(self, name: str) -> None:
        """Remember that something begins. Any thread may."""
        # First: whoever gives this work up looks here, and only then starts it over.
        self._names.append(name)
        self._told(name)

    def __bool__(self) -> bool:
        return bool(self._names)


_watching: ContextVar[tuple[Unrepeatable, ...]] = ContextVar(
    "dspex_unrepeatable", default=()
)


@contextmanager
def watch_unrepeatable(seen: Unrepeatable | None = None) -> Iterator[Unrepeatable]:
    """See what is begun in a block that must not be run again.

    Args:
        seen: Where it is kept, for whoever looks from outside; a new one unless given.

    Example:
        >>> with watch_unrepeatable() as begun:
        ...     began_unrepeatable("send_mail")
        >>> begun.names
        ('send_mail',)
    """
    seen = Unrepeatable() if seen is None else seen
    token = _watching.set((*_watching.get(), seen))
    try:
        yield seen
    finally:
        put_back(_watching, token)


def watch_unrepeatable_from_here(seen: Unrepeatable) -> None:
    """See it in the rest of this context, which is somebody's own, and no block."""
    _watching.set((*_watching.get(), seen))


def began_unrepeatable(name: str) -> None:
    """Say that something marked `retry=False` begins now.

    It is said before the work, because half of it cannot be undone either.
    """
    for seen in _watching.get():
        seen.add(name)
