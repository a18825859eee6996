"""Puts `dspex` for `dspy` in the text of a program, and says what stays open.

The text is parsed and never executed. Only what the syntax tree says is DSPy's is
changed: imports, names used through them, annotations and signatures in quotes.
Comments, docstrings and formatting stay as they are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dspex.migrate.absent import ABSENT, explained
from dspex.migrate.edits import Edit, Places, applied
from dspex.migrate.imports import Bindings, ImportChange, changes_of, is_of_dspy
from dspex.migrate.names import home_of, split_chain

_MODULE_NAME: Final = re.compile(r"dspy(\.\w+)*")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Note:
    """One place that a person has to look at."""

    line: int
    """The line, from 1."""
    name: str
    """The name that is absent, or the text in question."""
    text: str
    """What is the matter, and what to write instead."""
    cell: int = 0
    """The cell of a notebook, from 1; 0 in a file of Python."""

    @property
    def place(self) -> str:
        """The line, after the cell where there is one: `12` or `cell 3:12`."""
        return f"cell {self.cell}:{self.line}" if self.cell else str(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """A text after the change."""

    text: str
    """The new text; the old one when there was nothing to change."""
    notes: tuple[Note, ...] = ()
    """What stays open, by line."""


def migrate_source(text: str, bound: Bindings | None = None) -> Migrated:
    r"""Return a program's text with DSPy's names replaced by dspex's.

    A text that does not import DSPy stays as it is.

    Args:
        text: The text of a module, or of one cell of a notebook.
        bound: What earlier cells have imported.

    Raises:
        SyntaxError: When the text is no Python.

    Example:
        >>> print(migrate_source("import dspy\nqa = dspy.Predict('q -> a')").text)
        import dspex
        qa = dspex.Predict('q -> a')
    """
    tree = parsed(text)
    change = _Change(text, tree, bound or {})
    return change.made()


def parsed(text: str) -> ast.Module:
    """Return the syntax tree.

    Raises:
        SyntaxError: When the text is no Python.
    """
    try:
        return ast.parse(text)
    except ValueError as error:  # a null character, or half of one
        raise SyntaxError(str(error)) from error


class _Change:
    """The change of one text: collects edits and notes in one walk over its tree."""

    def __init__(self, text: str, tree: ast.Module, bound: Mapping[str, str]) -> None:
        self._text = text
        self._tree = tree
        self._places = Places(text)
        self._imports = changes_of(text, tree, self._places)
        self._bound = {**bound, **self._imports.bound}
        self._edits: list[Edit] = list(self._imports.edits)
        self._notes: list[Note] = []

    def made(self) -> Migrated:
        if not self._bound and not self._imports.found:
            return Migrated(text=self._text)
        self._note_imports(self._imports)
        self._visit(self._tree, in_annotation=False)
        return Migrated(
            text=applied(self._text, self._edits),
            notes=tuple(sorted(set(self._notes))),
        )

    def _note_imports(self, imports: ImportChange) -> None:
        for line, name in imports.names:
            if home_of(name) is None:
                self._note_absent(line, name)
        if not imports.has_star:
            return
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Name) and node.id in ABSENT:
                self._note_absent(node.lineno, node.id)

    def _visit(self, node: ast.AST, *, in_annotation: bool) -> None:
        use = self._use_of(node)
        if use is not None:
            self._use(*use)
            return
        match node:
            case ast.Import() | ast.ImportFrom() if is_of_dspy(node):
                return
            case ast.Expr(value=ast.Constant()):  # a docstring
                return
            case ast.JoinedStr():
                # Before Python 3.12 the places of what is inside are wrong.
                self._change_text(node)
                return
            case ast.Constant(value=str(value)) if in_annotation or "->" in value:
                self._change_text(node)
            case ast.Call():
                self._note_texts(node)
        for field, child in _children(node):
            inside = in_annotation or field in ("annotation", "returns")
            self._visit(child, in_annotation=inside)

    def _use_of(self, node: ast.AST) -> tuple[ast.Name, list[ast.Attribute]] | None:
        """Return a name that means DSPy, with the attributes that follow it."""
        links: list[ast.Attribute] = []
        while isinstance(node, ast.Attribute):
            links.append(node)
            node = node.value
        if isinstance(node, ast.Name) and node.id in self._bound:
            return node, links[::-1]
        return None

    def _use(self, base: ast.Name, attributes: list[ast.Attribute]) -> None:
        """Change one use of a module of DSPy: `dspy.utils.DummyLM`, or `dspy` alone."""
        path = tuple(part for part in self._bound[base.id].split(".")[1:] if part)
        chain = (*path, *(each.attr for each in attributes))
        modules, name = split_chain(chain)
        if name is None:
            self._note_module(base.lineno, ".".join(("dspy", *modules)))
            last: ast.expr = attributes[-1] if attributes else base
        else:
            consumed = max(len(modules) - len(path), 0)
            last = attributes[consumed - 1] if consumed else base
            if home_of(name) is None:
                named = attributes[consumed]
                self._note_absent(named.end_lineno or named.lineno, name)
        new = _in_dspex(base.id, name)
        start, end = self._places.start(base), self._places.end(last)
        if self._text[start:end] != new:
            self._edits.append(Edit(start, end, new))

    def _change_text(self, node: ast.expr) -> None:
        """Change names of DSPy in a quoted annotation, a signature or an f-string."""
        start, end = self._places.start(node), self._places.end(node)
        for found in _chains_in(self._text[start:end], {"dspy", *self._bound}):
            base, *attributes = found.group().split(".")
            path = self._bound.get(base, "dspy").split(".")[1:]
            modules, name = split_chain((*path, *attributes))
            if name is None or (home_of(name) is None and name not in ABSENT):
                continue
            if home_of(name) is None:
                self._note_absent(node.lineno, name)
            rest = attributes[len(modules) - len(path) :]
            new = ".".join((_in_dspex(base, name), *rest))
            if new != found.group():
                at = start + found.start()
                self._edits.append(Edit(at, at + len(found.group()), new))

    def _note_texts(self, call: ast.Call) -> None:
        """Note texts that name a module: the target of a patch, a logger's name."""
        for argument in (*call.args, *(each.value for each in call.keywords)):
            match argument:
                case ast.Constant(value=str(value)) if _MODULE_NAME.fullmatch(value):
                    self._notes.append(
                        Note(
                            line=argument.lineno,
                            name=value,
                            text=f"the text {value!r} is left as it is. Where it means "
                            "DSPy's package, write dspex's own name there.",
                        )
                    )

    def _note_absent(self, line: int, name: str) -> None:
        text = f"dspex has no {name}: {explained(name)}"
        self._notes.append(Note(line=line, name=name, text=text))

    def _note_module(self, line: int, module: str) -> None:
        self._notes.append(
            Note(
                line=line,
                name=module,
                text=f"{module} is used as a value, and dspex has all public names in "
                "one module. Look whether dspex itself is what is wanted.",
            )
        )


def _in_dspex(base: str, name: str | None) -> str:
    """Return what stands for a module in front of a name."""
    local = "dspex" if base == "dspy" else base
    home = None if name is None else home_of(name)
    return local if home is None else local + home.removeprefix("dspex")


def _children(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield field, child


def _chains_in(text: str, bases: set[str]) -> Iterator[re.Match[str]]:
    names = "|".join(sorted(map(re.escape, bases)))
    return re.finditer(rf"(?<![\w.])(?:{names})(?:\.[A-Za-z_]\w*)+", text)
