"""The page on providers has the table of the code."""

from __future__ import annotations

import re

from dspex.client.providers.model_strings import (
    KNOWN_PROVIDERS,
    KnownProvider,
    is_known_prefix,
)
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/how-to/choose-a-provider.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| `(\w+)/` \| `(\w+)`(, if it wants one)? \| (.*) \|$", re.MULTILINE
)


def row_of(prefix: str, known: KnownProvider) -> tuple[str, ...]:
    """What the page has to say of a provider."""
    wants_key = "" if known.needs_key else ", if it wants one"
    own = f"your own, in `{known.base_variable}`"
    address = own if known.base_url is None else f"`{known.base_url}`"
    return prefix, known.key_variable, wants_key, address


def test_each_provider_stands_in_the_table_as_it_is() -> None:
    assert ROW.findall(PAGE) == [
        row_of(prefix, known) for prefix, known in KNOWN_PROVIDERS.items()
    ]


def test_each_prefix_on_the_page_is_known_or_called_absent() -> None:
    unknown = {
        prefix
        for prefix in re.findall(r"`(\w+)/`", PAGE)
        if not is_known_prefix(prefix)
    }

    assert unknown == {"bedrock", "vertex_ai"}
