"""Write the tables of `docs/reference/supervisors.md` from the code's own docstrings.

`python -m tests.docs.supervisors_page` writes the page; a test holds that it is up to
date, and that each public name is on it.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
from collections.abc import Iterator
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any

import supervisors
from supervisors import testing
from tests.docs.docstrings import (
    arguments,
    cell,
    docs_below,
    fields_table,
    first_paragraph,
    is_method,
    method_summary,
    method_text,
    targets,
)
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/reference/supervisors.md"
BEGIN, END = "<!-- names -->", "<!-- end of names -->"

IDEAS = {
    "Trees": (
        "supervisor",
        "supervisor_actor",
        "dynamic",
        "child_spec",
        "backoff",
        "_effects",
    ),
    "Actors": (
        "actor",
        "_callbacks",
        "_life",
        "stock",
        "estate",
        "surroundings",
    ),
    "Refs and handles": ("ref", "handle", "_future"),
    "Exit reasons": ("exits",),
    "Links and monitors": ("monitor",),
    "Names": ("registry", "_name_news", "_name_table"),
    "Scopes and deadlines": ("scope",),
    "Tasks": (
        "tasks",
        "lane",
        "_task",
        "_task_actor",
        "_task_supervisor",
        "_outcome",
        "stream",
        "_stream_options",
    ),
    "asyncio": ("event_loop", "loop_lane", "_bells"),
    "Processes of the operating system": ("process", "process_spec", "readiness"),
    "Looking inside": (
        "tree",
        "drawing",
        "waits",
        "events",
        "queued_handler",
        "_shown",
        "_zombies",
    ),
    "Time": ("clock",),
    "Errors": ("errors",),
}
"""The headings of the page, and the modules whose public names stand under each."""

TESTING = "The test kit"
"""The heading of what `supervisors.testing` has."""


def written(page: str) -> str:
    """Return the page with its tables as the code has them."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n".join(_sections())
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def names_of_testing() -> list[str]:
    """Return the public names of the test kit."""
    listed = getattr(testing, "__all__", None)
    if listed is not None:
        return sorted(listed)
    return sorted(
        name
        for name, value in vars(testing).items()
        if getattr(value, "__module__", None) == testing.__name__ and name[0] != "_"
    )


def _sections() -> Iterator[str]:
    by_idea: dict[str, list[str]] = {idea: [] for idea in IDEAS}
    for name in supervisors.__all__:
        by_idea[_idea_of(name)].append(name)
    for idea, names in by_idea.items():
        yield from _section(idea, names, supervisors)
    yield from _section(TESTING, names_of_testing(), testing)


def _idea_of(name: str) -> str:
    home = _home_of(name)
    for idea, modules in IDEAS.items():
        if home.removeprefix("supervisors.") in modules:
            return idea
    msg = (
        f"{name!r} comes from {home}, which stands under no heading of the page. "
        "Add the module to IDEAS."
    )
    raise LookupError(msg)


def _home_of(name: str) -> str:
    value = getattr(supervisors, name)
    if isinstance(value, type | FunctionType):
        return value.__module__
    return _constant(name)[0]


def _section(idea: str, names: list[str], module: ModuleType) -> Iterator[str]:
    yield f"## {idea}\n"
    yield "| name | what it is |"
    yield "| --- | --- |"
    for name in names:
        value = getattr(module, name)
        yield f"| `{_call(name, value)}` | {cell(_summary(name, value))} |"
    yield ""
    for name in names:
        value = getattr(module, name)
        if isinstance(value, type):
            yield from fields_table(name, value)
            yield from _methods(name, value)


def _call(name: str, value: Any) -> str:
    """Write what one calls as it is called; all others stand by their name."""
    if isinstance(value, FunctionType):
        return f"{name}({arguments(value)})"
    if _is_made_by_users(value):
        return f"{name}({arguments(value.__init__, bound=True)})"
    return name


def _is_made_by_users(value: Any) -> bool:
    """Whether a class's constructor says what it takes, or takes what it is given."""
    made = vars(value).get("__init__") if isinstance(value, type) else None
    if not isinstance(made, FunctionType) or dataclasses.is_dataclass(value):
        return False
    _, *parameters = inspect.signature(made).parameters.values()
    optional = all(one.default is not one.empty for one in parameters)
    return bool(parameters) and (made.__doc__ is not None or optional)


def _summary(name: str, value: Any) -> str:
    if isinstance(value, type | FunctionType):
        return first_paragraph(value.__doc__)
    return _constant(name)[1]


def _methods(name: str, owner: type[Any]) -> Iterator[str]:
    """Yield the table of what one can do with an object."""
    methods = _methods_of(owner)
    if issubclass(owner, BaseException | Enum) or not methods:
        return
    above = next(filter(_is_public, owner.__mro__[1:]), None)
    more = f", besides what `{above.__name__}` has" if above else ""
    yield f"`{name}` has{more}:\n"
    yield "| method | what it does |"
    yield "| --- | --- |"
    for word, member in methods.items():
        yield f"| `{method_text(word, member)}` | {cell(method_summary(member))} |"
    yield ""


def _methods_of(owner: type[Any]) -> dict[str, Any]:
    """Collect the methods of a class and of its bases that have no public name."""
    methods: dict[str, Any] = {}
    for base in owner.__mro__:
        if not base.__module__.startswith("supervisors."):
            continue
        if base is not owner and _is_public(base):
            break
        for word, member in vars(base).items():
            if word[0] != "_" and is_method(member):
                methods.setdefault(word, member)
    return methods


def _is_public(owner: type[Any]) -> bool:
    return getattr(supervisors, owner.__name__, None) is owner


def _constant(name: str) -> tuple[str, str]:
    """Find where a constant is written down, and what stands below it."""
    for home, module in sorted(sys.modules.items()):
        if not home.startswith("supervisors."):
            continue
        tree = ast.parse(inspect.getsource(module))
        if any(name in targets(statement) for statement in tree.body):
            return home, docs_below(tree).get(name, "")
    msg = f"no module of supervisors assigns {name!r}"
    raise LookupError(msg)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
