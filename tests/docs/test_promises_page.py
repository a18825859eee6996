"""Each test that the page on a call's way names is there."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT

PAGE = ROOT / "docs/explanation/what-happens-to-a-call.md"


def named() -> list[tuple[str, str]]:
    """The tests of the page, each with the file it is said to be in."""
    found: list[tuple[str, str]] = []
    file = ""
    for word in re.findall(r"`(tests/[\w/]+\.py|test_\w+)`", PAGE.read_text("utf-8")):
        if word.endswith(".py"):
            file = word
        else:
            found.append((file, word))
    return found


def test_the_page_names_tests() -> None:
    assert len(named()) > 20


@pytest.mark.parametrize(("file", "name"), named(), ids=lambda word: word)
def test_a_named_test_is_in_its_file(file: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / file).read_text("utf-8")
