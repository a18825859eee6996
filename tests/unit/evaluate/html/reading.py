"""A page as a browser would take it: its elements, its texts, what it reaches for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

VOID = frozenset({"meta", "input", "br", "hr", "link", "img"})


def xml_of(text: str) -> ET.Element:
    """Read XML; what is none raises."""
    return ET.fromstring(text)  # noqa: S314 - our own writing


@dataclass
class Page(HTMLParser):
    """A page that was read."""

    source: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    left_open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.source)
        self.close()

    def __hash__(self) -> int:
        return id(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.left_open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.left_open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.left_open[-1] if self.left_open else ""
        (self.scripts if inside in {"script", "style"} else self.texts).append(data)

    @property
    def text(self) -> str:
        """All that is there to read."""
        return "".join(self.texts)

    @property
    def shape(self) -> list[tuple[str, frozenset[str]]]:
        """The elements and the names of their attributes, in order."""
        return [(tag, frozenset(attributes)) for tag, attributes in self.tags]

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of a name."""
        return [attributes for name, attributes in self.tags if name == tag]

    def drawings(self) -> list[ET.Element]:
        """Its drawings, read as XML."""
        found = re.findall(r"<svg .*?</svg>", self.source, re.DOTALL)
        return [xml_of(drawing) for drawing in found]
