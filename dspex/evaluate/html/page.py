"""The page around a report: one file with its own style and script, and shut."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import Any, Final
from xml.etree.ElementTree import Element

from dspex.core.elements import (
    Filled,
    element,
    json_block,
    pieces,
    verbatim,
    written,
)

FACTS: Final = "facts"
"""The id of the block that has the numbers for programs."""


def page(
    title: str, facts: dict[str, Any], content: Iterable[Element | Filled]
) -> Iterator[str]:
    """Yield a page piece by piece, so that it is never in memory as a whole.

    It reaches for nothing outside: its policy lets in no script but the one that it
    names by digest, no picture, no font and no address at all.

    Args:
        title: What it is called.
        facts: Its numbers as JSON values, for programs.
        content: What stands on it.
    """
    style, script = _own("report.css"), _own("report.js")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element(
            "meta", http_equiv="Content-Security-Policy", content=_policy(style, script)
        ),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        verbatim("style", style),
    )
    yield f'<!doctype html>\n<html lang="en">{written(head)}\n<body>\n<main>\n'
    for part in content:
        yield from pieces(part)
    yield "</main>\n"
    yield f"{written(json_block(facts, FACTS))}\n"
    yield f"{written(verbatim('script', script))}\n</body></html>\n"


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _own(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
