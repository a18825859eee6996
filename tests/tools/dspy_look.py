"""Looks at a real DSPy and prints its public names as JSON.

Runs by its path in DSPy's own environment, so it imports nothing of this project. Use
it through `tests.tools.dspy_names`.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

HOMES = (
    "dspy",
    "dspy.adapters",
    "dspy.clients",
    "dspy.evaluate",
    "dspy.evaluate.metrics",
    "dspy.predict",
    "dspy.primitives",
    "dspy.signatures",
    "dspy.streaming",
    "dspy.teleprompt",
    "dspy.utils",
    "dspy.utils.callback",
    "dspy.utils.exceptions",
    "dspy.utils.saving",
    "dspy.utils.usage_tracker",
)
"""The modules that DSPy's users import names from."""

_STARS = {"VAR_KEYWORD": "**", "VAR_POSITIONAL": "*"}


def _is_dspy(value: Any) -> bool:
    home = getattr(value, "__module__", None) or type(value).__module__
    return isinstance(home, str) and home.split(".")[0] in ("dspy", "_contextvars")


def _public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    names = getattr(module, "__all__", None) or vars(module)
    for name in sorted(names):
        value = getattr(module, name, None)
        if name.startswith("_") or inspect.ismodule(value) or not _is_dspy(value):
            continue
        yield name, value


def _parameters(value: Any) -> list[str]:
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        _STARS.get(one.kind.name, "") + one.name
        for one in found
        if one.name not in ("self", "cls")
    ]


def _members(cls: type, listed: set[str]) -> dict[str, list[str] | None]:
    """Return methods with their parameters, and properties with `None`.

    What comes unchanged from a base that is listed itself is left to that base.
    """
    found: dict[str, list[str] | None] = {}
    mine = (cls, type(cls))
    for base in (*inspect.getmro(type(cls))[::-1], *inspect.getmro(cls)[::-1]):
        if base.__module__.split(".")[0] != "dspy":
            continue
        for name, raw in vars(base).items():
            if name.startswith("_") and name != "__call__":
                continue
            if base not in mine and base.__name__ in listed:
                found.pop(name, None)
            elif isinstance(raw, property):
                found[name] = None
            elif callable(raw) or isinstance(raw, classmethod | staticmethod):
                found[name] = _parameters(getattr(cls, name))
    return dict(sorted(found.items()))


def _entry(value: Any, listed: set[str]) -> dict[str, Any]:
    if inspect.isclass(value):
        made: dict[str, Any] = {"kind": "class", "parameters": _parameters(value)}
        if not issubclass(value, BaseException):
            made["members"] = _members(value, listed)
        return made
    if callable(value):
        return {"kind": "function", "parameters": _parameters(value)}
    return {"kind": "value"}


def _modules(package: ModuleType) -> list[str]:
    found = pkgutil.walk_packages(package.__path__, "dspy.", onerror=lambda _: None)
    names = ["dspy", *(one.name for one in found)]
    return sorted(n for n in names if "._" not in n and ".lm15" not in n)


def look() -> dict[str, Any]:
    """Return the version, the modules, the settings and the names."""
    package = importlib.import_module("dspy")
    settings = importlib.import_module("dspy.dsp.utils.settings")
    public = {home: dict(_public(importlib.import_module(home))) for home in HOMES}
    listed = {
        n for found in public.values() for n, v in found.items() if inspect.isclass(v)
    }
    names: dict[str, dict[str, Any]] = {}
    for home, found in public.items():
        for name, value in found.items():
            entry = names.setdefault(name, {"homes": [], **_entry(value, listed)})
            entry["homes"].append(home)
    return {
        "version": package.__version__,
        "modules": _modules(package),
        "settings": sorted(settings.DEFAULT_CONFIG),
        "names": dict(sorted(names.items())),
    }


if __name__ == "__main__":
    json.dump(look(), sys.stdout)
