"""The import statements of a program that name DSPy, and what becomes of each."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from dspex.migrate.absent import ABSENT
from dspex.migrate.edits import Edit, Places
from dspex.migrate.names import PACKAGES, home_of

Bindings = Mapping[str, str]
"""Local names that mean DSPy or a module in it: `{"d": "dspy", "m": "dspy.utils"}`."""

_FROM: Final = re.compile(r"from[\s\\]+([\w.]+)")

_WIDTH: Final = 88
"""Columns of an import statement that has to be written anew."""


@dataclass(slots=True, kw_only=True)
class ImportChange:
    """What the imports of a text ask for."""

    bound: dict[str, str] = field(default_factory=dict)
    """The local names that mean DSPy or a module in it."""
    edits: list[Edit] = field(default_factory=list)
    """The changes of the statements themselves."""
    names: list[tuple[int, str]] = field(default_factory=list)
    """Each name imported from DSPy, with its line."""
    has_star: bool = False
    """Whether everything is imported from DSPy at once."""
    found: bool = False
    """Whether there is any import from DSPy."""


def is_of_dspy(node: ast.Import | ast.ImportFrom) -> bool:
    """Say whether a statement imports something from DSPy."""
    if isinstance(node, ast.ImportFrom):
        return node.level == 0 and _is_module_of_dspy(node.module or "")
    return any(_is_module_of_dspy(alias.name) for alias in node.names)


def _is_module_of_dspy(name: str) -> bool:
    return name.split(".")[0] == "dspy"


def changes_of(text: str, tree: ast.Module, places: Places) -> ImportChange:
    """Return what becomes of the imports of a text.

    Args:
        text: The text.
        tree: Its syntax tree.
        places: Where the nodes stand in the text.
    """
    change = ImportChange()
    bases = {
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    for body in _bodies(tree):
        has_dspex = False
        for node in body:
            match node:
                case ast.Import():
                    again = _repeated(node, text, places) if has_dspex else None
                    change.edits += [again] if again else _plain(node, places)
                    has_dspex = has_dspex or _gives_dspex(node)
                    _bind(node, change)
                case ast.ImportFrom() if is_of_dspy(node):
                    _from(node, text, places, change, bases)
    return change


def _bodies(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for _, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                yield value


def _gives_dspex(node: ast.Import) -> bool:
    """Say whether the name `dspex` is bound once the statement is changed."""
    return any(
        alias.asname is None and alias.name.split(".")[0] in ("dspy", "dspex")
        for alias in node.names
    )


def _bind(node: ast.Import, change: ImportChange) -> None:
    for alias in node.names:
        if _is_module_of_dspy(alias.name):
            change.found = True
            change.bound[alias.asname or "dspy"] = (
                alias.name if alias.asname else "dspy"
            )


def _plain(node: ast.Import, places: Places) -> list[Edit]:
    """`import dspy.a, os` becomes `import dspex, os`."""
    edits = []
    for alias in node.names:
        if _is_module_of_dspy(alias.name):
            start = places.start(alias)
            edits.append(Edit(start, start + len(alias.name), "dspex"))
    return edits


def _repeated(node: ast.Import, text: str, places: Places) -> Edit | None:
    """Take out a whole line that would import dspex once more."""
    only = node.names[0]
    if len(node.names) > 1 or only.asname or not _is_module_of_dspy(only.name):
        return None
    start, end = places.start(node), places.end(node)
    line = re.search(r"(?:^|(?<=[\r\n]))[ \t]*\Z", text[:start])
    rest = re.match(r"[ \t]*(\r\n|\r|\n|\Z)", text[end:])
    if line is None or rest is None:
        return None
    return Edit(line.start(), end + rest.end(), "")


def _from(
    node: ast.ImportFrom,
    text: str,
    places: Places,
    change: ImportChange,
    bases: set[str],
) -> None:
    """`from dspy.a import X` becomes an import from where dspex has X."""
    change.found = True
    change.has_star = change.has_star or node.names[0].name == "*"
    groups: dict[str, list[str]] = {}
    for alias in node.names:
        local = alias.asname or alias.name
        if _is_module(node, alias, bases):
            change.bound[local] = f"{node.module}.{alias.name}"
            groups.setdefault("", []).append(f"import dspex as {local}")
            continue
        if alias.name != "*":
            change.names.append((alias.lineno, alias.name))
        written = alias.name + (f" as {alias.asname}" if alias.asname else "")
        groups.setdefault(home_of(alias.name) or "dspex", []).append(written)
    start = places.start(node)
    module = _FROM.match(text, start)
    if len(groups) == 1 and "" not in groups and module and module[1] == node.module:
        change.edits.append(Edit(module.start(1), module.end(1), next(iter(groups))))
        return
    line = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    written = _written(groups, before=text[line:start])
    if "\r\n" in text:
        written = written.replace("\n", "\r\n")
    change.edits.append(Edit(start, places.end(node), written))


def _is_module(node: ast.ImportFrom, alias: ast.alias, bases: set[str]) -> bool:
    """Say whether what is imported is a module and no object in one."""
    if home_of(alias.name) or alias.name in ABSENT or alias.name == "*":
        return False
    if node.module == "dspy":
        return alias.name in PACKAGES
    return alias.name.islower() and (alias.asname or alias.name) in bases


def _written(groups: Mapping[str, list[str]], *, before: str) -> str:
    """Write the statements that take the place of one.

    Args:
        groups: The names by home; under "" there are whole statements.
        before: What stands on the line before the old statement.
    """
    if before.strip():
        return "; ".join(_statements(groups, indent=None))
    return f"\n{before}".join(_statements(groups, indent=before))


def _statements(
    groups: Mapping[str, list[str]], *, indent: str | None
) -> Iterator[str]:
    for home, names in groups.items():
        if not home:
            yield from names
            continue
        line = f"from {home} import {', '.join(names)}"
        if indent is not None and len(indent) + len(line) > _WIDTH:
            inside = "".join(f"{indent}    {name},\n" for name in names)
            line = f"from {home} import (\n{inside}{indent})"
        yield line
