"""Names of classes and functions in files, and which of them may be looked up.

A file can name anything, and importing a module runs it. So a name is looked up only
when its reader allowed it, or when it is one of dspex's own parts of programs.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from dspex.core.adapters import Adapter
from dspex.core.errors import ConfigurationError, DataError
from dspex.core.example import Example
from dspex.core.types.base import Type
from dspex.core.types.history import History
from dspex.programs.walk import Parameter, Walkable

Allowed: TypeAlias = str | type | Callable[..., Any]
"""A module's name, which stands for all inside it, or a class or function itself."""

OWN_KINDS: Final = (Walkable, Parameter, Adapter, Type, History, Example)
"""What of dspex itself a file may name without being asked for it."""

OWN_MODULES: Final = ("dspex.core.", "dspex.programs.", "dspex.teleprompt.")
"""Where they are; no other module of dspex is imported by what a file says."""

OWN_FUNCTIONS: Final = frozenset({"dspex.programs.react:_finish"})
"""Functions of dspex that its programs hold, and that do nothing to anybody."""

_MODULE: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


class UntrustedCodeError(DataError):
    """A file names classes or functions that its reader did not allow.

    Attributes:
        names: What it names, each as `module:name`.
    """

    def __init__(self, message: str, *, names: tuple[str, ...]) -> None:
        super().__init__(message)
        self.names = names


def name_of(found: Any) -> str:
    """Return the name of a class or function as files have it: `module:name`."""
    return f"{found.__module__}:{found.__qualname__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a reader allows a file to name."""

    modules: frozenset[str] = frozenset()
    """Modules; each stands for the modules below it too."""
    objects: Mapping[str, Any] = field(default_factory=dict)
    """Classes and functions by their names, for those that no import would find."""

    @classmethod
    def of(cls, allow: Iterable[Allowed]) -> Trust:
        """Make it of what a person wrote.

        Raises:
            ConfigurationError: When something is neither a module's name, a class nor
                a function.
        """
        if isinstance(allow, str):
            raise ConfigurationError(
                f"allow is the text {allow!r}; a list was expected. Write "
                f"allow=[{allow!r}]."
            )
        modules, objects = set(), {}
        for each in allow:
            if isinstance(each, str) and _MODULE.fullmatch(each):
                modules.add(each)
            elif inspect.isclass(each) or inspect.isfunction(each):
                objects[name_of(each)] = each
            else:
                raise ConfigurationError(
                    f"allow holds {each!r}; the name of a module, a class or a "
                    'function was expected. Write allow=["my_app", MyProgram].'
                )
        return cls(modules=frozenset(modules), objects=objects)

    def check(self, names: Iterable[str]) -> None:
        """Refuse names that are not allowed, all at once and before any import.

        Raises:
            UntrustedCodeError: It names them, and says what to write.
        """
        refused = tuple(sorted({name for name in names if not self.allows(name)}))
        if not refused:
            return
        modules = sorted({name.partition(":")[0] for name in refused})
        raise UntrustedCodeError(
            f"the file names {_listed(refused)}; nothing is imported by what a file "
            "says, because importing runs code. If you trust it, write "
            f"load_program(..., allow=[{_listed(modules)}]), or pass the classes "
            "themselves.",
            names=refused,
        )

    def allows(self, name: str) -> bool:
        """Say whether a name may be looked up."""
        module = name.partition(":")[0]
        return (
            name in self.objects
            or any(module == m or module.startswith(f"{m}.") for m in self.modules)
            or is_own(name)
        )

    def find(self, name: str) -> Any:
        """Return what a name stands for; `check` comes first.

        Raises:
            DataError: When there is no such class or function.
        """
        return self.objects[name] if name in self.objects else _imported(name)


@functools.lru_cache(maxsize=256)
def is_own(name: str) -> bool:
    """Say whether a name is that of a part of dspex that programs are made of."""
    if name in OWN_FUNCTIONS:
        return True
    if not name.startswith(OWN_MODULES):
        return False
    try:
        found = _imported(name)
    except DataError:
        return False
    return inspect.isclass(found) and issubclass(found, OWN_KINDS)


def _imported(name: str) -> Any:
    module, _, qualified = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in qualified.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise DataError(
            f"the file names {name!r}, and it cannot be found: {error}; the class or "
            "function was expected where it was when the program was saved. Install "
            "or mend the module, or pass the class itself in allow=[...]."
        ) from error
    # Not by way of another module: `my_app:os.system` is no part of my_app.
    is_named_so = getattr(found, "__module__", None) == module
    is_code = inspect.isclass(found) or inspect.isfunction(found)
    if not (is_code and is_named_so and found.__qualname__ == qualified):
        raise DataError(
            f"the file names {name!r}, which is no class or function of that module; "
            "expected one that is defined there. Save the program again."
        )
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
