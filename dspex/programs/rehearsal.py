"""Whether programs run as a rehearsal: no model is asked, so no answer can be read.

A rehearsing predictor gives placeholders of the right types, unless its answer came
from the cache. Who takes the models' place is the runtime's affair.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from dspex.core.blocks import put_back

_rehearsing: ContextVar[bool] = ContextVar("dspex_rehearsing", default=False)


def is_rehearsal() -> bool:
    """Say whether this context is a rehearsal."""
    return _rehearsing.get()


@contextmanager
def rehearsal() -> Iterator[None]:
    """Make a block a rehearsal, threads that run in copies of its context included."""
    token = _rehearsing.set(True)
    try:
        yield
    finally:
        put_back(_rehearsing, token)
