"""Programs and metrics in a coroutine: which are awaited, and which get a thread.

What is a coroutine function, or has an `acall`, is awaited on the running loop. The
rest may block, so it runs in a thread and the loop goes on meanwhile; but the metrics
of `dspex.metrics`, which only compute, are cheaper to call than to send away.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from dspex.core.metrics import (
    ExactMatch,
    WordOverlap,
    answer_exact_match,
    answer_passage_match,
)
from dspex.core.spawner import the_spawner
from dspex.programs.program import Program

Called = Callable[..., Any]
"""A program or a metric."""

_COMPUTING: Final = (ExactMatch, WordOverlap)
_COMPUTING_FUNCTIONS: Final = (answer_exact_match, answer_passage_match)


def needs_loop(called: Any) -> bool:
    """Whether it can only be awaited: a plain call gives a coroutine, or fails.

    Args:
        called: A program or a metric, or several metrics by name.

    Example:
        >>> async def ask(question): ...
        >>> needs_loop(ask), needs_loop(print), needs_loop({"one": print, "two": ask})
        (True, False, True)
    """
    if isinstance(called, Mapping):
        return any(needs_loop(one) for one in called.values())
    if isinstance(called, Program):
        return _lacks(called, "forward") and not _lacks(called, "aforward")
    return _is_coroutine_function(called)


def is_awaited(called: Any) -> bool:
    """Whether `awaited` calls it on the loop as a coroutine function.

    Args:
        called: A program or a metric, or several metrics by name; one is enough.
    """
    if isinstance(called, Mapping):
        return any(is_awaited(one) for one in called.values())
    return _as_coroutine_function(called) is not None


async def awaited(called: Called, /, *args: Any, **kwargs: Any) -> Any:
    """Call a program or a metric, and give what it gives, without blocking the loop.

    Cancelled, it cancels what it awaits. Work in a thread cannot be cancelled: it is
    given up, and its calls to models are refused from then on.
    """
    coroutine_function = _as_coroutine_function(called)
    if coroutine_function is not None:
        return await coroutine_function(*args, **kwargs)
    if _only_computes(called):
        return called(*args, **kwargs)
    value = await the_spawner().in_thread(
        functools.partial(called, *args, **kwargs), label=_name_of(called)
    )
    # A plain function that wraps a coroutine function, such as a lambda.
    return await value if inspect.isawaitable(value) else value


def _only_computes(called: Any) -> bool:
    is_function = any(called is one for one in _COMPUTING_FUNCTIONS)
    return is_function or isinstance(called, _COMPUTING)


def _as_coroutine_function(
    called: Any,
) -> Callable[..., Coroutine[Any, Any, Any]] | None:
    if isinstance(called, Program):
        is_awaited = not _lacks(called, "aforward")
        return called.acall if is_awaited else None
    if _is_coroutine_function(called):
        found: Callable[..., Coroutine[Any, Any, Any]] = called
        return found
    acall = getattr(called, "acall", None)
    return acall if inspect.iscoroutinefunction(acall) else None


def _is_coroutine_function(called: Any) -> bool:
    of_type = getattr(type(called), "__call__", None)  # noqa: B004 - asked what kind it is, not whether it is there
    return inspect.iscoroutinefunction(called) or inspect.iscoroutinefunction(of_type)


def _lacks(program: Program, method: str) -> bool:
    """Whether nobody wrote that method, on its class or on the object."""
    written = getattr(program, method)
    return getattr(written, "__func__", None) is getattr(Program, method)


def _name_of(called: Any) -> str:
    return getattr(called, "__name__", type(called).__name__)
