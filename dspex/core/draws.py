"""Asking a model the same thing again and getting another answer, not the kept one.

A repetition of an example, or a retry after an answer that did not fit, is another
draw: its calls are told apart from those of the first for the cache, and are otherwise
the same. It follows the context: threads that run in a copy of it draw likewise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from dspex.core.blocks import put_back

ROLLOUT: Final = "rollout_id"
"""The setting that tells calls apart for the cache and is never sent."""

_draws: ContextVar[tuple[str, ...]] = ContextVar("dspex_draws", default=())


@contextmanager
def another_draw(name: str) -> Iterator[None]:
    """In the block, calls get answers of their own.

    Args:
        name: Which draw it is; the same name finds the same kept answers again.

    Example:
        >>> with another_draw("trial 2"):
        ...     drawn({"temperature": 1.0})
        {'temperature': 1.0, 'rollout_id': 'trial 2'}
        >>> drawn({"temperature": 1.0})
        {'temperature': 1.0}
    """
    token = _draws.set((*_draws.get(), name))
    try:
        yield
    finally:
        put_back(_draws, token)


def draw_from_here(name: str) -> None:
    """The same for the rest of this context, which is somebody's own, and no block."""
    _draws.set((*_draws.get(), name))


def drawn(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of a call, as the draw it is made in has them."""
    draws = _draws.get()
    if not draws:
        return settings
    own = settings.get(ROLLOUT)
    names = draws if own is None else (str(own), *draws)
    return {**settings, ROLLOUT: ", ".join(names)}
