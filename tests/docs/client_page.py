"""Write the tables of `docs/reference/client.md` from the code's own docstrings.

`python -m tests.docs.client_page` writes the page; a test holds that it is up to date.
"""

from __future__ import annotations

from collections.abc import Iterator

import dspex
from dspex.cache.statistics import CacheStatistics, StoreStatistics
from dspex.client.budget_amounts import Room, Spending
from dspex.client.call import AttemptRecord, Fate
from dspex.client.gate import GateState, GateView
from dspex.client.limits import AnnouncedView, LimitPolicy, LimitsView
from dspex.client.options import ClientOptions, ClientView, LaneView
from dspex.core.lm import ToolCall
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
    yield "What is told of a call has [a page of its own](events.md).\n"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
