"""What a block of code does to a variable of its context, and how it undoes it."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TypeVar

T = TypeVar("T")


def put_back(variable: ContextVar[T], token: Token[T]) -> None:
    """Give a variable the value it had before the block that is left.

    A block may be left in another context than the one it was entered in: the fixture
    of an asynchronous test, or a generator that a server drops. The variable was set in
    the other context, so there is nothing to put back in this one.
    """
    try:
        variable.reset(token)
    except ValueError:
        return
