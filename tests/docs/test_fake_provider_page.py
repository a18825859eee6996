"""The page on the fake provider names all there is to test with."""

from __future__ import annotations

import re

import dspex.testing
from dspex.testing import Billed, FakeProvider
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs/how-to/test-with-the-fake-provider.md"


def named() -> set[str]:
    """Return every word that stands in code on the page."""
    text = PAGE.read_text(encoding="utf-8")
    inline = re.findall(r"`([^`\n]+)`", text)
    written = [block.text for block in blocks(PAGE)]
    return set(re.findall(r"\w+", " ".join(inline + written)))


def test_the_page_names_every_public_name() -> None:
    assert set(dspex.testing.__all__) - named() == set()


def test_the_page_names_every_method_of_the_provider() -> None:
    public = {name for name in vars(FakeProvider) if not name.startswith("_")}

    assert public - named() == {"in_flight", "in_flight_max"}


def test_the_page_names_what_became_of_a_request() -> None:
    asked = {"number", "request_id", "idempotency_key", "path", "headers", "body"}

    assert set(Billed.__slots__) - asked - named() == {"streamed"}
