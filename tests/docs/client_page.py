"""Write the tables of `docs/reference/client.md` from the code's own docstrings.

`python -m tests.docs.client_page` writes the page; a test holds that it is up to date.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import dspex
from dspex.cache.statistics import CacheStatistics, StoreStatistics
from dspex.client.budget_amounts import Room, Spending
from dspex.client.call import AttemptRecord, Fate
from dspex.client.gate import GateState, GateView
from dspex.client.limits import AnnouncedView, LimitPolicy, LimitsView
from dspex.client.options import ClientOptions, ClientView, LaneView
from dspex.core.lm import ToolCall
from tests.docs.docstrings import cell, docs_below, targets
from tests.docs.explained import explained
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
            yield from explained(name, getattr(dspex, name), home="dspex")
    yield "## What you are given\n"
    for value in GIVEN:
        yield from explained(value.__name__, value, home=value.__module__)
    yield "## Events\n"
    yield "`runtime.events.attach(handler, prefix=...)` hears them.\n"
    yield "| event | constant | what happened, and what comes with it |"
    yield "| --- | --- | --- |"
    yield from _events()
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
