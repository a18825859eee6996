"""What makes a site of the documentation: the hook that `mkdocs.yml` names.

- The navigation is read from `docs/index.md`: its headings and its lists, in their
  order. A page that is linked there is on the site, and nothing has to be said twice.
- Pages that stand beside the code (the README, the examples) and the files that they
  link to are put below `project/`, and every link leads to where its target now is. So
  the site is whole without a network and without the project's sources.

MkDocs loads this file by its path, so it imports nothing of this project.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
OUTSIDE = "project/"
"""Where on the site the files are that do not stand in `docs/`."""
ENTRANCE = "index.md"

_FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_ENTRY = re.compile(r"- \[([^\]]+)\]\(([^)\s#]+)\)")
_ELSEWHERE = re.compile(r"\w+:")
"""How the address of another host begins, or one for mail."""


def place(origin: str) -> str:
    """Return where on the site a file of the project is.

    Args:
        origin: Its path from the project's root.

    Example:
        >>> place("docs/how-to/caching.md"), place("examples/ci_gate.py")
        ('how-to/caching.md', 'project/examples/ci_gate.py')
    """
    inside = origin.removeprefix("docs/")
    return inside if inside != origin else OUTSIDE + origin


def origin(place: str) -> str:
    """Return which file of the project a page of the site is; undoes `place`.

    Example:
        >>> origin("how-to/caching.md"), origin("project/examples/ci_gate.py")
        ('docs/how-to/caching.md', 'examples/ci_gate.py')
    """
    outside = place.removeprefix(OUTSIDE)
    return outside if outside != place else f"docs/{place}"


def links(text: str, page: str) -> Iterator[str]:
    """Yield what a page's links lead to in this project, as paths from its root.

    Args:
        text: The page.
        page: Its own path from the project's root.
    """
    for found in _LINK.finditer(_FENCED.sub("", text)):
        if not _ELSEWHERE.match(found[2]):
            yield _target(page, found[2])


def moved(text: str, page: str) -> str:
    """Return a page whose links lead to where their targets are on the site."""
    here = posixpath.dirname(place(page))

    def at_its_place(found: re.Match[str]) -> str:
        if _ELSEWHERE.match(found[2]):
            return found[0]
        there = posixpath.relpath(place(_target(page, found[2])), here or ".")
        return f"{found[1]}{there}{found[3]}"

    # What stands between fences is code, whatever it looks like.
    parts = _FENCED.split(text)
    parts[::2] = [_LINK.sub(at_its_place, part) for part in parts[::2]]
    return "".join(parts)


def _target(page: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), link))


def outside_files(root: Path = ROOT) -> list[str]:
    """Return the files that do not stand in `docs/` and that a page links to.

    The links of such a page are followed too.
    """
    waiting = [
        path.relative_to(root).as_posix() for path in (root / "docs").rglob("*.md")
    ]
    seen = set(waiting)
    while waiting:
        page = waiting.pop()
        if page.endswith(".md"):
            text = (root / page).read_text(encoding="utf-8")
            new = {path for path in links(text, page) if (root / path).is_file()} - seen
            seen |= new
            waiting += new
    return sorted(path for path in seen if not path.startswith("docs/"))


def navigation(index: str) -> list[Any]:
    """Read the navigation from the entrance: a section for each of its headings.

    A paragraph that ends with a colon begins a section of its own, below its heading.
    """
    nav: list[Any] = [{"Home": ENTRANCE}]
    section: list[Any] = []
    for line in index.splitlines():
        if line.startswith("## "):
            section = []
            nav.append({line.removeprefix("## "): section})
        elif line.endswith(":") and nav[1:]:
            below: list[Any] = []
            [heading] = nav[-1]
            nav[-1][heading].append({line.removesuffix(":"): below})
            section = below
        elif found := _ENTRY.match(line):
            title, link = found.groups()
            section.append({title: place(_target(f"docs/{ENTRANCE}", link))})
    return nav


# What MkDocs calls.


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give the site its navigation."""
    entrance = Path(config.docs_dir) / ENTRANCE
    config.nav = navigation(entrance.read_text(encoding="utf-8"))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put the files from outside `docs/` on the site; few are in the navigation."""
    for path in outside_files():
        file = File.generated(
            config,
            place(path),
            abs_src_path=str(ROOT / path),
            inclusion=InclusionLevel.NOT_IN_NAV,
        )
        files.append(file)
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead the links of a page to where their targets are."""
    return moved(markdown, origin(page.file.src_uri))
