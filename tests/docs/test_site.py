"""The documentation is a site: whole, found by its navigation, without a network."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.docs import site
from tests.docs.pages import ROOT, name_of, pages

LOADING = {
    "src",
    "srcset",
    "data",
    "poster",
    "xlink:href",
}
"""Attributes whose address a browser loads by itself."""
LOADING_LINKS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch"}
"""Kinds of `<link>` whose address it loads, or connects to."""

_REMOTE = re.compile(r"\s*(https?:)?//")
_REMOTE_STYLE = re.compile(r"(?:url\(|@import)\s*['\"]?\s*((?:https?:)?//[^'\")\s]+)")


class Addresses(HTMLParser):
    """Collects what a page loads by itself, and what it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.loaded += [found[name] for name in LOADING & found.keys()]
        kinds = set(found.get("rel", "").split())
        if tag == "link" and kinds & LOADING_LINKS:
            self.loaded.append(found.get("href", ""))
        if tag in {"use", "image"}:
            self.loaded.append(found.get("href", ""))
        if tag == "a":
            self.linked.append(found.get("href", ""))


@functools.cache
def addresses(html: str) -> Addresses:
    """Read a page; two tests read each."""
    reader = Addresses()
    reader.feed(html)
    return reader


def remote_loads(text: str) -> list[str]:
    """Return what a page, a picture or a style sheet would load from other hosts."""
    markup = [word for word in addresses(text).loaded if _REMOTE.match(word)]
    return markup + _REMOTE_STYLE.findall(text)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `mkdocs build --strict` builds it."""
    folder = tmp_path_factory.mktemp("site")
    # A process: MkDocs and its theme warn of their own future, which is not ours.
    done = subprocess.run(
        [*(sys.executable, "-m", "mkdocs", "build", "--strict"), "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return folder


def html_of(page: Path, folder: Path) -> Path:
    """Where a page of the project is on the site."""
    place = (folder / site.place(name_of(page))).with_suffix(".html")
    return place.with_stem("index") if place.stem == "README" else place


def files(folder: Path, ending: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each such file of the site."""
    for path in sorted(folder.rglob(f"*{ending}")):
        yield path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")


def test_every_page_is_on_the_site(built: Path) -> None:
    assert [
        name_of(page) for page in pages() if not html_of(page, built).exists()
    ] == []


@pytest.mark.parametrize("ending", [".html", ".css", ".svg"])
def test_the_site_loads_nothing_from_another_host(built: Path, ending: str) -> None:
    loads = {name: remote_loads(text) for name, text in files(built, ending)}

    assert loads
    assert {name: found for name, found in loads.items() if found} == {}


def test_no_page_has_a_diagram_whose_drawing_code_would_be_loaded(built: Path) -> None:
    # The theme fetches mermaid when a page has such a block.
    assert [n for n, text in files(built, ".html") if 'class="mermaid"' in text] == []


def test_links_between_pages_lead_to_files_of_the_site(built: Path) -> None:
    broken = [
        f"{name}: {link}"
        for name, text in files(built, ".html")
        for link in addresses(text).linked
        if (path := unquote(link.partition("#")[0]))
        and not re.match(r"\w+:", path)
        and name != "404.html"  # its links begin at the root of a server
        and not (built / name).parent.joinpath(path).exists()
    ]

    assert broken == []


def test_the_search_index_holds_every_page(built: Path) -> None:
    index = json.loads((built / "search/search_index.json").read_text("utf-8"))
    found = {entry["location"].partition("#")[0] for entry in index["docs"]}

    wanted = {html_of(page, built).relative_to(built).as_posix() for page in pages()}
    assert wanted - found == set()


def leaves(nav: list[Any]) -> Iterator[str]:
    """Yield the pages of a navigation."""
    for entry in nav:
        for value in entry.values():
            if isinstance(value, str):
                yield value
            else:
                yield from leaves(value)


def test_the_navigation_holds_every_page_once() -> None:
    nav = site.navigation((ROOT / "docs/index.md").read_text(encoding="utf-8"))
    held = [site.origin(place) for place in leaves(nav)]

    missing = {name_of(page) for page in pages()} - set(held)
    assert missing == set(), (
        "docs/index.md is the navigation of the site; add a line such as "
        "'- [Title](how-to/page.md): what it is about.' under its heading"
    )
    assert len(held) == len(set(held)), "a page is listed twice in docs/index.md"


def test_the_navigation_has_the_four_kinds_of_pages_and_the_decisions() -> None:
    nav = site.navigation((ROOT / "docs/index.md").read_text(encoding="utf-8"))
    kinds = {
        heading: {place.partition("/")[0] for place in leaves([entry])}
        for entry in nav
        for heading in entry
    }

    assert kinds["Learn"] == {"tutorial"}
    assert kinds["Do one thing"] == {"how-to"}
    assert kinds["Look up"] == {"reference"}
    assert kinds["Understand"] == {"explanation"}


def test_links_are_led_to_where_their_targets_are_on_the_site() -> None:
    text = (
        "[a](caching.md#x) [b](../../examples/ci_gate.py) [c](https://x.org/y)\n"
        "```text\n[d](../../README.md)\n```\n"
    )

    assert site.moved(text, "docs/how-to/page.md") == (
        "[a](caching.md#x) [b](../project/examples/ci_gate.py) [c](https://x.org/y)\n"
        "```text\n[d](../../README.md)\n```\n"
    )
    assert site.moved("[a](docs/index.md)", "README.md") == "[a](../index.md)"


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example.org/a.js"></script>',
        '<img alt="" src="//cdn.example.org/a.png">',
        '<link rel="preconnect" href="https://fonts.example.org">',
        "<style>@font-face { src: url('https://cdn.example.org/a.woff') }</style>",
        '@import "https://cdn.example.org/a.css";',
        '<svg><image href="http://cdn.example.org/a.png"/></svg>',
    ],
)
def test_what_loads_from_another_host_is_found(text: str) -> None:
    assert len(remote_loads(text)) == 1


def test_a_link_that_somebody_may_follow_is_no_load() -> None:
    assert remote_loads('<a href="https://example.org">there</a>') == []
