"""Each test that a page of promises names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, name_of

PAGES = [
    ROOT / "docs/explanation/what-happens-to-a-call.md",
    ROOT / "docs/explanation/exactly-once.md",
]


def named(text: str) -> list[tuple[str, str]]:
    """The tests of a page, each with the file it is said to be in."""
    found: list[tuple[str, str]] = []
    file = ""
    for word in re.findall(r"`(tests/[\w/]+\.py|test_\w+)`", text):
        if word.endswith(".py"):
            file = word
        else:
            found.append((file, word))
    return found


ALL_NAMED = sorted(
    {pair for page in PAGES for pair in named(page.read_text(encoding="utf-8"))}
)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_page_names_tests(page: Path) -> None:
    assert len(named(page.read_text(encoding="utf-8"))) > 20


@pytest.mark.parametrize(("file", "name"), ALL_NAMED, ids=lambda word: word)
def test_a_named_test_is_in_its_file(file: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / file).read_text("utf-8")


def test_every_row_of_promises_names_a_test() -> None:
    text = PAGES[1].read_text(encoding="utf-8")
    table = text.partition("| promise | held by |\n| --- | --- |\n")[2]
    rows = [line for line in table.splitlines() if line.startswith("|")]

    assert len(rows) > 15
    assert [line for line in rows if not named(line)] == []
