"""What functions and classes do, as text that is the same in every process.

It is made of what Python compiled and not of source files: a file may have been edited
since it was imported, and a lambda has no source of its own. So comments and layout do
not matter, and whatever changes what runs does: code, defaults, constants of the
closure and of the module, helper functions. Code of dspex, of Python and of installed
packages stands there by its name. What code changes while it runs is its memory and
does not count, see `memory`.
"""

from __future__ import annotations

import dis
import functools
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

import supervisors
from dspex.evaluate.record.codec import encode
from dspex.evaluate.record.memory import changed_by, changed_by_methods, is_memory
from dspex.evaluate.record.objects import (
    attributes_of,
    name_of_named,
    name_of_type,
)

MOST_OBJECTS: Final = 5_000
"""Functions, classes and objects that are followed from one."""
MOST_ITEMS: Final = 10_000
"""Items of a container that are looked at; of a larger one the number counts."""

_NAMED_ONLY: Final = frozenset({"dspex", "supervisors"}) | sys.stdlib_module_names
_CONSTANTS: Final = (
    str,
    bytes,
    int,
    float,
    complex,
    bool,
    type(None),
    tuple,
    frozenset,
)
_CONTAINERS: Final = (dict, list, set)
_MEMBERS: Final = (FunctionType, property, type, *_CONSTANTS, *_CONTAINERS)
_LOADS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_WRAPPED: Final = (staticmethod, classmethod, functools.partialmethod)


TextOf = Callable[[Any], str]
"""Returns the text of anything."""
Known = Callable[[Any, TextOf], str | None]
"""Returns the text of some values, with what is inside of them by the function."""


class CodeText:
    """Turns whatever code refers to into text, each thing once.

    Args:
        known: Returns the text of a value it has a better one for, else `None`. It is
            handed `of` as well, for what is inside of such a value.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._seen: dict[int, int] = {}
        # What was seen stays alive, or its id could become that of something else.
        self._kept: list[Any] = []

    def of(self, value: Any) -> str:
        """Return the text of a function, a class, an object or a plain value."""
        if isinstance(value, _CONSTANTS):
            return self._constant(value)
        if id(value) in self._seen:
            return f"<{self._seen[id(value)]}>"
        if len(self._seen) >= MOST_OBJECTS:
            return f"<a {name_of_type(type(value))}>"
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)
        known = self._known(value, self.of)
        return self._text(value) if known is None else known

    def _constant(self, value: Any) -> str:
        if isinstance(value, tuple):
            return f"({', '.join(map(self.of, value))})"
        return encode(value)

    def _text(self, value: Any) -> str:
        if isinstance(value, _CONTAINERS) and len(value) > MOST_ITEMS:
            return f"<{len(value)} items>"
        match value:
            case FunctionType():
                return self._function(value)
            case MethodType():
                return f"{self.of(value.__func__)} of {self.of(value.__self__)}"
            case functools.partial():
                parts = (value.func, value.args, value.keywords)
                return f"partial {' '.join(map(self.of, parts))}"
            case property():
                return f"property {self.of((value.fget, value.fset))}"
            case type():
                return self._class(value)
            case ModuleType():
                return f"module {value.__name__}"
            case dict():
                items = [f"{self.of(key)}: {self.of(value[key])}" for key in value]
                return f"{{{', '.join(items)}}}"
            case list():
                return f"[{', '.join(map(self.of, value))}]"
            case _:
                return self._object(value)

    def _function(self, function: FunctionType) -> str:
        is_named_only = _is_named_only(None, function.__code__.co_filename)
        if is_named_only and hasattr(function, "__wrapped__"):
            return self.of(function.__wrapped__)
        texts = [
            # Not its module: a script's is called `__main__` and may be imported, too.
            name_of_named(function) if is_named_only else function.__qualname__,
            self.of(function.__defaults__),
            self.of(function.__kwdefaults__),
            *self._closure(function),
        ]
        if not is_named_only:
            names = sorted(_global_names(function.__code__))
            texts.append(self._code(function.__code__, function.__doc__))
            texts += self._globals(function, names)
        return "\n".join(texts)

    def _code(self, code: CodeType, docstring: str | None = None) -> str:
        constants = list(code.co_consts)
        if docstring is not None and constants[:1] == [docstring]:
            constants[0] = None
        told = [
            self._code(each) if isinstance(each, CodeType) else self.of(each)
            for each in constants
        ]
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        counts = (code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount)
        return f"{code.co_code.hex()} {names} {counts} {code.co_flags} {told}"

    def _closure(self, function: FunctionType) -> Iterator[str]:
        memory = changed_by(function.__code__)
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            if name not in memory:
                yield self._cell(cell)

    def _cell(self, cell: Any) -> str:
        try:
            return self.of(cell.cell_contents)
        except ValueError:
            # It is empty: a function that refers to itself before it has a name.
            return "<empty>"

    def _globals(self, function: FunctionType, names: list[str]) -> Iterator[str]:
        memory = changed_by(function.__code__)
        for name in names:
            value = function.__globals__.get(name)
            if isinstance(value, ModuleType):
                yield from self._used_of(value, function.__code__)
            elif name not in memory:
                yield f"{name} = {self.of(value)}"

    def _used_of(self, module: ModuleType, code: CodeType) -> Iterator[str]:
        """Yield what a function may use of a module of the user's."""
        if _is_named_only(module.__name__, getattr(module, "__file__", None)):
            return
        for name in sorted(_all_names(code)):
            value = vars(module).get(name)
            if isinstance(value, (FunctionType, type, *_CONSTANTS)):
                yield f"{module.__name__}.{name} = {self.of(value)}"

    def _class(self, kind: type) -> str:
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        if _is_named_only(kind.__module__, file):
            return name_of_type(kind)
        members = [
            f"{name} = {self._member(member)}"
            for name, member in sorted(vars(kind).items())
            if not _is_made_by_python(name)
        ]
        bases = ", ".join(map(self.of, kind.__bases__))
        return f"class {kind.__qualname__}({bases})\n" + "\n".join(members)

    def _member(self, member: Any) -> str:
        if isinstance(member, _WRAPPED):
            inside = getattr(member, "__func__", None) or getattr(member, "func", None)
            return f"{type(member).__name__} {self.of(inside)}"
        if isinstance(member, _MEMBERS):
            return self.of(member)
        return f"<a {name_of_type(type(member))}>"

    def _object(self, value: Any) -> str:
        kind = type(value)
        if kind.__module__ == "builtins" and hasattr(value, "__qualname__"):
            return f"builtin {value.__qualname__}"
        if (wrapped := getattr(value, "__wrapped__", None)) is not None:
            return f"{name_of_type(kind)} of {self.of(wrapped)}"
        if is_memory(value):
            return f"<a {name_of_type(kind)}>"
        if isinstance(value, _CONTAINERS) or _class_is_named_only(kind):
            return encode(value)
        fields = attributes_of(value)
        names = sorted(set(fields) - changed_by_methods(kind))
        told = [f"{name} = {self.of(fields[name])}" for name in names]
        return f"a {self.of(kind)}\n" + "\n".join(told)


def _class_is_named_only(kind: type) -> bool:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return _is_named_only(kind.__module__, file)


def _is_named_only(module: str | None, file: str | None) -> bool:
    if (module or "").partition(".")[0] in _NAMED_ONLY:
        return True
    return file is not None and file.startswith(_installed())


@functools.lru_cache(maxsize=1)
def _installed() -> tuple[str, ...]:
    names = ("purelib", "platlib", "stdlib")
    paths = {sysconfig.get_path(name) for name in names}
    ours = Path(__file__).parents[2], Path(supervisors.__file__).parent
    return tuple(path for path in {*paths, *map(str, ours)} if path)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def _global_names(code: CodeType) -> set[str]:
    return {
        instruction.argval
        for each in _codes(code)
        for instruction in dis.get_instructions(each)
        if instruction.opname in _LOADS
    }


def _all_names(code: CodeType) -> set[str]:
    return {name for each in _codes(code) for name in each.co_names}


def _is_made_by_python(name: str) -> bool:
    """Whether a member of a class is there whatever its author wrote."""
    is_dunder = name.startswith("__") and name.endswith("__")
    return name.startswith("_abc") or (is_dunder and name not in _OWN_DUNDERS)


_OWN_DUNDERS: Final = frozenset(
    {"__call__", "__init__", "__new__", "__getattr__", "__getitem__", "__eq__"}
)
