"""Write the tables of `docs/reference/client.md` from the code's own docstrings.

`python -m tests.docs.client_page` writes the page; a test holds that it is up to date.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import dspex
from dspex.cache.statistics import CacheStatistics, StoreStatistics
from dspex.client.budget_amounts import Room, Spending
from dspex.client.call import AttemptRecord, Fate
from dspex.client.gate import GateState, GateView
from dspex.client.limits import AnnouncedView, LimitPolicy, LimitsView
from dspex.client.options import ClientOptions, ClientView, LaneView
from dspex.core.lm import ToolCall
from tests.docs.docstrings import (
    arguments,
    cell,
    described_arguments,
    docs_below,
    fields_table,
    first_paragraph,
    is_method,
    method_summary,
    method_text,
    targets,
    value_text,
)
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/reference/client.md"
BEGIN, END = "<!-- names -->", "<!-- end of names -->"

PUBLIC = {
    "Asking": ("LM", "BaseLM", "Embedder", "Stream", "AsyncStream"),
    "What comes back": ("Reply", "Usage", "Message", "Chunk"),
    "Money": ("Budget", "Price", "LongPrompt", "dry_run", "DryRun"),
    "The runtime": (
        *("Runtime", "Config", "Proxies", "Client", "Cache", "HttpxTransport"),
        "shutdown",
    ),
}
"""The headings of the page, and the names of `dspex` under each."""

GIVEN = (
    AnnouncedView,
    AttemptRecord,
    CacheStatistics,
    ClientOptions,
    ClientView,
    Fate,
    GateState,
    GateView,
    LaneView,
    LimitPolicy,
    LimitsView,
    Room,
    Spending,
    StoreStatistics,
    ToolCall,
)
"""What one is given and seldom makes, so that it has no name in `dspex` itself."""


def written(page: str) -> str:
    """Return the page with its tables as the code has them."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n".join(_sections())
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def _sections() -> Iterator[str]:
    for heading, names in PUBLIC.items():
        yield f"## {heading}\n"
        for name in names:
            yield from _explained(name, getattr(dspex, name), home="dspex")
    yield "## What you are given\n"
    for value in GIVEN:
        yield from _explained(value.__name__, value, home=value.__module__)
    yield "## Events\n"
    yield "`runtime.events.attach(handler, prefix=...)` hears them.\n"
    yield "| event | constant | what happened, and what comes with it |"
    yield "| --- | --- | --- |"
    yield from _events()
    yield ""


def _explained(name: str, value: Any, *, home: str) -> Iterator[str]:
    call = f"{name}({arguments(value)})" if isinstance(value, FunctionType) else name
    yield f"### `{home}.{call}`\n"
    yield f"{first_paragraph(value.__doc__)}\n"
    yield from _arguments_table(value)
    if isinstance(value, type):
        yield from fields_table(name, value)
        yield from _methods_table(value)


def _arguments_table(value: Any) -> Iterator[str]:
    told = described_arguments(value.__doc__)
    if not told:
        return
    parameters = inspect.signature(value).parameters
    yield "| argument | what it means |"
    yield "| --- | --- |"
    for name, text in told.items():
        default = parameters[name].default
        is_set = default is not inspect.Parameter.empty
        shown = f" = `{value_text(default)}`" if is_set else ""
        yield f"| `{name}`{shown} | {cell(text)} |"
    yield ""


def _methods_table(owner: type[Any]) -> Iterator[str]:
    methods: dict[str, Any] = {}
    for base in owner.__mro__:
        if base.__module__.startswith("dspex."):
            for word, member in vars(base).items():
                if (word[0] != "_" or word == "__call__") and is_method(member):
                    methods.setdefault(word, member)
    if not methods:
        return
    yield "| method | what it does |"
    yield "| --- | --- |"
    for word, member in methods.items():
        text = method_text(word, member).replace("__call__", owner.__name__.lower())
        yield f"| `{text}` | {cell(method_summary(member))} |"
    yield ""


def _events() -> Iterator[str]:
    """Yield a row for each constant of dspex that is an event's name."""
    for path in sorted((ROOT / "dspex").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        docs = docs_below(tree)
        home = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for statement in tree.body:
            words = _words(statement)
            if words[:1] != ["dspex"]:
                continue
            [name] = targets(statement)
            if not name.startswith("_"):
                event = f"({', '.join(map(repr, words))})".replace("'", '"')
                told = cell(docs[name].removeprefix("Event name of "))
                yield f"| `{event}` | `{home}.{name}` | {told} |"


def _words(statement: ast.stmt) -> list[object]:
    """Return what stands in the tuple that a statement assigns, if it does."""
    match statement:
        case (
            ast.Assign(value=ast.Tuple(elts=parts))
            | ast.AnnAssign(value=ast.Tuple(elts=parts))
        ):
            return [part.value for part in parts if isinstance(part, ast.Constant)]
        case _:
            return []


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
