"""What code changes while it runs: its memory, which is no part of what it does.

A program that counts its calls is the same program after a thousand of them. What it
changes is read from its compiled code, so what it has somebody else change (a list that
it hands to `heapq`, say) is not seen here. Pure.
"""

from __future__ import annotations

import dis
import inspect
import sys
from collections.abc import Iterator, MutableMapping, MutableSequence, MutableSet
from itertools import pairwise
from types import CodeType, FunctionType
from typing import Any, Final

_BINDS: Final = frozenset({"STORE_GLOBAL", "DELETE_GLOBAL", "STORE_ATTR"})
_BINDS_FREE: Final = frozenset({"STORE_DEREF", "DELETE_DEREF"})
_READS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_ATTR"})
_SETS_ITEM: Final = frozenset({"STORE_SUBSCR", "STORE_SLICE", "DELETE_SUBSCR"})
_METHODS: Final = frozenset({"LOAD_METHOD", "LOAD_ATTR"})
_CHANGES: Final = frozenset(
    name
    for kind in (list, dict, set)
    for name in vars(kind)
    if not name.startswith("__")
    and name not in vars(tuple) | vars(frozenset)
    and name not in {"get", "keys", "values", "items", "fromkeys"}
) | {"appendleft", "popleft", "extendleft", "rotate", "subtract"}
"""Methods that change what they are called on, such as `append`."""
_MAKES: Final = frozenset({"__init__", "__new__", "__post_init__", "__setstate__"})
_CONTAINERS: Final = (MutableMapping, MutableSequence, MutableSet)


def changed_by(code: CodeType) -> frozenset[str]:
    """Return the names of what code changes: variables of outside, and attributes.

    Rebound by `global` and `nonlocal`, changed by a method such as `append`, or given
    an item.

    Example:
        >>> def program(question):
        ...     seen.append(question)
        ...     counts[question] = weights[question]
        ...     return labels[0]
        >>> sorted(changed_by(program.__code__))
        ['counts', 'seen']
    """
    inside = (each for each in code.co_consts if isinstance(each, CodeType))
    return frozenset(_changed(code)).union(*map(changed_by, inside))


def changed_by_methods(kind: type) -> frozenset[str]:
    """Return the names of attributes that a class changes once an object is made.

    What dspex's own classes change (a predictor's model, say) is set from outside.
    """
    functions = (
        inspect.unwrap(function)
        for each in kind.__mro__
        if each.__module__.partition(".")[0] != "dspex"
        for name, function in vars(each).items()
        if isinstance(function, FunctionType) and name not in _MAKES
    )
    codes = (getattr(each, "__code__", None) for each in functions)
    return frozenset().union(*(changed_by(code) for code in codes if code))


def is_memory(value: Any) -> bool:
    """Whether an object of Python's own library is one that changes as it is used.

    Locks, events, queues, random generators, iterators: what has no equality of its own
    and is no container.
    """
    kind = type(value)
    is_python = kind.__module__.partition(".")[0] in sys.stdlib_module_names
    is_value = any("__eq__" in vars(each) for each in kind.__mro__[:-1])
    return is_python and not is_value and not isinstance(value, _CONTAINERS)


def _changed(code: CodeType) -> Iterator[str]:
    instructions = list(dis.get_instructions(code))
    for one, following in pairwise(instructions):
        is_read = one.opname in _READS
        if is_read and following.opname in _METHODS and following.argval in _CHANGES:
            yield one.argval
    # Where what is given an item begins: `counts` in `counts[name] = weights[name]`.
    given = {_begin(each) for each in instructions if each.opname in _SETS_ITEM}
    for each in instructions:
        is_free = each.argval in code.co_freevars
        is_bound = each.opname in _BINDS or (each.opname in _BINDS_FREE and is_free)
        is_read = each.opname in _READS and not _loads_method(each)
        if is_bound or (is_read and _begin(each) in given):
            yield each.argval


def _loads_method(instruction: dis.Instruction) -> bool:
    """Whether it looks a method up to call it, which is an attribute since 3.12."""
    is_attribute = instruction.opname == "LOAD_ATTR"
    return (
        is_attribute
        and sys.version_info >= (3, 12)
        and bool((instruction.arg or 0) & 1)
    )


def _begin(instruction: dis.Instruction) -> tuple[int | None, int | None] | None:
    """Line and column of what it belongs to; Python may be told to keep no columns."""
    positions = instruction.positions
    return None if positions is None else (positions.lineno, positions.col_offset)
